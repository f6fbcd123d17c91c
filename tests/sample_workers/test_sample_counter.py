"""The counter: an object's memory and storage, its reset, its WebSockets, and the Worker that calls it."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, WSMsgType, web
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request
from pytest_aiohttp.plugin import AiohttpClient, AiohttpServer
from yarl import URL

from sample_workers.counter.app import build_app, storage_path
from sample_workers.counter.durable_object import CLASS_NAME
from sample_workers.runtime import CodeVersion, Settings, VersionMetadata

Client = TestClient[Request, Application]
StartCounter = Callable[..., Awaitable[Client]]

IDS = {"v1": "11111111-1111-4111-8111-111111111111", "v2": "22222222-2222-4222-8222-222222222222"}
FOO = {"Gateway-Object": "Counter/foo"}
RESET_TO_V2 = {
    "class": CLASS_NAME,
    "name": "foo",
    "id": "0" * 64,
    "from_version": IDS["v1"],
    "to_version": IDS["v2"],
    "deployment": "d-2",
}


@pytest.fixture
def start(aiohttp_client: AiohttpClient, tmp_path: Path) -> StartCounter:
    """Return a function that starts one version; all of them share one storage."""

    async def start(version: CodeVersion, gateway_url: str | None = None) -> Client:
        metadata = VersionMetadata(IDS[version], version, "2026-11-23T10:00:00Z")
        settings = Settings("counter", version, port=9201, metadata=metadata, gateway_url=gateway_url)
        return await aiohttp_client(build_app(settings, tmp_path / "storage" / "counter.sqlite"))

    return start


async def read(client: Client, name: str = "foo") -> dict[str, Any]:
    """Return an object's answer to GET."""
    response = await client.get("/", headers={"Gateway-Object": f"Counter/{name}"})
    assert response.status == 200
    answer: dict[str, Any] = await response.json()
    return answer


async def increment(client: Client, name: str = "foo") -> dict[str, Any]:
    """Return an object's answer to POST /increment."""
    response = await client.post("/increment", headers={"Gateway-Object": f"Counter/{name}"})
    assert response.status == 200
    answer: dict[str, Any] = await response.json()
    return answer


def execute(storage: Path, statement: str) -> None:
    """Do something to the storage behind the Worker's back."""
    with contextlib.closing(sqlite3.connect(storage)) as connection, connection:
        connection.execute(statement)


async def test_unused_object_answers_zeros_and_who_it_is(start: StartCounter) -> None:
    """An object begins at its first request: nothing in memory, nothing stored, never reset."""
    answer = await read(await start("v1"))

    assert answer.pop("started_at").endswith("Z")
    assert len(answer.pop("instance")) == 32
    assert answer == {
        "object": "foo",
        "version": "v1",
        "version_id": IDS["v1"],
        "memory_count": 0,
        "stored_count": 0,
        "resets_seen": 0,
        "last_reset": None,
    }


@pytest.mark.parametrize("path", ["/increment", "/", "/cart/foo/increment", "/version", "/worker/foo"])
async def test_any_post_increments_both_counts_whatever_path_the_gateway_gives(
    start: StartCounter, path: str
) -> None:
    """With the header, the request belongs to the object; the Worker's own routes have no say in it."""
    client = await start("v1")

    for count in (1, 2):
        answer = await (await client.post(path, headers=FOO, data=b"ignored")).json()
        assert (answer["memory_count"], answer["stored_count"]) == (count, count)


async def test_reading_changes_nothing_and_objects_do_not_mix(start: StartCounter) -> None:
    """Each name is its own object with its own counts and its own instance."""
    client = await start("v1")
    await increment(client, "foo")

    first, second, other = await read(client, "foo"), await read(client, "foo"), await read(client, "bar")

    assert first == second
    assert (first["stored_count"], other["stored_count"]) == (1, 0)
    assert first["instance"] != other["instance"]


