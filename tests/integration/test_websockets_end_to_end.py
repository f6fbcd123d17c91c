"""WebSockets through the gateway: many, large, fragmented, refused, closed by either side."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tests.integration.edge_process import EdgeProcess, one_worker, running_edge, spec, version
from tests.integration.http_client import OVERRIDES, Connection, call
from tests.integration.processes import open_descriptors
from tests.integration.scripted_origin import read_head, scripted_origin
from tests.integration.waiting import PATIENCE_SECONDS, eventually, wait_for

SOCKETS = 1000
UPGRADE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    """A gateway whose version speaks WebSocket."""
    versions = [version(tag, "sockets_version", ready="/version") for tag in ("v1", "v2")]
    config = one_worker(versions, {"v1": 100, "v2": 0})
    with running_edge(tmp_path_factory.mktemp("edge"), config) as edge:
        assert call(edge, "/version").text == "v1"
        yield edge


def opened(edge: EdgeProcess, target: str, *, deflate: bool = False, **more: object) -> connect:
    """Return the opening of a WebSocket to the shop."""
    return connect(
        f"ws://shop.localhost:{edge.port}{target}",
        host=edge.host,
        port=edge.port,
        compression="deflate" if deflate else None,
        proxy=None,
        open_timeout=PATIENCE_SECONDS,
        close_timeout=PATIENCE_SECONDS,
        ping_interval=None,
        max_size=2**24,
        **more,  # type: ignore[arg-type]
    )


async def how_closed(edge: EdgeProcess, name: str) -> object:
    """Return code and reason with which the version saw a socket close, once it did."""

    def ask() -> object:
        return json.loads(call(edge, f"/closed?name={name}").body)

    return await asyncio.to_thread(wait_for, ask, f"the close of {name}")


async def test_a_thousand_concurrent_websockets_echo(edge: EdgeProcess) -> None:
    """Issue 2, "1,000 concurrent WebSockets echo"; afterwards none of them holds a descriptor."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * SOCKETS)), hard))
    before = open_descriptors(edge.pid)
    opening = asyncio.Semaphore(50)

    async def open_one(number: int) -> ClientConnection:
        async with opening:
            return await opened(edge, f"/echo?name=many-{number}")

    sockets = await asyncio.gather(*map(open_one, range(SOCKETS)))
    assert open_descriptors(edge.pid) >= before + 2 * SOCKETS - 10

    async def talk(number: int, socket: ClientConnection) -> None:
        for message in (f"text {number}", bytes([number % 256]) * number, "ü" * 100):
            await socket.send(message)
            assert await socket.recv() == message

    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*(talk(number, socket) for number, socket in enumerate(sockets)))
        await asyncio.gather(*(socket.close() for socket in sockets))
    assert {socket.close_code for socket in sockets} == {1000}
    await eventually(lambda: open_descriptors(edge.pid) <= before + 4, "the descriptors to be closed")


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1008, 1009, 1011, 1012, 1013, 3000, 4000, 4999])
async def test_close_codes_and_reasons_pass_both_ways(edge: EdgeProcess, code: int) -> None:
    """RFC 6455 section 7.4; reliability §1: a naive proxy lost close codes."""
    reason = f"because {code} ü"
    async with opened(edge, f"/close?code={code}&reason=because%20{code}%20%C3%BC") as socket:
        await socket.wait_closed()
        assert (socket.close_code, socket.close_reason) == (code, reason)

    name = f"closed-{code}"
    async with opened(edge, f"/echo?name={name}") as socket:
        await socket.send("x")
        assert await socket.recv() == "x"
        await socket.close(code, reason)

    told = await how_closed(edge, name)
    assert told == [code, reason]


async def test_a_connection_lost_without_a_close_frame_is_seen_as_lost(edge: EdgeProcess) -> None:
    """RFC 6455 section 7.1.5: 1006, and never a clean close that nobody sent."""
    async with opened(edge, "/drop") as socket:
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    assert socket.close_code == 1006

    async with opened(edge, "/echo?name=lost") as socket:
        await socket.send("x")
        assert await socket.recv() == "x"
        socket.transport.abort()
    told = await how_closed(edge, "lost")
    assert told == [1006, ""]


