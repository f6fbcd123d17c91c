"""Faults on purpose, as clients meet them, with real versions; durations are only ever compared from below."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.control.client import ApiError
from tests.integration.conftest import StartEdge
from tests.integration.edge_process import EdgeProcess, one_worker, spec, version
from tests.integration.http_client import OVERRIDES, Answer, Caller, Connection, call
from tests.integration.listening import Listener, listening
from tests.integration.scripted_origin import read_head, scripted_origin
from tests.integration.waiting import wait_for
from tests.integration.workers_api import VERSION, Probed, edge_config, service

VERSIONS: Final = [version(tag, "facts_version") for tag in ("v1", "v2")]
STREAMS: Final = [version("v1", "streams_version")]
SOME_BYTES: Final = 3_000


def shop(v1: float = 100, v2: float = 0, **more: Any) -> dict[str, object]:
    """Return a configuration with two versions."""
    return one_worker(VERSIONS, {"v1": v1, "v2": v2}, **more)


def tags(edge: EdgeProcess, count: int, headers: dict[str, str] | None = None) -> list[str]:
    """Return which version each of so many requests met, by the gateway's own word."""
    with Caller(edge) as caller:
        return [str(caller.call("/version", headers or {}).decision["tag"]) for _ in range(count)]


def told(listener: Listener, **wanted: object) -> dict[str, Any]:
    """Return the first event of a request with these values."""
    return dict(listener.wait_for("request", 1, **wanted)[0])


def test_a_share_of_one_version_answers_with_a_status(start_edge: StartEdge) -> None:
    """Issue D, faults: by version and share, seeded, seen in events; the split is drawn as without them."""
    plain = tags(start_edge(shop(50, 50), seed=7), 200)
    edge = start_edge(shop(50, 50), seed=7)
    edge.api.add_fault({"kind": "status", "status": 500, "worker": "shop", "version": "v2", "share": 30})

    with Caller(edge) as caller:
        answers = [caller.call("/version") for _ in range(200)]

    assert [answer.decision["tag"] for answer in answers] == plain
    failed = Counter(str(answer.decision["tag"]) for answer in answers if answer.status == 500)
    assert set(failed) == {"v2"}
    assert 10 < failed["v2"] < 60
    assert {answer.header("Gateway-Error") for answer in answers if answer.status == 500} == {"fault"}
    assert edge.api.faults()[0]["met"] == failed["v2"]
    again = start_edge(shop(50, 50), seed=7)
    again.api.add_fault({"kind": "status", "status": 500, "worker": "shop", "version": "v2", "share": 30})
    with Caller(again) as caller:
        assert [caller.call("/version").status for _ in range(200)] == [answer.status for answer in answers]


def test_a_failing_version_is_one_to_the_figures(start_edge: StartEdge) -> None:
    """docs/faults.md: to figures and health it looks as it would to a client."""
    edge = start_edge(shop())
    edge.api.add_fault({"kind": "status", "status": 500, "times": 3})

    assert [answer.status for answer in (call(edge) for _ in range(5))] == [500, 500, 500, 200, 200]
    figures = edge.api.metrics("shop")["versions"][0]
    assert (figures["requests"], figures["errors"]["worker_5xx"]) == (5, 3)


@pytest.mark.parametrize("status", [200, 204, 299, 304, 404, 520, 599])
def test_any_final_status_can_be_answered(start_edge: StartEdge, status: int) -> None:
    """docs/faults.md: Cloudflare's own 520 too; 204 and 304 have no body (RFC 9110 section 6.4.1)."""
    edge = start_edge(shop())
    edge.api.add_fault({"kind": "status", "status": status, "path": "/odd"})
    with Caller(edge) as caller:
        answer = caller.call("/odd")

        assert (answer.status, answer.header("Gateway-Error"), answer.decision["tag"]) == (status, "fault", "v1")
        assert (answer.body == b"") == (status in (204, 304))
        assert (answer.header("Content-Length") is None) == (status in (204, 304))
        assert caller.call("/version").text == "v1"