@pytest.mark.parametrize(
    ("encoded", "name"),
    [("a%20b", "a b"), ("a%2Fb", "a/b"), ("%C3%A9", "é"), ("100%25", "100%"), ("a/b", "a/b"), ("%00", "\0")],
)
async def test_name_is_percent_decoded(start: StartCounter, encoded: str, name: str) -> None:
    """The header carries any name; the answer shows the name itself."""
    client = await start("v1")
    await increment(client, encoded)

    answer = await read(client, encoded)

    assert (answer["object"], answer["stored_count"]) == (name, 1)


@pytest.mark.parametrize(
    "header", ["", "Counter", "Counter/", "Cart/foo", "counter/foo", "Counter/%FF", "Counter/" + "x" * 1025]
)
async def test_header_that_names_no_counter_is_refused(start: StartCounter, header: str) -> None:
    """Bad input gets a clear error, not an object."""
    response = await (await start("v1")).post("/increment", headers={"Gateway-Object": header})

    assert response.status == 400
    assert set(await response.json()) == {"error"}


async def test_other_methods_are_refused_with_those_allowed(start: StartCounter) -> None:
    """RFC 9110 section 15.5.6: 405 lists what the object takes."""
    response = await (await start("v1")).delete("/", headers=FOO)

    assert (response.status, response.headers["Allow"]) == (405, "GET,HEAD,POST")


async def test_concurrent_increments_are_each_counted_once(start: StartCounter) -> None:
    """Every answer shows counts of its own, and memory and storage agree in each."""
    client = await start("v1")

    answers = await asyncio.gather(*(increment(client) for _ in range(50)))

    assert sorted(answer["stored_count"] for answer in answers) == list(range(1, 51))
    assert all(answer["memory_count"] == answer["stored_count"] for answer in answers)


async def test_v2_adds_a_field_and_takes_none_away(start: StartCounter) -> None:
    """R51: forward and backward compatible: the fields of v1 all stand in v2's answer."""
    one, two = await start("v1"), await start("v2")
    await increment(one)

    old, new = await read(one), await read(two)

    assert set(new) - set(old) == {"doubled"}
    assert set(old) <= set(new)
    assert new["doubled"] == 2 * new["stored_count"] == 2


async def test_reset_drops_memory_keeps_storage_and_is_remembered(start: StartCounter) -> None:
    """R56: only memory is lost. The next version finds the counts and when and why the object was reset."""
    one, two = await start("v1"), await start("v2")
    await increment(one)
    before = await increment(one)

    response = await one.post("/cdn-cgi/gateway/reset", json=RESET_TO_V2)
    assert (response.status, await response.read()) == (204, b"")

    after = await increment(two)
    assert (after["memory_count"], after["stored_count"]) == (1, 3)
    assert after["resets_seen"] == 1
    last = after["last_reset"]
    assert last.pop("at") >= before["started_at"]
    assert last == {name: RESET_TO_V2[name] for name in ("id", "from_version", "to_version", "deployment")}


async def test_object_that_comes_back_begins_anew(start: StartCounter) -> None:
    """A rollback gives the object back to a version that had it before: with a new instance and empty memory."""
    client = await start("v1")
    before = await increment(client)
    await client.post("/cdn-cgi/gateway/reset", json=RESET_TO_V2)

    after = await read(client)

    assert (after["memory_count"], after["stored_count"], after["resets_seen"]) == (0, 1, 1)
    assert after["instance"] != before["instance"]


async def test_reset_leaves_other_objects_alone(start: StartCounter) -> None:
    """R46c: an object is reset only when its own assigned version changes."""
    client = await start("v1")
    before = await increment(client, "bar")

    await client.post("/cdn-cgi/gateway/reset", json=RESET_TO_V2)

    assert await read(client, "bar") == before