async def test_subprotocol_and_extensions_are_negotiated_end_to_end(edge: EdgeProcess) -> None:
    """RFC 6455 section 1.9: the version picks; the gateway adds and loses nothing."""
    offered = [Subprotocol("other"), Subprotocol("chat.v1")]
    async with opened(edge, "/echo", subprotocols=offered, deflate=True) as socket:
        assert socket.subprotocol == "chat.v1"
        assert [extension.name for extension in socket.protocol.extensions] == ["permessage-deflate"]
        await socket.send("x" * 100_000)
        assert await socket.recv() == "x" * 100_000
        assert socket.response is not None
        assert socket.response.headers["Gateway-Version"] == edge.version_state("v1")["id"]
    async with opened(edge, "/echo") as socket:
        assert socket.subprotocol is None
        assert not socket.protocol.extensions


async def test_large_messages_and_pings_pass(edge: EdgeProcess) -> None:
    """Design 3.5: a message of many megabytes, both ways, with pings in between."""
    async with opened(edge, "/echo") as socket:
        message = bytes(range(256)) * 2**14
        sending = asyncio.create_task(socket.send([message[:1000], message[1000:50_000], message[50_000:]]))
        assert await asyncio.wait_for(socket.recv(), PATIENCE_SECONDS) == message
        await sending
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await (await socket.ping(b"are you there")) >= 0


async def test_frames_pass_byte_for_byte_with_what_came_behind_the_heads(
    scripted_edge: EdgeProcess, listener: socket.socket
) -> None:
    """RFC 6455 section 5.4: fragments, masks and reserved bits as they are; also those sent with a handshake."""
    at_once, frames = b"\x81\x02hi", b"\x01\x83abcd123\x89\x80wxyz\x00\x82abcd12\x80\x81abcd!\xf3\x00garbage"
    received = bytearray()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await read_head(reader)
        assert b"Upgrade: websocket" in head
        writer.write(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + at_once)
        while piece := await reader.read(7):
            received.extend(piece)
            writer.write(piece)
        writer.write(b"last words")

    async with scripted_origin(script, listener=listener), await Connection.open(scripted_edge) as client:
        await client.send(client.head("/ws", UPGRADE) + frames[:9])
        assert (await client.answer_head()).status == 101
        for byte in frames[9:]:
            await client.send(bytes([byte]))
        client.writer.write_eof()

        assert await client.ends() == at_once + frames + b"last words"
    assert bytes(received) == frames


async def test_a_refused_handshake_comes_back_as_it_is_and_the_connection_goes_on(
    scripted_edge: EdgeProcess, listener: socket.socket
) -> None:
    """Reliability §1: refusals were lost by a naive proxy; RFC 9110 section 7.8: the connection stays HTTP."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while b"/ws" in await read_head(reader):
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\nX-Why: rules\r\n\r\nnot you")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with scripted_origin(script, listener=listener), await Connection.open(scripted_edge) as client:
        for _ in range(3):
            refused = await client.call("/ws", UPGRADE)
            assert (refused.status, refused.body, refused.header("X-Why")) == (403, b"not you", "rules")
        assert (await client.call("/")).body == b"ok"


async def test_a_websocket_client_sees_a_refusal(edge: EdgeProcess) -> None:
    """RFC 6455 section 4.1: status, fields and body of the answer that is no 101."""
    with pytest.raises(InvalidStatus) as refused:
        async with opened(edge, "/refuse"):
            pass
    response = refused.value.response
    assert (response.status_code, response.body) == (403, b"not you")
    assert response.headers["X-Why"] == "rules"


async def test_a_websocket_stays_on_its_version_when_a_deployment_moves_the_rest(edge: EdgeProcess) -> None:
    """Our choice where nothing is written: "routed once, at the upgrade; a later deployment does not move it"."""
    override = {OVERRIDES: f'shop="{edge.version_state("v2")["id"]}"'}
    async with opened(edge, "/echo") as first, opened(edge, "/echo", additional_headers=override) as second:
        for socket, tag in ((first, "v1"), (second, "v2")):
            assert socket.response is not None
            assert f'tag="{tag}"' in socket.response.headers["Gateway-Decision"]
        try:
            await asyncio.to_thread(edge.api.deploy, "shop", spec(v2=100))
            assert (await asyncio.to_thread(call, edge, "/version")).text == "v2"
            for socket in (first, second):
                await socket.send("still there")
                assert await socket.recv() == "still there"
        finally:
            await asyncio.to_thread(edge.api.deploy, "shop", spec(v1=100, v2=0))
