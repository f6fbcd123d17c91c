"""workerd's trace of an invocation -> Cloudflare's tail item: completed, without what is ours, without secrets."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.observability.trace_items import (
    TraceItem,
    headers_of,
    is_secret_header,
    overload_notice,
    overload_over,
    ray_of,
    redacted,
    redacted_url,
    trace_item,
    user_frames,
    with_wall_time,
)
from tests.model.examples import A
from tests.observability.traces_of_workerd import (
    RECEIVED_MS,
    STARTED_MS,
    exception,
    log,
    raw,
    request,
    workerd_version,
)


def item(event: Any, **changes: Any) -> TraceItem:
    """Return the item of an invocation that is shown."""
    found = trace_item(raw(event, **changes), workerd_version(), received_ms=RECEIVED_MS)
    assert found is not None
    return found


def test_an_item_has_all_that_cloudflare_tells() -> None:
    """R112: the members of a tail item; R111: the kinds of events."""
    found = trace_item(
        raw(request(cf_ray="1-LCL"), logs=[log("hello", {"a": 1})]),
        workerd_version(message="first"),
        received_ms=RECEIVED_MS,
        script_tags=["team:a"],
    )

    assert found == {
        "wallTime": 96,
        "cpuTime": 0,
        "truncated": False,
        "executionModel": "stateless",
        "outcome": "ok",
        "scriptName": "shop",
        "scriptVersion": {"id": A, "tag": "v1", "message": "first"},
        "scriptTags": ["team:a"],
        "diagnosticsChannelEvents": [],
        "exceptions": [],
        "logs": [log("hello", {"a": 1})],
        "eventTimestamp": STARTED_MS,
        "event": request(cf_ray="1-LCL"),
    }


def test_what_a_version_has_not_is_left_out() -> None:
    """wrangler-api, section 10: tag and message are optional."""
    found = trace_item(raw(request()), workerd_version(tag=""), received_ms=RECEIVED_MS)

    assert found is not None
    assert found["scriptVersion"] == {"id": A}


@pytest.mark.parametrize(
    "event",
    [
        {"rpcMethod": "increment"},
        {"cron": "*/5 * * * *", "scheduledTime": 1_700_000_000_000},
        {"scheduledTime": "2026-11-23T06:42:39.325Z"},
        {"queue": "jobs", "batchSize": 3},
        {"getWebSocketEvent": {"webSocketEventType": "message"}},
        None,
    ],
)
def test_events_of_all_kinds_stay_as_they_are(event: Any) -> None:
    """Issue B, tail: requests, object RPC, alarms, crons; an invocation may have no event at all."""
    assert item(event)["event"] == event


def test_an_object_is_told_by_its_id() -> None:
    """R112 ``durableObjectId``; older releases of workerd lack it, and our wrapper tells it instead."""
    rpc = {"rpcMethod": "increment"}
    told = [{"channel": "gateway.object", "message": "ab" * 32, "timestamp": 1}]

    newer = item(rpc, entrypoint="Counter", executionModel="durableObject", durableObjectId="cd" * 32)
    older = item(rpc, entrypoint="Counter", executionModel="durableObject", diagnosticsChannelEvents=told)

    assert (newer["entrypoint"], newer["durableObjectId"]) == ("Counter", "cd" * 32)
    assert (older["durableObjectId"], older["diagnosticsChannelEvents"]) == ("ab" * 32, [])


def test_an_exception_of_an_objects_method_is_shown() -> None:
    """Runtime, section 7: workerd tells only the caller, so our wrapper reports it."""
    message = {"name": "RangeError", "message": "no stock", "stack": "    at Cart.take (index.js:3:9)"}
    told = [{"channel": "gateway.exception", "message": message, "timestamp": 7}]
    found = item({"rpcMethod": "take"}, entrypoint="Cart", diagnosticsChannelEvents=told)

    assert found["outcome"] == "exception"
    assert found["exceptions"] == [{**message, "timestamp": 7}]

    # V8 puts the message before the frames, and names the class that our wrapper made.
    stack = "RangeError: no stock\n    at Wrapped.take (index.js:3:9)\n    at new Wrapped (index.js:1:1)"
    told = [{"channel": "gateway.exception", "message": {**message, "stack": stack}}]
    found = item({"rpcMethod": "take"}, entrypoint="Cart", diagnosticsChannelEvents=told)
    assert found["exceptions"][0]["stack"] == "    at Cart.take (index.js:3:9)\n    at new Cart (index.js:1:1)"
    assert found["diagnosticsChannelEvents"] == []


@pytest.mark.parametrize("message", [None, "text", {"stack": None}, {"message": 1}])
def test_a_report_of_an_odd_value_is_shown_all_the_same(message: Any) -> None:
    """Code may throw anything."""
    told = [{"channel": "gateway.exception", "message": message}]
    found = item({"rpcMethod": "take"}, diagnosticsChannelEvents=told)

    assert found["exceptions"][0]["name"] == "Error"


def test_the_workers_own_diagnostics_channels_stay() -> None:
    """R112: they are the user's."""
    told = [{"channel": "shop.prices", "message": 1, "timestamp": 1}]

    assert item(request(), diagnosticsChannelEvents=told)["diagnosticsChannelEvents"] == told


