"""One invocation as Cloudflare tells it: what workerd's tail gives, and what only the gateway knows (R112); pure.

workerd leaves out the Worker's name, the version and the wall time; ours leave out what is the gateway's own: its
entrypoints, headers, stack frames and diagnostics channels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from gateway.model.version import Version

TraceItem = dict[str, Any]
"""A tail item, ready to be shown as JSON."""

OWN_ENTRYPOINT: Final = "__Gateway"
OWN_HEADER: Final = "x-gateway-"
OWN_CHANNEL: Final = "gateway."
EXCEPTION_CHANNEL: Final = "gateway.exception"
"""A ``{name, message, stack}`` that an object's method threw: workerd itself tells only the caller of it."""

OBJECT_CHANNEL: Final = "gateway.object"
"""The object's id in hex, where workerd is too old to tell it."""

REDACTED: Final = "REDACTED"
_SECRET_NAMES: Final = frozenset({"cookie", "set-cookie"})
_SECRET_PARTS: Final = ("auth", "key", "secret", "token", "jwt")
_WORD: Final = re.compile(r"[A-Za-z0-9_+-]+")
_HEX: Final = re.compile(r"[0-9A-Fa-f]")
_NOT_OF_HEX_ID: Final = re.compile(r"[^0-9A-Fa-f_+-]")
_HEX_ID_DIGITS: Final = 32
_ID_LENGTH: Final = 21
_ID_KINDS: Final = (re.compile("[A-Z]"), re.compile("[a-z]"), re.compile("[0-9]"))

_OWN_FRAME: Final = re.compile(r"(?:^|[\s(])(?:gateway:|__gateway)")
_FRAME: Final = re.compile(r"\s*at ")
_WRAPPER: Final = re.compile(r"(\bat (?:async |new )?)Wrapped\b")
_OK: Final = "ok"
_EXCEPTION: Final = "exception"


def trace_item(
    raw: Mapping[str, Any], version: Version, *, received_ms: float, script_tags: Sequence[str] = ()
) -> TraceItem | None:
    """Return an invocation as ``wrangler tail`` shows it; None where it was the gateway's own.

    Args:
        raw: One element of what a tail Worker gets, as JSON.
        received_ms: When it came, in milliseconds since the epoch: the wall time, but for a millisecond or two,
            until a better one is known (``with_wall_time``).
        script_tags: The Worker's tags.

    Source: R112; Cloudflare docs, Tail Handler, TraceItem.
    """
    entrypoint = raw.get("entrypoint")
    if isinstance(entrypoint, str) and entrypoint.startswith(OWN_ENTRYPOINT):
        return None
    channels = _records(raw.get("diagnosticsChannelEvents"))
    thrown = [event for event in channels if event.get("channel") == EXCEPTION_CHANNEL]
    told = (*_records(raw.get("exceptions")), *map(_told, thrown))
    exceptions = [_exception(one, entrypoint if isinstance(entrypoint, str) else None) for one in told]
    event = _event(raw.get("event"))
    started = _number(raw.get("eventTimestamp"))
    item: TraceItem = {
        "wallTime": _number(raw.get("wallTime")) or (max(0, round(received_ms - started)) if started else 0),
        "cpuTime": _number(raw.get("cpuTime")),
        "truncated": raw.get("truncated") is True,
        "executionModel": raw.get("executionModel") or "stateless",
        "outcome": _outcome(raw.get("outcome"), event, exceptions, thrown),
        "scriptName": version.worker,
        "scriptVersion": _script_version(version),
        "scriptTags": list(script_tags),
        "diagnosticsChannelEvents": [
            one for one in channels if not str(one.get("channel")).startswith(OWN_CHANNEL)
        ],
        "exceptions": exceptions,
        "logs": [_log(one) for one in _records(raw.get("logs"))],
        "eventTimestamp": started or None,
        "event": event,
    }
    if isinstance(entrypoint, str):
        item["entrypoint"] = entrypoint
    if object_id := raw.get("durableObjectId") or _told_object(channels):
        item["durableObjectId"] = object_id
    return item


def ray_of(item: TraceItem) -> str:
    """Return the ray id of the request that the gateway itself handed to a Worker; empty for all else.

    A request that a Worker hands on to an object may carry the same ray, but takes another time.
    """
    if item["executionModel"] != "stateless" or item.get("entrypoint", "default") != "default":
        return ""
    return headers_of(item).get("cf-ray", "")


def headers_of(item: TraceItem) -> Mapping[str, str]:
    """Return the request's headers by lower-case name; none where the event is no request."""
    headers = (item["event"] or {}).get("request", {}).get("headers", {})
    return {str(name).lower(): str(value) for name, value in headers.items()}


def with_wall_time(item: TraceItem, milliseconds: float) -> TraceItem:
    """Return an item with the time that the gateway measured."""
    return {**item, "wallTime": round(milliseconds)}


