"""Invocations as records: fields, kinds of events, and that no secret comes along."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.model.logpush_job import OutputOptions
from gateway.observability.logpush.records import FIELDS, line_of, record_of, record_of_request
from gateway.observability.request_items import item_of_request
from gateway.observability.trace_items import TraceItem, trace_item
from tests.model.examples import A
from tests.observability.examples import FAILED, GONE, REQUEST
from tests.observability.traces_of_workerd import (
    RECEIVED_MS,
    STARTED_MS,
    exception,
    log,
    raw,
    request,
    workerd_version,
)


def traced(event: Any, **changes: Any) -> TraceItem:
    """Return an invocation on workerd."""
    item = trace_item(
        raw(event, **changes),
        workerd_version(tag="v1", message="new cart"),
        received_ms=RECEIVED_MS,
        script_tags=["team:a"],
    )
    assert item is not None
    return item


def test_an_invocation_has_every_field() -> None:
    """R110, R111: all fields of the dataset; the version an object with id, message, tag; no header."""
    item = traced(
        request("https://shop.localhost/a?b", "PUT", cf_ray="0123456789abcdef-LCL", cookie="sid=1"),
        logs=[log("hello", {"a": 1}, level="warn")],
        exceptions=[exception()],
        outcome="exception",
        entrypoint="default",
    )
    record = record_of(item)

    assert record == {
        "CPUTimeMs": 0,
        "DispatchNamespace": "",
        "Entrypoint": "default",
        "Event": {
            "RayID": "0123456789abcdef",
            "Request": {"URL": "https://shop.localhost/a?b", "Method": "PUT"},
            "Response": {"Status": 200},
        },
        "EventTimestampMs": STARTED_MS,
        "EventType": "fetch",
        "Exceptions": [
            {
                "Name": "TypeError",
                "Message": "boom",
                "Stack": "    at Object.fetch (index.js:16:40)",
                "TimestampMs": STARTED_MS + 2,
            }
        ],
        "Logs": [{"Level": "warn", "Message": ["hello", {"a": 1}], "TimestampMs": STARTED_MS + 1}],
        "Outcome": "exception",
        "ScriptName": "shop",
        "ScriptTags": ["team:a"],
        "ScriptVersion": {"id": A, "message": "new cart", "tag": "v1"},
        "WallTimeMs": round(RECEIVED_MS - STARTED_MS),
    }
    assert list(record) == list(FIELDS)
    assert "sid" not in json.dumps(record)


KINDS: dict[str, tuple[Any, Any]] = {
    "scheduled": ({"cron": "* * * * *", "scheduledTime": 5}, {"Cron": "* * * * *", "ScheduledTimeMs": 5}),
    "alarm": ({"scheduledTime": 7}, {"ScheduledTimeMs": 7}),
    "worker_rpc": ({"rpcMethod": "add"}, {"RpcMethod": "add"}),
    "queue": ({"queue": "q", "batchSize": 3}, {"Queue": "q", "BatchSize": 3}),
    "email": ({"mailFrom": "a@x", "rcptTo": "b@x", "rawSize": 1}, {"MailFrom": "a@x", "RcptTo": "b@x"}),
    "hibernatable_web_socket": (
        {"getWebSocketEvent": {"webSocketEventType": "message"}},
        {"WebSocketEventType": "message"},
    ),
    "fetch": (None, {}),
}


@pytest.mark.parametrize(("kind", "case"), KINDS.items(), ids=KINDS)
def test_an_event_has_its_kind(kind: str, case: tuple[Any, Any]) -> None:
    """R111: ``EventType`` is fetch, scheduled, alarm, queue, email, worker_rpc, hibernatable_web_socket."""
    event, shown = case
    record = record_of(traced(event))

    assert (record["EventType"], record["Event"]) == (kind, shown)


@pytest.mark.parametrize(
    ("event", "outcome", "response"),
    [
        (REQUEST, "ok", {"Status": 200}),
        (FAILED, "internalError", {"Status": 502}),
        (GONE, "canceled", None),
    ],
)
def test_a_request_of_a_command_is_a_record(event: Any, outcome: str, response: Any) -> None:
    """R111, R114: of versions that workerd does not run the gateway tells what it knows."""
    record = record_of_request(event, workerd_version(), ["team:a"])

    assert record == record_of(item_of_request(event, workerd_version(), ["team:a"]))
    assert (record["Outcome"], record["Event"].get("Response"), record["WallTimeMs"]) == (outcome, response, 1)
    assert (record["EventTimestampMs"], record["Logs"]) == (1_800_000_000_250, [])


def test_a_line_has_the_fields_that_are_asked_for() -> None:
    """Cloudflare docs, Log output options: the fields in the order of the job; one line; ``CVE-2021-44228``."""
    record = record_of(traced(request("https://shop.localhost/${jndi}\n\u2603")))

    assert line_of(record, OutputOptions(("Outcome", "ScriptName"))) == b'{"Outcome":"ok","ScriptName":"shop"}'
    line = line_of(record, OutputOptions(("Event",), cve_2021_44228=True))
    assert b"x{jndi}" in line
    assert b"\n" not in line
    assert json.loads(line)["Event"]["Request"]["URL"].endswith("x{jndi}\n\u2603")