async def test_reset_of_an_object_that_never_ran_here_is_remembered_too(start: StartCounter) -> None:
    """The gateway need not know whether the old version ever met the object."""
    client = await start("v1")

    assert (await client.post("/cdn-cgi/gateway/reset", json=RESET_TO_V2)).status == 204

    assert (await read(client))["resets_seen"] == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 100_000,
        b"\xff",
        b"{}",
        b'{"class": "Cart", "name": "foo"}',
        b'{"class": "Counter"}',
        b'{"class": "Counter", "name": null}',
        b'{"class": "Counter", "name": ""}',
        b'{"class": "Counter", "name": "\\ud800"}',
    ],
    ids=range(11),
)
async def test_reset_that_names_no_object_is_refused(start: StartCounter, body: bytes) -> None:
    """Bad input gets a clear error, and no object loses anything."""
    client = await start("v1")
    before = await increment(client)

    response = await client.post("/cdn-cgi/gateway/reset", data=body, headers={"Content-Type": "application/json"})

    assert response.status == 400
    assert set(await response.json()) == {"error"}
    assert await read(client) == before


async def test_websocket_gets_the_counts_at_once_and_at_each_change(start: StartCounter) -> None:
    """Two listeners of one object hear of every increment, in order; those of another object hear nothing."""
    client = await start("v2")
    bar = {"Gateway-Object": "Counter/bar"}
    async with (
        client.ws_connect("/ws", headers=FOO) as first,
        client.ws_connect("/cart/foo/ws", headers=FOO) as second,
        client.ws_connect("/ws", headers=bar) as other,
    ):
        for socket in (first, second, other):
            assert (await socket.receive_json())["stored_count"] == 0
        for count in (1, 2, 3):
            answer = await increment(client)
            assert answer["stored_count"] == count
            assert await first.receive_json() == answer
            assert await second.receive_json() == answer
        await increment(client, "bar")
        assert (await other.receive_json())["object"] == "bar"


async def test_listener_that_left_is_forgotten(start: StartCounter) -> None:
    """A closed WebSocket does not disturb the object."""
    client = await start("v1")
    async with client.ws_connect("/ws", headers=FOO) as socket:
        await socket.receive()

    assert (await increment(client))["stored_count"] == 1


async def test_reset_closes_the_objects_websockets_with_1012_and_the_documented_reason(
    start: StartCounter,
) -> None:
    """R57: `Durable Object connection closed because the object was reset.`, before the gateway gets its 204."""
    client = await start("v1")
    async with (
        client.ws_connect("/ws", headers=FOO) as socket,
        client.ws_connect("/ws", headers={"Gateway-Object": "Counter/bar"}) as other,
    ):
        await socket.receive()
        await other.receive()

        reset = asyncio.create_task(client.post("/cdn-cgi/gateway/reset", json=RESET_TO_V2))
        closed = await socket.receive()

        assert closed.type is WSMsgType.CLOSE
        assert (closed.data, closed.extra) == (
            1012,
            "Durable Object connection closed because the object was reset.",
        )
        assert (await reset).status == 204
        await increment(client, "bar")
        assert (await other.receive_json())["stored_count"] == 1


