"""What happens at the edge, as values: a contract, since tail, dashboard and log read them.

Version 1. A field is never renamed or given another meaning; new ones may come.
"""

from __future__ import annotations

from typing import Final, NamedTuple

EVENTS_VERSION: Final = 1


class RequestEvent(NamedTuple):
    """One request, told when its answer has gone out (or was cut).

    Args:
        at: Seconds since the epoch at which its head was complete.
        version_id: Empty where the gateway answered by itself before a version was picked.
        reason: Which rule picked the version (``Reason``), or empty.
        status: Status the client got; 0 where it got none.
        outcome: ``ok``, ``upstream_failed``, ``upstream_timed_out``, ``answer_cut``, ``client_gone``, ``refused``,
            ``worker_threw``.
        duration_us: From the complete head to the last byte handed to the network, in microseconds.
        request_bytes, response_bytes: Of the bodies.
    """

    at: float
    ray: str
    worker: str
    version_id: str
    reason: str
    method: str
    host: str
    target: str
    status: int
    outcome: str
    duration_us: int
    request_bytes: int
    response_bytes: int
    point: float | None
    object: str
