"""An invocation -> a record of the dataset ``workers_trace_events`` (R110, R111); pure.

Source: Cloudflare docs, Logs, Workers trace events.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from gateway.model.logpush_job import OutputOptions
from gateway.model.version import Version
from gateway.observability.events import RequestEvent
from gateway.observability.request_items import OUTCOMES
from gateway.observability.trace_items import TraceItem, headers_of

Record = dict[str, Any]

FIELDS: Final[Mapping[str, str]] = {
    "CPUTimeMs": "int; The amount of CPU time used by the Worker script, in milliseconds; 0 here.",
    "DispatchNamespace": "string; The Cloudflare Worker dispatch namespace this Worker was invoked under.",
    "Entrypoint": "string; The name of the entrypoint class in which the Worker began execution.",
    "Event": "object; Details about the source event.",
    "EventTimestampMs": "int; The timestamp of when the event was received, in milliseconds.",
    "EventType": "string; The event type that triggered the invocation.",
    "Exceptions": "array[object]; List of uncaught exceptions during the invocation.",
    "Logs": "array[object]; List of console messages emitted during the invocation.",
    "Outcome": "string; The outcome of the Worker script invocation.",
    "ScriptName": "string; The Cloudflare Worker script name.",
    "ScriptTags": "array[string]; A list of user-defined tags used to categorize the Worker.",
    "ScriptVersion": "object; The version of the script that was invoked: id, message, tag.",
    "WallTimeMs": "int; The elapsed time in milliseconds between the start of a Worker invocation and its end.",
}
"""Field -> what the API says of it."""


_ENCODE: Final = json.JSONEncoder(separators=(",", ":")).encode
"""Made once: ``json.dumps`` would make an encoder for each line."""


def record_of(item: TraceItem) -> Record:
    """Return an invocation as a record with all ``FIELDS``."""
    kind, event = _event(item)
    version = item.get("scriptVersion") or {}
    return {
        "CPUTimeMs": round(item["cpuTime"]),
        "DispatchNamespace": "",
        "Entrypoint": item.get("entrypoint", ""),
        "Event": event,
        "EventTimestampMs": round(item["eventTimestamp"] or 0),
        "EventType": kind,
        "Exceptions": [
            {
                "Name": str(one.get("name") or ""),
                "Message": str(one.get("message") or ""),
                "Stack": str(one.get("stack") or ""),
                "TimestampMs": round(one.get("timestamp") or 0),
            }
            for one in item["exceptions"]
        ],
        "Logs": [
            {
                "Level": str(one.get("level") or "log"),
                "Message": one.get("message"),
                "TimestampMs": round(one.get("timestamp") or 0),
            }
            for one in item["logs"]
        ],
        "Outcome": item["outcome"],
        "ScriptName": item["scriptName"],
        "ScriptTags": item["scriptTags"],
        "ScriptVersion": {name: version.get(name, "") for name in ("id", "message", "tag")},
        "WallTimeMs": round(item["wallTime"]),
    }


def record_of_request(event: RequestEvent, version: Version, script_tags: Sequence[str]) -> Record:
    """Return a request of a version that workerd does not run as a record.

    It is what ``record_of`` says of ``item_of_request``, for a fifth of the time: there may be thousands a second.
    """
    shown: Record = {
        "RayID": event.ray.partition("-")[0],
        "Request": {"URL": f"http://{event.host}{event.target}", "Method": event.method},
    }
    if event.status:
        shown["Response"] = {"Status": event.status}
    return {
        "CPUTimeMs": 0,
        "DispatchNamespace": "",
        "Entrypoint": "default",
        "Event": shown,
        "EventTimestampMs": round(event.at * 1000),
        "EventType": "fetch",
        "Exceptions": [],
        "Logs": [],
        "Outcome": OUTCOMES.get(event.outcome, "unknown"),
        "ScriptName": event.worker,
        "ScriptTags": list(script_tags),
        "ScriptVersion": {"id": version.id, "message": version.message, "tag": version.tag},
        "WallTimeMs": round(event.duration_us / 1000),
    }


def line_of(record: Record, output: OutputOptions) -> bytes:
    """Return a record as one line of NDJSON, without its end."""
    chosen = {name: record[name] for name in output.field_names}
    text = _ENCODE(chosen)
    return (text.replace("${", "x{") if output.cve_2021_44228 else text).encode("ascii")


def _event(item: TraceItem) -> tuple[str, Record]:
    """Return an invocation's ``EventType`` and ``Event``."""
    event: Mapping[str, Any] = item["event"] or {}
    for member, kind, view in _KINDS:
        if member in event:
            return kind, view(item, event)
    return "fetch", {}


def _fetch(item: TraceItem, event: Mapping[str, Any]) -> Record:
    """Return a request without its headers, as Cloudflare does: they may hold secrets."""
    request, response = event["request"], event.get("response") or {}
    shown: Record = {"RayID": headers_of(item).get("cf-ray", "").partition("-")[0]}
    shown["Request"] = {"URL": request.get("url", ""), "Method": request.get("method", "")}
    if response.get("status"):
        shown["Response"] = {"Status": response["status"]}
    return shown


_KINDS: Final[tuple[tuple[str, str, Callable[[TraceItem, Mapping[str, Any]], Record]], ...]] = (
    ("request", "fetch", _fetch),
    (
        "cron",
        "scheduled",
        lambda _, event: {"Cron": event["cron"], "ScheduledTimeMs": event.get("scheduledTime")},
    ),
    (
        "rpcMethod",
        "worker_rpc",
        lambda _, event: {"RpcMethod": event["rpcMethod"]},
    ),
    (
        "getWebSocketEvent",
        "hibernatable_web_socket",
        lambda _, event: {"WebSocketEventType": (event["getWebSocketEvent"] or {}).get("webSocketEventType", "")},
    ),
    (
        "queue",
        "queue",
        lambda _, event: {"Queue": event["queue"], "BatchSize": event.get("batchSize", 0)},
    ),
    ("mailFrom", "email", lambda _, event: {"MailFrom": event["mailFrom"], "RcptTo": event.get("rcptTo", "")}),
    # Behind ``cron``, which has a time as well.
    ("scheduledTime", "alarm", lambda _, event: {"ScheduledTimeMs": event["scheduledTime"]}),
)
"""Member of a tail item's event that tells its kind, ``EventType``, what is shown of it; the first counts."""