async def test_reset_does_not_wait_for_a_listener_that_never_answers(start: StartCounter) -> None:
    """A client that does not close its side is cut off after the close frame, and the gateway gets its 204."""
    client = await start("v1")
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(
        b"GET /ws HTTP/1.1\r\nHost: x\r\nGateway-Object: Counter/foo\r\nConnection: Upgrade\r\n"
        b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")

    async with asyncio.timeout(30):
        response = await client.post("/cdn-cgi/gateway/reset", json=RESET_TO_V2)
        received = await reader.read()

    assert response.status == 204
    assert received.endswith(b"Durable Object connection closed because the object was reset.")
    writer.close()
    await writer.wait_closed()


async def test_ordinary_request_to_ws_is_told_to_upgrade(start: StartCounter) -> None:
    """RFC 9110 section 15.5.22."""
    assert (await (await start("v1")).get("/ws", headers=FOO)).status == 426


async def test_storage_that_fails_is_a_503_with_its_cause(start: StartCounter, tmp_path: Path) -> None:
    """A broken disk is told to the caller, and memory does not count what was not stored."""
    client = await start("v1")
    before = await increment(client)
    storage = tmp_path / "storage" / "counter.sqlite"
    execute(storage, "ALTER TABLE counters RENAME TO lost")

    response = await client.post("/", headers=FOO)

    assert response.status == 503
    assert "no such table" in (await response.json())["error"]
    execute(storage, "ALTER TABLE lost RENAME TO counters")
    assert await read(client) == before


@pytest.mark.parametrize("path", ["/", "/version", "/healthz", "/style.css"])
async def test_request_without_an_object_meets_the_worker(start: StartCounter, path: str) -> None:
    """The Worker has pages of its own; `/` explains itself in the version that serves it."""
    response = await (await start("v2", "http://gateway.test:1")).get(path)

    assert response.status == 200
    if path == "/":
        text = await response.text()
        assert 'id="html-version">v2<' in text
        assert "curl http://gateway.test:1/cdn-cgi/gateway/do/counter/Counter/user-123/" in text


async def fake_gateway(aiohttp_server: AiohttpServer, object_version: Client, calls: list[str]) -> str:
    """Return the URL of a gateway that gives every object to one version, and writes down what it was asked."""

    async def forward(request: Request) -> web.Response:
        calls.append(f"{request.method} {request.raw_path}")
        name, _, path = request.raw_path.removeprefix("/cdn-cgi/gateway/do/counter/Counter/").partition("/")
        answer = await object_version.request(
            request.method, f"/{path}", headers={"Gateway-Object": f"Counter/{name}"}
        )
        return web.Response(status=answer.status, body=await answer.read(), content_type=answer.content_type)

    app = Application()
    app.router.add_route("*", "/{path:.*}", forward)
    return str((await aiohttp_server(app)).make_url("")).rstrip("/")


async def test_worker_and_object_answer_each_in_its_own_version(
    start: StartCounter, aiohttp_server: AiohttpServer
) -> None:
    """R50: a v1 Worker calls a v2 object through the gateway; R51: it passes on a field it does not know."""
    calls: list[str] = []
    url = await fake_gateway(aiohttp_server, await start("v2"), calls)
    worker = await start("v1", url)

    counted = await (await worker.post("/worker/user-123")).json()
    answer = await (await worker.get("/worker/user-123")).json()

    assert calls == [
        "POST /cdn-cgi/gateway/do/counter/Counter/user-123/increment",
        "GET /cdn-cgi/gateway/do/counter/Counter/user-123/",
    ]
    assert counted == answer
    assert answer["worker_version"] == "v1"
    assert (answer["object"]["version"], answer["object"]["object"]) == ("v2", "user-123")
    assert (answer["object"]["stored_count"], answer["object"]["doubled"]) == (1, 2)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a%20b", "a b"),
        ("a%2Fb", "a/b"),
        ("%C3%A9", "é"),
        ("50%25", "50%"),
        ("a%3Fb%23c", "a?b#c"),
        ("a+b", "a+b"),
    ],
)
async def test_worker_calls_the_object_it_was_asked_for(
    start: StartCounter, aiohttp_server: AiohttpServer, path: str, name: str
) -> None:
    """A name survives the way from the Worker's path through the gateway's to the object."""
    worker = await start("v1", await fake_gateway(aiohttp_server, await start("v1"), []))
    url = URL(f"{str(worker.make_url('')).rstrip('/')}/worker/{path}", encoded=True)

    async with ClientSession() as session, session.get(url) as response:
        assert (await response.json())["object"]["object"] == name