def test_a_cron_that_threw_is_no_success() -> None:
    """R114: older releases of workerd say ``ok`` of it; what is thrown after an answer leaves it ``ok``."""
    cron = {"cron": "1 * * * *", "scheduledTime": 1}

    assert item(cron, exceptions=[exception()])["outcome"] == "exception"
    assert item(request(), exceptions=[exception()])["outcome"] == "ok"
    assert item(request(), exceptions=[exception()], outcome="exceededCpu")["outcome"] == "exceededCpu"


@pytest.mark.parametrize("entrypoint", ["__GatewayControl", "__GatewayObject"])
def test_the_gateways_own_entrypoints_are_not_shown(entrypoint: str) -> None:
    """Issue B, tail: the gateway's own entrypoints and headers filtered out."""
    assert trace_item(raw(request(), entrypoint=entrypoint), workerd_version(), received_ms=1.0) is None


def test_the_gateways_own_headers_and_frames_are_not_shown() -> None:
    """Issue B, tail: as above."""
    stack = """\
    at Cart.take (index.js:3:9)
    at Wrapped.fetch (__gateway_runtime.js:10:2)
    at gateway:binding:3:1
    at async Object.fetch (my-gateway:app.js:1:1)"""
    found = item(request(x_gateway_version="{}", x_a="b"), exceptions=[exception(stack=stack)])

    assert headers_of(found) == {"x-a": "b"}
    assert found["exceptions"][0]["stack"] == (
        "    at Cart.take (index.js:3:9)\n    at async Object.fetch (my-gateway:app.js:1:1)"
    )
    assert user_frames("") == ""


def test_what_newer_releases_add_to_logs_is_not_sent() -> None:
    """Runtime, section 7: logs are timestamp, level and message."""
    assert item(request(), logs=[{**log("x"), "errorInfo": [None]}])["logs"] == [log("x")]


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {
            "event": 1,
            "logs": 1,
            "exceptions": "x",
            "outcome": 3,
            "eventTimestamp": "x",
            "diagnosticsChannelEvents": {},
        },
        {"event": {"request": 1}, "logs": [1], "exceptions": [None], "eventTimestamp": None, "entrypoint": 3},
        {"event": {"request": {"headers": 1}}},
    ],
)
def test_a_trace_of_another_shape_breaks_nothing(broken: dict[str, Any]) -> None:
    """A later workerd may tell otherwise; a tail must not end by it."""
    found = trace_item(broken, workerd_version(), received_ms=RECEIVED_MS)

    assert found is not None
    assert (found["wallTime"], found["logs"], found["exceptions"]) == (0, [], [])
    assert redacted(found)["scriptName"] == "shop"
    assert ray_of(found) == ""


def test_the_ray_joins_a_request_to_its_time() -> None:
    """Runtime, section 7: workerd's wall time is always 0; measure in the gateway, join by the ray id's header."""
    fetch = item(request(CF_Ray="1-LCL"))

    assert ray_of(fetch) == "1-LCL"
    assert with_wall_time(fetch, 12.6)["wallTime"] == 13
    assert fetch["wallTime"] == 96


