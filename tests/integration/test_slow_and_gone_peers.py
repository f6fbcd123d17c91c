"""Peers that are slow, silent, cut off or gone; and the order of messages on one connection."""

from __future__ import annotations

import asyncio
import random
import signal
import socket
from collections.abc import Awaitable, Callable
from os import kill
from pathlib import Path

import pytest

from tests.integration.conftest import StartEdge
from tests.integration.edge_process import EdgeProcess, one_worker, version
from tests.integration.http_client import RESET_ON_CLOSE, Connection
from tests.integration.processes import open_descriptors
from tests.integration.scripted_origin import answer, read_head, scripted_origin
from tests.integration.waiting import PATIENCE_SECONDS, eventually

JSON = {"Accept": "application/json"}
STREAMS = one_worker([version("v1", "streams_version")], {"v1": 100})
ABORTED_REQUESTS = 10_000
CLIENTS = 40
RANDOM_SEED = 20_261_123


# Slow clients.


SLOWLY = [
    (b"GET / HTTP/1.1\r\nHost: shop.localhost\r\nX-Slow: ", b"x"),
    (b"GET /", b"x"),
    (b"POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 100000\r\n\r\n", b"x"),
    (b"POST / HTTP/1.1\r\nHost: shop.localhost\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
]


async def send_slowly(edge: EdgeProcess, first: bytes, then: bytes) -> None:
    """Send a beginning, and then byte after byte, until the gateway has had enough of it."""
    async with await Connection.open(edge) as client:
        await client.send(first)
        reading = asyncio.create_task(client.answer())
        while not reading.done():
            client.writer.write(then)
            await asyncio.sleep(0.1)  # the slowness itself
        cut = await reading

        assert (cut.status, cut.header("Connection")) == (408, "close")
        assert await client.ends() == b""


async def test_a_client_that_sends_byte_after_byte_is_cut_with_408(start_edge: StartEdge) -> None:
    """Issue 2, "a client that sends one byte a second is cut with 408": heads and bodies, with shorter times."""
    async with scripted_origin(say_nothing) as origin:
        edge = start_edge(origin.config(timeouts={"head_seconds": 0.5, "body_idle_seconds": 0.5}))
        await asyncio.gather(*(send_slowly(edge, first, then) for first, then in SLOWLY))
        await eventually(lambda: origin.open == 0, "the version to be left alone")


async def test_a_silent_version_gives_504_and_a_silent_client_is_let_go(start_edge: StartEdge) -> None:
    """Design 3.6 (504: which version, why); settings ``answer_seconds``, ``idle_seconds``."""
    async with scripted_origin(say_nothing) as origin:
        edge = start_edge(origin.config(timeouts={"answer_seconds": 0.5, "idle_seconds": 0.5}))
        async with await Connection.open(edge) as client, await Connection.open(edge) as silent:
            late = await client.call("/", JSON)
            assert (late.status, late.header("Gateway-Error")) == (504, "version-timed-out")
            assert "v1 of Worker shop" in late.json()["why"]
            assert {"name": "tag", "value": "v1"} in late.json()["facts"]
            assert await client.ends() == b""
            assert await silent.ends() == b""
        await eventually(lambda: origin.open == 0, "the version to be left alone")
        assert origin.connections == 1


# Answers that come little by little.


@pytest.mark.parametrize("framing", ["chunked", "until the connection ends"])
async def test_each_event_arrives_before_the_next_one_is_sent(
    scripted_edge: EdgeProcess, listener: socket.socket, framing: str
) -> None:
    """Issue 2, item 3, "SSE unbuffered": the version sends an event only once the client has the one before."""
    arrived = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        chunked = framing == "chunked"
        lines = [b"HTTP/1.1 200 OK", b"Content-Type: text/event-stream"]
        lines += [b"Transfer-Encoding: chunked"] if chunked else [b"Connection: close"]
        writer.write(b"\r\n".join([*lines, b"", b""]))
        for number in range(20):
            event = b"data: %d\n\n" % number
            writer.write(b"%x\r\n%b\r\n" % (len(event), event) if chunked else event)
            await arrived.wait()
            arrived.clear()
        if chunked:
            writer.write(b"0\r\n\r\n")

    async with (
        scripted_origin(script, listener=listener),
        await Connection.open(scripted_edge) as client,
        asyncio.timeout(PATIENCE_SECONDS),
    ):
        await client.send(client.head("/events"))
        head = await client.answer_head()
        assert head.header("Content-Type") == "text/event-stream"
        for number in range(20):
            assert await client.chunk() == b"data: %d\n\n" % number
            arrived.set()
        assert await client.chunk() == b""


# Versions that are cut off.


@pytest.mark.parametrize("query", ["", "&chunked=1"])
async def test_a_version_killed_in_mid_body_is_seen_as_a_cut(start_edge: StartEdge, query: str) -> None:
    """Issue 2, "a cut body never looks complete": kill -9 of a version in the midst of its answer."""
    edge = start_edge(STREAMS)
    async with await Connection.open(edge) as client:
        pid = (await client.call("/pid")).json()["pid"]
        await client.send(client.head(f"/cut?bytes=1000000&sent=500000{query}"))
        head = await client.answer_head()
        begun = await client.reader.readexactly(400_000)

        kill(pid, signal.SIGKILL)

        rest = await client.ends()
        assert head.status == 200
        assert len(begun + rest) < 600_000
        assert not rest.endswith(b"0\r\n\r\n")
    edge.wait_for_log("version.crashed")


@pytest.mark.parametrize("client_version", ["1.0", "1.1"])
@pytest.mark.parametrize("framing", [b"Content-Length: 1000", b"Transfer-Encoding: chunked", b"Connection: close"])
async def test_an_answer_that_a_reset_cuts_never_looks_complete(
    scripted_edge: EdgeProcess, listener: socket.socket, framing: bytes, client_version: str
) -> None:
    """RFC 9112 section 8: to HTTP/1.0, where only the end of the connection tells, the cut is told by a reset."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        part = b"64\r\n" + b"x" * 100 + b"\r\n" if b"chunked" in framing else b"x" * 100
        writer.write(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + part)
        await seen.wait()
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        writer.transport.abort()

    seen = asyncio.Event()
    async with scripted_origin(script, listener=listener), await Connection.open(scripted_edge) as client:
        await client.send(f"GET / HTTP/{client_version}\r\nHost: shop.localhost\r\n\r\n".encode())
        head = await client.answer_head()
        received = await client.reader.readuntil(b"x" * 100)
        seen.set()

        try:
            rest = b""
            while piece := await client.reader.read(1000):
                rest += piece
            reset = False
        except ConnectionResetError:
            reset = True
        if head.header("Content-Length") is not None:
            assert len(received) < 1000
        elif head.header("Transfer-Encoding") == "chunked":
            assert not (received + rest).endswith(b"0\r\n\r\n")
        else:
            assert reset


# Clients that are gone.


async def say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Take the request, and never answer."""
    await reader.read()


async def send_for_ever(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer without an end."""
    await read_head(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
        await writer.drain()


async def send_now_and_then(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begin an answer, and leave it at that."""
    await read_head(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
    await reader.read()


@pytest.mark.parametrize("leave", ["reset", "close"])
@pytest.mark.parametrize(
    "script", [say_nothing, send_for_ever, send_now_and_then], ids=lambda script: script.__name__
)
@pytest.mark.parametrize("head", ["GET", "POST"])
async def test_a_version_is_not_kept_busy_for_a_client_that_has_gone(
    scripted_edge: EdgeProcess,
    listener: socket.socket,
    head: str,
    script: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    leave: str,
) -> None:
    """Reliability §1: a naive proxy "kept the origin busy after the client had gone"; also in mid-upload."""
    async with scripted_origin(script, listener=listener) as origin:
        client = await Connection.open(scripted_edge)
        fields = {"Content-Length": "1000"} if head == "POST" else {}
        await client.send(client.head("/", fields, head) + b"x" * (10 if fields else 0))
        await eventually(lambda: origin.open == 1, "the request to arrive")
        if script is not say_nothing:
            await client.answer_head()

        client.reset() if leave == "reset" else client.writer.close()

        await eventually(lambda: origin.open == 0, "the version's connection to end")
        await client.close()
        assert origin.connections == 1


@pytest.mark.parametrize("leave", ["reset", "close"])
@pytest.mark.parametrize("script", [say_nothing, send_now_and_then], ids=lambda script: script.__name__)
async def test_a_client_that_has_gone_is_noticed_behind_requests_that_wait(
    scripted_edge: EdgeProcess,
    listener: socket.socket,
    script: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    leave: str,
) -> None:
    """Reliability §1, as above: a client that sent two more requests before it left is gone as well."""
    async with scripted_origin(script, listener=listener) as origin:
        client = await Connection.open(scripted_edge)
        await client.send(client.head("/") * 3)
        await eventually(lambda: origin.open == 1, "the request to arrive")
        if script is not say_nothing:
            await client.answer_head()

        client.reset() if leave == "reset" else client.writer.close()

        await eventually(lambda: origin.open == 0, "the version's connection to end", 10)
        await client.close()


async def test_a_client_that_leaves_with_its_request_makes_no_noise(
    scripted_edge: EdgeProcess, listener: socket.socket
) -> None:
    """A request and the reset behind it arrive together, while a pooled connection dies: nothing fails for it."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(answer(b"once"))
        await read_head(reader)  # a second request is never answered: the connection ends

    async def ask(_: int) -> None:
        async with await Connection.open(scripted_edge) as client:
            assert (await client.call("/")).body == b"once"

    async def leave(_: int) -> None:
        client = await Connection.open(scripted_edge)
        client.writer.write(client.head("/"))
        client.reset()
        await client.close()

    async with scripted_origin(script, listener=listener):
        for _ in range(8):
            await asyncio.gather(*map(ask, range(20)))
            await asyncio.gather(*map(leave, range(40)))
        await ask(0)
    assert scripted_edge.log("task.failed") == []


async def abort_one(edge: EdgeProcess, kind: int) -> None:
    """Begin a request in one of several ways, and leave in the midst of it."""
    client = await Connection.open(edge)
    get, post = client.head("/hang"), client.head("/hang", {"Content-Length": "5000"}, "POST")
    beginning = (
        get[:-5],
        get,
        client.head("/"),
        post + b"x" * 100,
        client.head("/upload", {"Transfer-Encoding": "chunked"}, "POST") + b"5\r\nab",
        client.head("/download?bytes=10000000"),
        client.head("/cut?bytes=1000&sent=500"),
        client.head("/", {"Connection": "Upgrade", "Upgrade": "websocket"}),
    )[kind % 8]
    client.writer.write(beginning)
    if kind % 8 in {5, 6}:
        await client.reader.read(100)
    if kind % 3:
        client.reset()
    await client.close()


async def test_ten_thousand_aborted_requests_leak_nothing(start_edge: StartEdge) -> None:
    """Reliability §4, "no descriptor leak after 10,000 aborted requests": nor a connection of the version."""
    times = {"half_closed_seconds": 0.2, "pool_idle_seconds": 0.5, "idle_seconds": 2}
    edge = start_edge({**STREAMS, "gateway": {"timeouts": times}})
    chance = random.Random(RANDOM_SEED)  # noqa: S311 - kinds of requests, no secrets
    kinds = iter([chance.randrange(24) for _ in range(ABORTED_REQUESTS)])
    async with await Connection.open(edge) as client:
        version_pid = (await client.call("/pid")).json()["pid"]
    before = [open_descriptors(pid) for pid in (edge.pid, version_pid)]

    async def abort_many() -> None:
        for kind in kinds:
            await abort_one(edge, kind)

    await asyncio.gather(*(abort_many() for _ in range(CLIENTS)))

    def let_go() -> bool:
        now = [open_descriptors(pid) for pid in (edge.pid, version_pid)]
        return all(later <= earlier + 2 for later, earlier in zip(now, before, strict=True))

    await eventually(let_go, "all descriptors to be closed")
    async with await Connection.open(edge) as client:
        assert (await client.call("/")).body == b"ok"


# The order of messages.


async def test_pipelined_requests_are_answered_in_order(
    scripted_edge: EdgeProcess, listener: socket.socket
) -> None:
    """Issue 2, item 3: with bodies of many lengths, requests that are refused by route, and a slow first one."""
    slow = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await read_head(reader)
            length = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0] or 0)
            body = await reader.readexactly(length)
            if b"/0 " in head:
                await slow.wait()
            writer.write(answer(head.split(b" ")[1] + b" " + body))

    async with (
        scripted_origin(script, listener=listener) as origin,
        await Connection.open(scripted_edge) as client,
    ):
        count = 400
        for number in range(count):
            body = b"x" * (number * 37 % 3000) if number % 3 == 0 else b""
            fields = {"Content-Length": str(len(body))} if body else {}
            target = "/cdn-cgi/gateway/none" if number % 21 == 10 else f"/{number}"
            client.writer.write(client.head(target, fields, "POST" if body else "GET") + body)
        sending = asyncio.create_task(client.writer.drain())
        await eventually(lambda: origin.open == 1, "the first request to arrive")
        slow.set()
        for number in range(count):
            received = await client.answer()
            if number % 21 == 10:
                assert received.status == 404
            else:
                length = number * 37 % 3000 if number % 3 == 0 else 0
                assert received.body == f"/{number} ".encode() + b"x" * length
        await sending


async def test_a_client_that_expects_100_gets_it_from_the_version(
    scripted_edge: EdgeProcess, listener: socket.socket
) -> None:
    """RFC 9110 section 10.1.1, both ways: the version is asked, and its 100 comes before the body is sent."""
    heads = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await read_head(reader))
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        writer.write(answer(await reader.readexactly(5)))
        await reader.read()

    async with scripted_origin(script, listener=listener), await Connection.open(scripted_edge) as client:
        await client.send(client.head("/", {"Content-Length": "5", "Expect": "100-continue"}, "POST"))
        assert (await client.answer_head()).status == 100
        await client.send(b"12345")
        assert (await client.answer()).body == b"12345"
    assert b"expect: 100-continue" in heads[0].lower()


async def test_a_client_that_expects_100_may_get_a_refusal_instead(
    scripted_edge: EdgeProcess, listener: socket.socket
) -> None:
    """RFC 9110 section 10.1.1: a final answer without a body sent, and no later request is misread."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(answer(b"too large", "413 Content Too Large"))
        await reader.read()

    async with scripted_origin(script, listener=listener), await Connection.open(scripted_edge) as client:
        await client.send(client.head("/", {"Content-Length": "5", "Expect": "100-continue"}, "POST"))
        refused = await client.answer()
        assert (refused.status, refused.body) == (413, b"too large")
        assert refused.header("Connection") == "close"
        assert await client.ends() == b""


# Unix sockets.


async def test_a_version_at_a_unix_socket_is_reached_and_its_connection_reused(
    start_edge: StartEdge, tmp_path: Path
) -> None:
    """Issue 2, item 3, "pooled upstreams over TCP and unix sockets"; without the socket, 502 that names it."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await read_head(reader)
            length = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0] or 0)
            writer.write(answer(await reader.readexactly(length) or b"empty"))

    path = tmp_path / "app.sock"
    async with scripted_origin(script, path) as origin:
        edge = start_edge(origin.config())
        async with await Connection.open(edge) as client:
            for number in range(5):
                body = str(number).encode()
                assert (await client.call("/", method="POST", body=body)).body == body
                assert (await client.call("/")).body == b"empty"
        assert origin.connections == 1
    path.unlink(missing_ok=True)
    async with await Connection.open(edge) as client:
        gone = await client.call("/", JSON)
    assert gone.status == 502
    assert str(path) in gone.json()["why"]
