"""How a request ended, in the words of Cloudflare's metrics (R116); pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class InvocationStatus(StrEnum):
    """What ``workersInvocationsAdaptive`` calls ``status``."""

    SUCCESS = "success"
    CLIENT_DISCONNECTED = "clientDisconnected"
    SCRIPT_THREW = "scriptThrewException"
    EXCEEDED_RESOURCES = "exceededResources"
    INTERNAL_ERROR = "internalError"


ERRORS: Final = frozenset(
    {InvocationStatus.SCRIPT_THREW, InvocationStatus.EXCEEDED_RESOURCES, InvocationStatus.INTERNAL_ERROR}
)
"""What counts as an error: a Worker that answers 500 by itself does not (R116)."""

_STATUSES: Final[Mapping[str, InvocationStatus]] = {
    "ok": InvocationStatus.SUCCESS,
    "client_gone": InvocationStatus.CLIENT_DISCONNECTED,
    # The client's own fault too: it sent a body that cannot be, after the version was picked.
    "refused": InvocationStatus.CLIENT_DISCONNECTED,
    "worker_threw": InvocationStatus.SCRIPT_THREW,
    "upstream_timed_out": InvocationStatus.EXCEEDED_RESOURCES,
    "upstream_failed": InvocationStatus.INTERNAL_ERROR,
    "answer_cut": InvocationStatus.INTERNAL_ERROR,
}


def status_of_outcome(outcome: str) -> InvocationStatus:
    """Return the status of an outcome (``RequestEvent.outcome``); one that is not known is an internal error."""
    return _STATUSES.get(outcome, InvocationStatus.INTERNAL_ERROR)
