"""What a step does, in a few words: for reports."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.scenarios.model import (
    AddFault,
    ClearFaults,
    Deploy,
    ExpectAll,
    Flow,
    Meanwhile,
    Request,
    Send,
    SendMany,
    Step,
)


def title_of(step: Step) -> str:
    """Return a step's title, such as ``deploy v1 90%, v2 10%``."""
    match step:
        case Deploy(shares):
            title = f"deploy {shares_text(shares)}"
        case Send(request):
            title = f"request {_request(request)}"
        case SendMany(request, count, keys, sessions):
            many = "".join(
                f", {number} {what}" for number, what in ((keys, "keys"), (sessions, "sessions")) if number
            )
            title = f"{count} requests {_request(request)}{many}"
        case Flow(session, steps):
            title = f"flow of {session}, {len(steps)} steps"
        case Meanwhile(deploy, request, count):
            title = f"deploy {shares_text(deploy.shares)} during {count} requests {_request(request)}"
        case AddFault(fault):
            told = ", ".join(
                f"{name} {value}" for name, value in fault.to_json().items() if name != "kind" and value
            )
            title = f"fault {fault.kind.value}{told and ': '}{told}"
        case ClearFaults():
            title = "clear faults"
        case ExpectAll():
            title = f"expect {', '.join(_expectations(step))}"
    return title


def shares_text(shares: Iterable[tuple[str, float]]) -> str:
    """Return percentages as people write them."""
    return ", ".join(f"{tag} {percentage:g}%" for tag, percentage in shares)


def _request(request: Request) -> str:
    path = request.path.partition("?")[0]
    signals = (("key", request.key), ("override", request.override), ("cohort", request.cohort))
    more = "".join(f", {name} {value}" for name, value in signals if value)
    return f"{request.method} {path}{' and its files' if request.files else ''}{more}"


def _expectations(step: ExpectAll) -> Iterable[str]:
    if step.split:
        within = f" within {step.within:g}" if step.within is not None else ""
        yield f"split {shares_text(step.split)}{within}"
    if step.skew is not None:
        yield ", ".join(sorted(step.skew)) or "no skew"
    for what, most in (
        ("resets", step.resets_at_most),
        ("errors", step.errors_at_most),
        ("broken files", step.broken_files_at_most),
    ):
        if most is not None:
            yield f"{what} at most {most}"