def redacted(item: TraceItem) -> TraceItem:
    """Return an item whose secrets cannot be read; once more changes nothing (R113).

    The affinity key's header has ``key`` in its name, and a version id in a URL looks like an id: both go.
    """
    event = item["event"]
    if not event or "request" not in event:
        return item
    request = dict(event["request"])
    if isinstance(request.get("url"), str):
        request["url"] = redacted_url(request["url"])
    request["headers"] = {
        name: REDACTED if is_secret_header(name) else value for name, value in request["headers"].items()
    }
    return {**item, "event": {**event, "request": request}}


def is_secret_header(name: str) -> bool:
    """Return whether a header's value is not for everyone, by its name."""
    lower = name.lower()
    return lower in _SECRET_NAMES or any(part in lower for part in _SECRET_PARTS)


def redacted_url(url: str) -> str:
    """Return a URL without what looks like an id: 32 hex digits, or 21 characters of all kinds."""
    return _WORD.sub(lambda word: REDACTED if _looks_like_id(word[0]) else word[0], url)


def user_frames(stack: str, entrypoint: str | None = None) -> str:
    """Return the frames of a stack that are not the gateway's own, and nothing but frames, as workerd tells them.

    Args:
        entrypoint: The class that the user exports; V8 speaks of an object by the name of our wrapper around it.
    """
    frames = [line for line in stack.split("\n") if _FRAME.match(line) and not _OWN_FRAME.search(line)]
    shown = "\n".join(frames)
    return _WRAPPER.sub(lambda match: f"{match[1]}{entrypoint}", shown) if entrypoint else shown


def overload_notice(worker: str, lost: int, at_ms: float) -> TraceItem:
    """Return what a reader is told who was too slow for some events."""
    events = "1 event was" if lost == 1 else f"{lost} events were"
    text = f"{events} dropped: more came than this tail reads in time. Add filters."
    return _notice(worker, "overload", text, at_ms)


def overload_over(worker: str, at_ms: float) -> TraceItem:
    """Return what that reader is told once nothing is dropped any more."""
    return _notice(worker, "overload-stop", "Events are no longer dropped.", at_ms)


def _notice(worker: str, kind: str, message: str, at_ms: float) -> TraceItem:
    return {
        "outcome": _OK,
        "scriptName": worker,
        "exceptions": [],
        "logs": [],
        "eventTimestamp": round(at_ms),
        "event": {"type": kind, "message": message},
    }


def _script_version(version: Version) -> dict[str, str]:
    named = {"id": version.id, "tag": version.tag, "message": version.message}
    return {name: value for name, value in named.items() if value}


def _outcome(
    told: object, event: Mapping[str, Any] | None, exceptions: Sequence[object], thrown: Sequence[object]
) -> str:
    """Return the outcome; older releases of workerd call a cron ``ok`` whose handler threw."""
    outcome = told if isinstance(told, str) else "unknown"
    failed = thrown or (exceptions and event is not None and "cron" in event)
    return _EXCEPTION if outcome == _OK and failed else outcome


def _event(event: object) -> dict[str, Any] | None:
    if not isinstance(event, Mapping):
        return None
    if "request" not in event:
        return dict(event)
    request = event["request"] if isinstance(event["request"], Mapping) else {}
    headers = request.get("headers")
    kept = {
        name: value
        for name, value in (headers.items() if isinstance(headers, Mapping) else ())
        if not str(name).lower().startswith(OWN_HEADER)
    }
    return {**event, "request": {**request, "headers": kept}}


def _exception(one: Mapping[str, Any], entrypoint: str | None) -> dict[str, Any]:
    exception = dict(one)
    if isinstance(exception.get("stack"), str):
        exception["stack"] = user_frames(exception["stack"], entrypoint)
    return exception


def _told(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the exception that our class wrapper saw, in the shape of workerd's own."""
    message = event.get("message")
    told = message if isinstance(message, Mapping) else {}
    named = {"name": str(told.get("name") or "Error"), "message": str(told.get("message") or "")}
    stack = {"stack": str(told["stack"])} if told.get("stack") else {}
    return {**stack, **named, "timestamp": _number(event.get("timestamp"))}


def _told_object(channels: Iterable[Mapping[str, Any]]) -> str:
    return next((str(one.get("message")) for one in channels if one.get("channel") == OBJECT_CHANNEL), "")


def _log(log: Mapping[str, Any]) -> dict[str, Any]:
    # What newer releases add about logged errors is in the message already, and Cloudflare does not send it.
    return {name: value for name, value in log.items() if name != "errorInfo"}


def _records(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _number(value: object) -> float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else 0


def _looks_like_id(word: str) -> bool:
    if len(_HEX.findall(word)) >= _HEX_ID_DIGITS and not _NOT_OF_HEX_ID.search(word):
        return True
    return len(word) >= _ID_LENGTH and all(len(kind.findall(word)) > 1 for kind in _ID_KINDS)