def test_latency_is_added_and_told(start_edge: StartEdge) -> None:
    """Issue D, faults: latency, fixed and with jitter; only on its path."""
    edge = start_edge(shop())
    edge.api.add_fault({"kind": "latency", "ms": 150, "jitter_ms": 50, "path": "/slow*"})
    with listening(edge, kinds="request") as listener:
        assert call(edge, "/slow/one?x=1").status == call(edge, "/fast").status == 200

        slow, fast = told(listener, target="/slow/one?x=1"), told(listener, target="/fast")
        assert (slow["fault"], fast["fault"]) == ("latency-1", "")
        assert slow["duration_ms"] > 145
        edge.stop()


async def test_a_connection_is_reset_before_or_after_the_first_byte(start_edge: StartEdge) -> None:
    """Issue D, faults: the client sees a reset, and what came before it."""
    edge = start_edge(one_worker(STREAMS, {"v1": 100}))
    edge.api.add_fault({"kind": "reset", "path": "/download", "name": "early", "times": 1})
    async with await Connection.open(edge) as early:
        await early.send(early.head("/download?bytes=3000"))
        assert await early.ends() == b""
    edge.api.clear_faults()
    edge.api.add_fault({"kind": "reset", "first_byte": "after", "name": "late"})
    async with await Connection.open(edge) as late:
        await late.send(late.head("/download?bytes=3000"))
        head = await late.answer_head()
        assert (head.status, head.header("Content-Length")) == (200, "3000")
        assert len(await late.ends()) == 1
    async with await Connection.open(edge) as empty:
        await empty.send(empty.head("/download?bytes=0"))
        assert (await empty.answer_head()).status == 200
        assert await empty.ends() == b""
    edge.api.clear_faults()
    assert call(edge, "/download?bytes=3000").status == 200


@pytest.mark.parametrize("query", ["bytes=3000", "bytes=3000&chunked=1"])
def test_a_slow_body_comes_whole(start_edge: StartEdge, query: str) -> None:
    """Issue D, faults: slow body; nothing of it is lost."""
    edge = start_edge(one_worker(STREAMS, {"v1": 100}))
    edge.api.add_fault({"kind": "slow_body", "bytes_per_second": 10_000})
    with listening(edge, kinds="request") as listener:
        answer = call(edge, f"/download?{query}")

        assert (answer.status, len(answer.body)) == (200, SOME_BYTES)
        assert told(listener)["duration_ms"] > 200
        edge.stop()


@pytest.mark.parametrize("promised", [b"Content-Length: 100\r\n", b"Transfer-Encoding: chunked\r\n"])
async def test_a_slow_body_that_the_version_cuts_is_cut(start_edge: StartEdge, promised: bytes) -> None:
    """Design 3.5: what came goes out, and then nobody waits for the rest."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n" + promised + b"\r\n")
        writer.write(b"5\r\nhello\r\n" if b"chunked" in promised else b"hello")
        await writer.drain()

    async with scripted_origin(cut) as origin:
        edge = start_edge(origin.config())
        edge.api.add_fault({"kind": "slow_body", "bytes_per_second": 100})
        async with await Connection.open(edge) as client:
            await client.send(client.head("/"))
            assert (await client.answer_head()).status == 200
            assert b"hello" in await client.ends()


async def test_who_leaves_a_slow_body_costs_nothing_more(start_edge: StartEdge) -> None:
    """Rule 9: a running gateway goes on."""
    edge = start_edge(one_worker(STREAMS, {"v1": 100}))
    edge.api.add_fault({"kind": "slow_body", "bytes_per_second": 100, "times": 1})
    async with await Connection.open(edge) as client:
        await client.send(client.head("/download?bytes=100000"))
        await client.answer_head()
        client.reset()

    answer: Answer = wait_for(lambda: call(edge, "/download?bytes=100000"), "an answer")
    assert len(answer.body) == 100_000
    wait_for(lambda: edge.api.metrics("shop")["versions"][0]["in_flight"] == 0, "the end of both requests")


def test_a_version_that_hangs_is_given_up(start_edge: StartEdge) -> None:
    """Issue D, faults: hang; the gateway's own 504."""
    edge = start_edge(shop(gateway={"timeouts": {"answer_seconds": 0.2}}))
    edge.api.add_fault({"kind": "hang", "times": 1})

    assert (call(edge).status, call(edge).status) == (504, 200)


