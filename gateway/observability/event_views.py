"""Events -> the JSON of ``/api/events`` (pure); the shapes stand in docs/observability.md."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from gateway.observability.events import (
    ConsoleEvent,
    DeploymentEvent,
    Event,
    ExceptionEvent,
    RequestEvent,
    ResetEvent,
    VersionEvent,
)
from gateway.observability.trace_items import REDACTED, is_secret_header, redacted_url

Json = dict[str, Any]


def event_view(event: Event, *, redact: bool) -> Json:
    """Return an event as JSON.

    Args:
        redact: Take out what R113 calls secret: headers by their names, and what looks like an id in a URL.
    """
    match event:
        case RequestEvent():
            return _request_view(event, redact=redact)
        case ResetEvent():
            shown: Json = event._asdict()
            shown["class"] = shown.pop("class_name")
        case DeploymentEvent():
            shown = event._asdict() | {"versions": [share._asdict() for share in event.versions]}
        case ConsoleEvent() | ExceptionEvent() | VersionEvent():
            shown = event._asdict()
        case _:
            shown = event._asdict() | {"target": _target(event.target, redact=redact)}
            shown["duration_ms"] = shown.pop("duration_us") / 1000
    shown["at"] = moment(event.at)
    return shown


def _request_view(event: RequestEvent, *, redact: bool) -> Json:
    return {
        "at": moment(event.at),
        "ray": event.ray,
        "worker": event.worker,
        "version_id": event.version_id,
        "label": event.label,
        "reason": event.reason,
        "point": event.point,
        "method": event.method,
        "host": event.host,
        "target": _target(event.target, redact=redact),
        "status": event.status,
        "outcome": event.outcome,
        "duration_ms": event.duration_us / 1000,
        "request_bytes": event.request_bytes,
        "response_bytes": event.response_bytes,
        "object": event.object,
        "fault": event.fault,
        "ignored": [{"signal": one.signal, "cause": one.cause} for one in event.ignored],
        "headers": [
            [name, REDACTED if redact and is_secret_header(name) else value] for name, value in event.headers
        ],
    }


def _target(target: str, *, redact: bool) -> str:
    return redacted_url(target) if redact else target


def moment(seconds: float) -> str:
    """Return a time as the API writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