@pytest.mark.parametrize(
    ("worker", "object_version", "calls", "count"),
    [
        ("v1", "v1", ["POST increment"] * 3, 3),
        ("v1", "v2", ["POST increment"] * 3, 3),
        ("v2", "v2", ["POST add?count=3"], 3),
        ("v2", "v1", ["POST add?count=3"], 0),
    ],
)
async def test_only_a_worker_of_v2_and_an_object_of_v1_do_not_understand_each_other(
    start: StartCounter,
    aiohttp_server: AiohttpServer,
    worker: CodeVersion,
    object_version: CodeVersion,
    calls: list[str],
    count: int,
) -> None:
    """R51, broken on purpose: v2 increments with a call that an object of v1 does not know."""
    made: list[str] = []
    target = await start(object_version)
    caller = await start(worker, await fake_gateway(aiohttp_server, target, made))

    response = await caller.post("/worker/foo?times=3")
    answer = await response.json()

    assert [call.replace("/cdn-cgi/gateway/do/counter/Counter/foo/", "") for call in made] == calls
    assert (await read(target))["stored_count"] == count
    if count:
        assert (response.status, answer["object"]["stored_count"], answer["object"]["memory_count"]) == (200, 3, 3)
    else:
        assert response.status == 502
        assert 'answered 501: {"error": "Counter of v1 does not implement \'add\'"}' in answer["error"]


@pytest.mark.parametrize("times", ["0", "101", "-1", "two", "", "\u0663", "9" * 5000])
async def test_how_often_must_be_a_whole_number(start: StartCounter, times: str) -> None:
    """Bad input gets a clear error before any object is called."""
    response = await (await start("v2")).post("/worker/foo", params={"times": times})

    assert (response.status, await response.text()) == (400, "times must be a whole number from 1 to 100.\n")
    told = await (await start("v2")).post("/add", params={"count": times}, headers=FOO)
    assert (told.status, await told.text()) == (400, "count must be a whole number from 1 to 100.\n")


async def test_worker_passes_its_requests_ray_along(start: StartCounter, aiohttp_server: AiohttpServer) -> None:
    """docs/skew.md: so the gateway knows which request called the object."""
    seen: list[str] = []

    async def answer(request: Request) -> web.Response:
        seen.append(request.headers["CF-Ray"])
        return web.json_response({})

    app = Application()
    app.router.add_get("/{path:.*}", answer)
    worker = await start("v1", str((await aiohttp_server(app)).make_url("")))
    await worker.get("/worker/foo", headers={"CF-Ray": "5d6ce74d37c823f8-LCL"})

    assert seen == ["5d6ce74d37c823f8-LCL"]


async def test_worker_sends_none_of_its_own_requests_headers_along(
    start: StartCounter, aiohttp_server: AiohttpServer
) -> None:
    """R66: affinity key and override travel only as headers of the request a caller makes itself."""
    seen: list[set[str]] = []

    async def answer(request: Request) -> web.Response:
        seen.append({name.lower() for name in request.headers})
        return web.json_response({})

    app = Application()
    app.router.add_get("/{path:.*}", answer)
    worker = await start("v1", str((await aiohttp_server(app)).make_url("")))

    headers = {"Cloudflare-Workers-Version-Key": "k", "Cloudflare-Workers-Version-Overrides": 'counter="x"'}
    await worker.get("/worker/foo", headers=headers)

    assert not seen[0] & {name.lower() for name in headers}


async def test_worker_says_why_it_could_not_call_the_object(
    start: StartCounter, aiohttp_server: AiohttpServer, unused_tcp_port: int
) -> None:
    """502 with the cause: no gateway told, none there, or one that answers something else."""
    errors = []
    nothing_there = f"http://127.0.0.1:{unused_tcp_port}"
    refusing = str((await aiohttp_server(Application())).make_url(""))
    for url in (None, nothing_there, refusing):
        response = await (await start("v1", url)).get("/worker/foo")
        assert response.status == 502
        answer = await response.json()
        assert answer["worker_version"] == "v1"
        errors.append(answer["error"])

    assert errors[0].startswith("GATEWAY_URL is not set")
    assert "could not be called" in errors[1]
    assert "answered 404" in errors[2]


def test_storage_path_comes_from_the_environment() -> None:
    """Set or not; an empty value counts as not set."""
    assert storage_path({"COUNTER_STORAGE": "x.sqlite"}) == Path("x.sqlite")
    assert storage_path({}) == storage_path({"COUNTER_STORAGE": ""}) == Path(".gateway/sample-counter.sqlite")