def test_a_version_crashes_at_the_moment_of_a_switch(start_edge: StartEdge) -> None:
    """Issue D, faults: crash of the version's process; by the moment of a switch."""
    edge = start_edge(shop())
    edge.api.add_fault({"kind": "crash", "version": "v2", "after_switch_ms": 3_600_000, "times": 1})
    assert call(edge, "/version").text == "v1"
    with listening(edge, kinds="version", version="v2") as listener:
        edge.api.deploy("shop", spec(v2=100))
        call(edge, "/version")

        listener.wait_for("version", state="crashed")
        crashed, again = listener.wait_for("version", 2, state="started")
        assert crashed["pid"] != again["pid"]
        assert wait_for(lambda: call(edge, "/facts").json(), "v2 after its crash")["pid"] == again["pid"]
        edge.stop()


def test_what_did_not_hear_of_a_deployment_follows_the_one_before(start_edge: StartEdge) -> None:
    """R17: a seeded share of requests keeps the previous deployment for a while; its version still runs."""
    edge = start_edge(shop(100, 0), seed=3)
    old = edge.api.deployments("shop")[0]["id"]
    edge.api.add_fault({"kind": "late_propagation", "ms": 3_600_000, "share": 40, "worker": "shop"})
    assert set(tags(edge, 20)) == {"v1"}

    edge.api.deploy("shop", spec(v2=100))
    with Caller(edge) as caller:
        answers = [caller.call("/version") for _ in range(100)]

    assert all(answer.text == answer.decision["tag"] for answer in answers)
    late = [answer for answer in answers if answer.text == "v1"]
    assert 15 < len(late) < 70
    assert {answer.decision["deployment"] for answer in late} == {old}
    edge.api.clear_faults()
    assert set(tags(edge, 20)) == {"v2"}


def test_an_override_is_passed_over(start_edge: StartEdge) -> None:
    """R68, as a fault: told like every signal that does not count (R25)."""
    edge = start_edge(shop())
    v2 = next(one["id"] for one in edge.api.versions("shop") if one["tag"] == "v2")
    wanted = {OVERRIDES: f'shop="{v2}"'}
    assert tags(edge, 1, wanted) == ["v2"]
    edge.api.add_fault({"kind": "ignored_override", "version": "v2"})

    answer = call(edge, "/version", wanted)

    assert (answer.text, answer.decision["reason"]) == ("v1", "percentage")
    assert answer.decision["ignored"] == "override:fault"


def test_an_override_on_a_service_binding_is_passed_over(start_edge: StartEdge) -> None:
    """R68: reported of calls through bindings alone."""
    edge = start_edge(edge_config())
    callee = Probed(edge, "callee", bindings=(VERSION,))
    a, b = callee.deploy(), callee.upload()
    callee.split((a, 100), (b, 0))
    caller = Probed(edge, "caller", bindings=(VERSION, service("SERVICE", "callee")))
    caller.deploy()

    def met() -> str:
        answer = caller.get("/service/forward", headers={OVERRIDES: f'callee="{b}"'})
        return str(answer.json()["result"]["version"])

    assert met() == b
    edge.api.add_fault({"kind": "ignored_override", "bindings_only": True})
    assert met() == a
    assert callee.get("/", headers={OVERRIDES: f'callee="{b}"'}).header("Gateway-Version") == b


async def test_an_object_of_a_command_is_reset_in_mid_websocket(start_edge: StartEdge, tmp_path: Path) -> None:
    """Issue D, faults: the version is told, and the object's WebSocket is closed (R57)."""
    record = tmp_path / "record"
    versions = [version("v1", "objects_version", env={"RECORD": str(record)})]
    objects = {"bindings": [{"class": "Cart", "object": "path:/cart/{name}"}]}
    edge = start_edge(one_worker(versions, {"v1": 100}, durable_objects=objects))
    edge.api.add_fault({"kind": "object_reset", "object": "Cart/foo", "times": 1, "ms": 50})
    async with await Connection.open(edge) as other, await Connection.open(edge) as socket:
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
        await other.send(other.head("/cart/bar", upgrade))
        assert (await other.answer_head()).status == 101
        await socket.send(socket.head("/cart/foo", upgrade))
        assert (await socket.answer_head()).status == 101
        assert await socket.ends() == b"v1"

        await other.send(b"still here")
        async with asyncio.timeout(30):
            assert await other.reader.readexactly(12) == b"v1still here"
    resets = [one for one in map(json.loads, record.read_text("utf-8").splitlines()) if one["event"] == "reset"]
    assert [(one["object"], one["told"]["to_version"]) for one in resets] == [
        ("Cart/foo", resets[0]["told"]["from_version"])
    ]


