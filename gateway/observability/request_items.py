"""Requests and lines of versions that workerd does not run, in the shape of its traces (R112, R114); pure.

So whoever tails a Worker reads one shape, whatever runs the version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.model.version import Version
from gateway.observability.events import ConsoleEvent, RequestEvent
from gateway.observability.trace_items import TraceItem, trace_item

OUTCOMES: Final[Mapping[str, str]] = {
    "ok": "ok",
    "worker_threw": "exception",
    "upstream_failed": "internalError",
    "upstream_timed_out": "exceededWallTime",
    "answer_cut": "responseStreamDisconnected",
    "client_gone": "canceled",
    "refused": "canceled",
}
"""``RequestEvent.outcome`` -> the outcome of an invocation (R114)."""


def item_of_request(event: RequestEvent, version: Version, script_tags: Sequence[str] = ()) -> TraceItem:
    """Return a request as an invocation."""
    headers = {name.lower(): value for name, value in event.headers}
    request = {
        "url": f"http://{event.host}{event.target}",
        "method": event.method,
        "headers": {**headers, "cf-ray": event.ray},
        "cf": {},
    }
    raw = {
        "outcome": OUTCOMES.get(event.outcome, "unknown"),
        "event": {"request": request, "response": {"status": event.status}},
        "eventTimestamp": round(event.at * 1000),
        "wallTime": round(event.duration_us / 1000),
    }
    return _item(raw, version, event.at, script_tags)


def item_of_line(event: ConsoleEvent, version: Version, script_tags: Sequence[str] = ()) -> TraceItem:
    """Return a line of a process as an invocation that said just that: of which one it was, none can say."""
    at_ms = round(event.at * 1000)
    raw = {
        "outcome": "ok",
        "event": None,
        "eventTimestamp": at_ms,
        "logs": [{"message": [event.message], "level": event.level, "timestamp": at_ms}],
    }
    return _item(raw, version, event.at, script_tags)


def _item(raw: Mapping[str, Any], version: Version, at: float, script_tags: Sequence[str]) -> TraceItem:
    item = trace_item({"entrypoint": "default", **raw}, version, received_ms=at * 1000, script_tags=script_tags)
    assert item is not None  # noqa: S101 - only the gateway's own entrypoints are none
    return item
