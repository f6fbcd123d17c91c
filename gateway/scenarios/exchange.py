"""What a request of a scenario was, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

ERROR_STATUS: Final = 500


class Outgoing(NamedTuple):
    """A request as it is sent.

    Args:
        host: Empty for the Worker's own.
        override: Tag or id of the version that is asked for, or empty.
        session: Whose cookies go along; empty for somebody new.
    """

    method: str
    path: str
    host: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    override: str = ""
    session: str = ""


class Exchange(NamedTuple):
    """A request that is over.

    Args:
        host: As it was sent, with the port.
        status: 0 where no whole answer came; then ``problem`` says why.
        version, version_id: Tag (or short id) and id of the version that answered; empty where none did.
        reason, point: As in ``Gateway-Decision``.
        racing: Whether it was sent while a deployment was made, so that its version is chance.
        kind: What kind of file of a page it is, such as ``script``; empty for what the scenario asked itself.
    """

    method: str
    path: str
    host: str
    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    version: str = ""
    version_id: str = ""
    reason: str = ""
    point: float | None = None
    ray: str = ""
    problem: str = ""
    racing: bool = False
    kind: str = ""

    @property
    def is_error(self) -> bool:
        """Whether it was answered by 500 or above, or not at all."""
        return not self.status or self.status >= ERROR_STATUS

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def title(self) -> str:
        """Method and path, without the query: what is saved and sent again may change from run to run."""
        path = self.path.partition("?")[0]
        return f"{self.method} {path}"

    @property
    def why(self) -> str:
        """Who answered it, and why: ``ray 8a1f-LCL, v2 by percentage at 71.02``."""
        where = "" if self.point is None else f" at {self.point:.4g}"
        if not self.version:
            who = self.problem or "answered by the gateway itself"
        elif self.racing:
            who = "while the deployment was made"
        else:
            who = f"{self.version} by {self.reason}{where}"
        return f"ray {self.ray}, {who}" if self.ray else who

    def values(self, name: str) -> list[str]:
        """Return the values of a header, whatever its case."""
        return [value for one, value in self.headers if one.lower() == name.lower()]


@dataclass(frozen=True, slots=True)
class SkewFound:
    """An incident of version skew among the scenario's requests.

    Args:
        kind, what, cause: As ``/api/skew`` has them; ``sentence`` and ``remedy`` are for people.
        before, after: The two requests that prove it.
    """

    kind: str
    what: str
    cause: str
    sentence: str
    remedy: str
    count: int
    inferred: tuple[str, ...]
    before: Exchange
    after: Exchange


class ObjectMoved(NamedTuple):
    """A Durable Object that went over to other versions.

    Args:
        name: ``<class>/<name>``, or the beginning of its id where it has no name.
        path: The versions it went over to, each as ``v1 -> v2``.
    """

    name: str
    path: tuple[str, ...]