async def test_a_websocket_is_reset_once_it_is_open(start_edge: StartEdge) -> None:
    """docs/faults.md, reset after the first byte: of a WebSocket that is the answer which opens it."""
    objects = {"bindings": [{"class": "Cart", "object": "path:/cart/{name}"}]}
    edge = start_edge(one_worker([version("v1", "objects_version")], {"v1": 100}, durable_objects=objects))
    edge.api.add_fault({"kind": "reset", "first_byte": "after", "times": 1})
    async with await Connection.open(edge) as socket:
        await socket.send(socket.head("/cart/foo", {"Connection": "Upgrade", "Upgrade": "websocket"}))
        assert (await socket.answer_head()).status == 101
        assert await socket.ends() in (b"", b"v1")


@pytest.mark.parametrize("kind", ["status", "reset"])
def test_a_version_hears_of_an_object_that_it_lost_whatever_becomes_of_the_request(
    start_edge: StartEdge, tmp_path: Path, kind: str
) -> None:
    """R56, design 5: the request that finds the object moved meets a fault; the notice goes out all the same."""
    record = tmp_path / "record"
    versions = [version(tag, "objects_version", env={"RECORD": str(record)}) for tag in ("v1", "v2")]
    objects = {"bindings": [{"class": "Cart", "object": "path:/cart/{name}"}]}
    edge = start_edge(one_worker(versions, {"v1": 100}, durable_objects=objects))
    assert call(edge, "/cart/foo").json()["tag"] == "v1"
    edge.api.deploy("shop", spec(v2=100))
    edge.api.add_fault({"kind": kind, "times": 1})

    with contextlib.suppress(ConnectionError, HTTPException):
        call(edge, "/cart/foo")

    def told() -> list[str]:
        events = [json.loads(line) for line in record.read_text("utf-8").splitlines()]
        return [one["version"] for one in events if one["event"] == "reset"]

    assert wait_for(told, "the notice") == ["v1"]
    assert call(edge, "/cart/foo").json()["tag"] == "v2"


def test_an_object_on_workerd_is_reset_in_mid_call(start_edge: StartEdge) -> None:
    """Issue D, faults: object reset in mid-call (R56): memory gone, storage kept, the version stays."""
    edge = start_edge(edge_config())
    worker = Probed(edge, "probe")
    only = worker.deploy_first()
    worker.counted(["a"])
    before = worker.rpc("a", "look")
    assert (before["memoryCount"], before["storedCount"]) == (1, 1)
    with listening(edge, worker="probe", kinds="reset") as listener:
        edge.api.add_fault({"kind": "object_reset", "object": "Counter/a", "path": "/rpc", "ms": 100, "times": 1})

        failed = worker.get("/rpc?ns=COUNTER&name=a&do=slow&args=[60000]").json()

        assert "reset" in failed["error"]
        after = worker.rpc("a", "look")
        assert (after["version"], after["memoryCount"]) == (only, 0)
        assert after["storedCount"] == before["storedCount"]
        (reset,) = listener.wait_for("reset")
        assert (reset["class"], reset["from_version"], reset["to_version"]) == ("Counter", only, only)
        edge.stop()


def test_faults_of_the_configuration_are_followed(start_edge: StartEdge) -> None:
    """Issue D, faults: by config; followed when the file changes, and every mistake told with its line."""
    edge = start_edge({**shop(), "faults": [{"kind": "status", "status": 418, "path": "/tea"}]})
    assert (call(edge, "/tea").status, call(edge, "/").status) == (418, 200)

    edge.write_config({**shop(), "faults": [{"kind": "status", "status": 418, "version": "v9", "worker": "shop"}]})
    wait_for(lambda: edge.log("config.not_applied"), "the mistake in the log")
    assert "faults[0].version" in edge.log("config.not_applied")[0]["error"]
    assert call(edge, "/tea").status == 418

    edge.write_config(shop())
    wait_for(lambda: call(edge, "/tea").status == 200, "the end of the fault")
    with pytest.raises(ApiError):
        edge.api.clear_faults("status-1")
