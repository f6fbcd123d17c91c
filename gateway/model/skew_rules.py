"""What the configuration says of version skew: whether to look for it, and what joins requests."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.errors import GatewayError

MIN_STEPS = 2


class InvalidFlow(GatewayError):
    """A flow that cannot be followed."""

    status, code, fault = 400, 90_160, "client"


@dataclass(frozen=True, slots=True)
class SkewRules:
    """How requests of one Worker are joined.

    Args:
        session_cookie: Name of the cookie that tells sessions apart, or empty.
        flows: Paths that one version must serve in turn, each a pattern in which ``*`` stands for anything.
        enabled: Whether anything is looked for.

    Raises:
        InvalidFlow: A flow has one step only, or a step is no path.
    """

    session_cookie: str = ""
    flows: tuple[tuple[str, ...], ...] = ()
    enabled: bool = True

    def __post_init__(self) -> None:
        for flow in self.flows:
            if len(flow) < MIN_STEPS:
                raise InvalidFlow(
                    f"the flow {list(flow)} has {len(flow)} step(s)",
                    remedy="Name two paths or more, in their order.",
                )
            for step in flow:
                if not step.startswith(("/", "*")):
                    raise InvalidFlow(f"{step!r} is no path", remedy="Write it as /cart or /orders/*.")