@pytest.mark.parametrize(
    "changes", [{"executionModel": "durableObject", "entrypoint": "Counter"}, {"entrypoint": "Admin"}]
)
def test_only_a_request_of_the_gateway_has_its_ray(changes: dict[str, Any]) -> None:
    """A request that a Worker hands on carries the same ray, and takes another time."""
    assert ray_of(item(request(cf_ray="1-LCL"), **changes)) == ""
    assert ray_of(item({"rpcMethod": "x"})) == ""


def test_wall_time_of_workerd_itself_counts_once_there_is_one() -> None:
    """Runtime, section 7: today it is 0."""
    assert item(request(), wallTime=5)["wallTime"] == 5


SECRET = [
    "Cookie", "set-cookie", "Authorization", "X-API-Key", "Client-Secret", "X-Token", "Cf-Access-Jwt-Assertion",
    "Cloudflare-Workers-Version-Key",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRET)
def test_headers_that_may_hold_secrets_are_redacted(name: str) -> None:
    """R113; it hits the affinity key's header."""
    found = redacted(item({"request": {"url": "http://a/", "method": "GET", "headers": {name: "v", "X-A": "b"}}}))

    assert found["event"]["request"]["headers"] == {name: "REDACTED", "X-A": "b"}


@pytest.mark.parametrize("name", ["X-Cookies", "Accept", "CF-Ray", "Host", "Gateway-Object"])
def test_other_headers_are_not(name: str) -> None:
    """R113: ``cookie`` counts only as the whole name."""
    assert not is_secret_header(name)


URLS = [
    ("https://a/b?c=1", "https://a/b?c=1"),
    ("https://a/0123456789abcdef0123456789ABCDEF/x", "https://a/REDACTED/x"),
    ("https://a/0123456789abcdef0123456789abcde", "https://a/0123456789abcdef0123456789abcde"),
    ("https://a/v/aaaaaaaa-1111-4111-8111-111111111111?x=1", "https://a/v/REDACTED?x=1"),
    ("https://a/0123456789abcdef0123456789abcdeg", "https://a/0123456789abcdef0123456789abcdeg"),
    ("https://a/?t=AbCdEfGh1234567890xyz", "https://a/?t=REDACTED"),
    ("https://a/?t=AbCdEfGh1234567890xy", "https://a/?t=AbCdEfGh1234567890xy"),
    ("https://a/?t=abcdefgh1234567890xyzz", "https://a/?t=abcdefgh1234567890xyzz"),
    ("https://a/?t=ABCDEFGH1234567890XYZZa", "https://a/?t=ABCDEFGH1234567890XYZZa"),
    ("https://a/?t=AbCdEfGhiJkLmNoPqRsTuV1", "https://a/?t=AbCdEfGhiJkLmNoPqRsTuV1"),
    ("", ""),
]


@pytest.mark.parametrize(("url", "shown"), URLS)
def test_parts_of_urls_that_look_like_ids_are_redacted(url: str, shown: str) -> None:
    """R113: 32 or more hex digits; 21 or more characters with 2 upper, 2 lower, 2 digits. Version ids vanish."""
    assert redacted_url(url) == shown
    assert redacted_url(shown) == shown


def test_redacting_leaves_the_item_itself_alone() -> None:
    """Filters look at it before, and other readers after."""
    whole = item(request(cookie="a=b"))
    first = redacted(whole)

    assert headers_of(whole) == {"cookie": "a=b"}
    assert redacted(first) == first
    assert redacted(item(None)) == item(None)


def test_notices_are_what_wrangler_prints() -> None:
    """wrangler-api, section 10: ``{"message", "type": "overload" | "overload-stop"}``, with empty lists."""
    lost, over = overload_notice("shop", 1, 5.4), overload_over("shop", 6)

    assert (lost["event"]["type"], over["event"]["type"]) == ("overload", "overload-stop")
    assert lost["event"]["message"].startswith("1 event was dropped")
    assert (lost["logs"], lost["exceptions"], lost["eventTimestamp"]) == ([], [], 5)
