"""Tails as ``wrangler tail`` opens and reads them (wrangler-api, section 10), without the rest of the API."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientWebSocketResponse, WSMsgType, WSServerHandshakeError, web
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.typedefs import Handler

from gateway.control.catalog import Catalog
from gateway.control.cloudflare import tails
from gateway.control.cloudflare.tails import TailParts, tail_routes
from gateway.errors import GatewayError
from gateway.observability.event_bus import EventBus
from gateway.observability.tail import TailHub
from gateway.observability.trace_items import trace_item
from tests.model.examples import NOW, SHOP, A, version
from tests.observability.traces_of_workerd import log, raw, request, workerd_version

TAILS = "/client/v4/accounts/local/workers/scripts/shop/tails"
TEXT = {"Content-Type": "text/plain;charset=UTF-8"}


@dataclass
class Edge:
    client: TestClient[web.Request, web.Application]
    hub: TailHub

    async def make(self, body: str = '{"filters": []}') -> dict[str, Any]:
        """Make a tail as wrangler does."""
        response = await self.client.post(TAILS, data=body, headers=TEXT)
        assert response.status == 200, await response.text()
        envelope = await response.json()
        assert (envelope["success"], envelope["errors"], envelope["messages"]) == (True, [], [])
        result: dict[str, Any] = envelope["result"]
        return result

    async def open(self, tail: dict[str, Any]) -> ClientWebSocketResponse:
        return await self.client.ws_connect(f"/tails/{tail['id']}", protocols=("trace-v1",), autoping=False)

    def happens(self, *message: Any) -> None:
        """Let one invocation end."""
        item = trace_item(raw(request(), logs=[log(*message)]), workerd_version(), received_ms=1.0)
        assert item is not None
        self.hub.publish(SHOP, item)

    async def quiet(self) -> None:
        """Wait until nobody listens."""
        async with asyncio.timeout(5):
            while self.hub.listening(SHOP):
                await asyncio.sleep(0.01)


@web.middleware
async def in_words(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except GatewayError as error:
        return web.json_response({"code": error.code, "message": error.message}, status=error.status)


@pytest_asyncio.fixture
async def edge() -> AsyncIterator[Edge]:
    bus = EventBus(later=lambda _seconds, call: call())
    hub = TailHub(bus, draw=lambda: 0.0, clock=lambda: 1.0, later=lambda _seconds, call: call())
    app = web.Application(middlewares=[in_words])
    parts = TailParts(hub, Catalog([version(A)], []), lambda: "http://127.0.0.1:8788", NOW.timestamp)
    app.add_routes(tail_routes(parts))
    async with TestClient(TestServer(app)) as client:
        yield Edge(client, hub)
        hub.close()


async def test_a_tail_has_an_id_an_address_and_an_end(edge: Edge) -> None:
    """Section 10: ``{"id", "url", "expires_at"}``; plain ``ws://``; JSON under text/plain."""
    tail = await edge.make()

    assert tail == {
        "id": tail["id"],
        "url": f"ws://127.0.0.1:8788/tails/{tail['id']}",
        "expires_at": "2026-11-23T18:00:00Z",
    }
    assert len(tail["id"]) == 32


async def test_each_event_is_one_message(edge: Edge) -> None:
    """Section 10: each message to the client is one JSON event; what comes before the socket waits for it."""
    tail = await edge.make()
    edge.happens("early")
    socket = await edge.open(tail)
    edge.happens("late")
    told = [(await socket.receive_json())["logs"][0]["message"] for _ in range(2)]

    assert socket.protocol == "trace-v1"
    assert told == [["early"], ["late"]]
    await socket.close()


async def test_filters_are_the_tails_own(edge: Edge) -> None:
    """Section 10, ``filters``."""
    socket = await edge.open(await edge.make('{"filters": [{"query": "needle"}]}'))
    edge.happens("hay")
    edge.happens("needle")

    assert (await socket.receive_json())["logs"][0]["message"] == ["needle"]
    await socket.close()


async def test_self_is_who_asks(edge: Edge) -> None:
    """``wrangler tail --ip self``."""
    socket = await edge.open(await edge.make('{"filters": [{"client_ip": ["self"]}]}'))
    for address in ("10.0.0.1", "127.0.0.1"):
        item = trace_item(raw(request(cf_connecting_ip=address)), workerd_version(), received_ms=1.0)
        assert item is not None
        edge.hub.publish(SHOP, item)

    shown = await socket.receive_json()
    assert shown["event"]["request"]["headers"] == {"cf-connecting-ip": "127.0.0.1"}
    await socket.close()


async def test_pings_are_echoed(edge: Edge) -> None:
    """Section 10: ping every 10 s with payload ``wrangler tail ping``; the pong must echo it."""
    socket = await edge.open(await edge.make())
    await socket.ping(b"wrangler tail ping")
    answer = await socket.receive()

    assert (answer.type, answer.data) == (WSMsgType.PONG, b"wrangler tail ping")
    await socket.close()


async def test_the_first_message_may_be_unmasked(edge: Edge) -> None:
    """Section 10: wrangler sends ``{"debug": false}`` as an unmasked frame, against RFC 6455."""
    tail = await edge.make()
    reader, writer = await asyncio.open_connection(edge.client.host, edge.client.port)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET /tails/{tail['id']} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: trace-v1\r\n"
        f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    writer.write(b'\x81\x10{"debug": false}')
    await writer.drain()
    edge.happens("after")
    first_byte = await asyncio.wait_for(reader.readexactly(1), 5)

    assert head.startswith(b"HTTP/1.1 101")
    assert first_byte == b"\x81"
    writer.close()
    await writer.wait_closed()


async def test_a_tail_is_gone_when_its_socket_closes(edge: Edge) -> None:
    """Section 10: 4.86 was seen to leave tails, so drop a tail when its socket closes."""
    tail = await edge.make()
    socket = await edge.open(tail)
    assert edge.hub.listening(SHOP)
    await socket.close()
    await edge.quiet()

    with pytest.raises(WSServerHandshakeError):
        await edge.open(tail)


async def test_a_deleted_tail_closes_its_socket_in_order(edge: Edge) -> None:
    """Section 10: close code 1000 ends the command with status 0; the DELETE that follows may find nothing."""
    tail = await edge.make()
    socket = await edge.open(tail)
    deleted = await edge.client.delete(f"{TAILS}/{tail['id']}")
    closing = await socket.receive()
    again = await edge.client.delete(f"{TAILS}/{tail['id']}")

    assert (closing.type, closing.data) == (WSMsgType.CLOSE, 1000)
    assert [(one.status, (await one.json())["result"]) for one in (deleted, again)] == [(200, None)] * 2
    await socket.close()


async def test_a_tail_that_nobody_claims_is_dropped(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client may die between the two requests; events must not pile up for it."""
    monkeypatch.setattr(tails, "CLAIM_SECONDS", 0.02)
    await edge.make()
    assert edge.hub.listening(SHOP)

    await edge.quiet()


async def test_a_tail_ends_at_its_time(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """``expires_at`` holds for a tail that is read, too."""
    monkeypatch.setattr(tails, "LIFETIME_SECONDS", 0.05)
    socket = await edge.open(await edge.make())

    assert (await socket.receive(timeout=5)).type is WSMsgType.CLOSE
    await socket.close()


async def test_a_gateway_that_stops_ends_all_tails(edge: Edge) -> None:
    """Else its own end would wait for them."""
    socket = await edge.open(await edge.make())
    edge.hub.close()

    assert (await socket.receive(timeout=5)).type is WSMsgType.CLOSE
    await socket.close()


async def test_the_newest_tail_is_shown(edge: Edge) -> None:
    """``GET S/tails`` of the SDKs: one tail, or null."""
    before = (await (await edge.client.get(TAILS)).json())["result"]
    await edge.make()
    tail = await edge.make()

    assert before is None
    assert (await (await edge.client.get(TAILS)).json())["result"] == tail


@pytest.mark.parametrize("body", ["", "{}", '{"filters": null}', " \n"])
async def test_a_tail_without_filters(edge: Edge, body: str) -> None:
    """Section 10: the SDK may post an empty body."""
    assert (await edge.make(body))["id"]


@pytest.mark.parametrize("body", ["[]", "x", '{"filters": {}}', '{"filters": [{"colour": "red"}]}', "[" * 100_000])
async def test_a_body_that_cannot_be_meant(edge: Edge, body: str) -> None:
    """4xx for permanent errors (section 13)."""
    response = await edge.client.post(TAILS, data=body, headers=TEXT)

    assert response.status == 400
    assert not edge.hub.listening(SHOP)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_an_unknown_worker(edge: Edge, method: str) -> None:
    """Section 13: unknown Worker is 404 with 10007 on every Worker path."""
    path = TAILS.replace("shop", "nobody") + ("/x" if method == "DELETE" else "")
    response = await edge.client.request(method, path)

    assert (response.status, (await response.json())["code"]) == (404, 10_007)


async def test_a_tail_can_be_read_once_and_by_a_tail_reader_only(edge: Edge) -> None:
    """The address is the secret; section 10: the server must choose ``trace-v1``."""
    tail = await edge.make()
    plain = await edge.client.get(f"/tails/{tail['id']}")
    with pytest.raises(WSServerHandshakeError) as other:
        await edge.client.ws_connect(f"/tails/{tail['id']}", protocols=("chat",))
    socket = await edge.open(tail)
    with pytest.raises(WSServerHandshakeError) as second:
        await edge.open(tail)
    unknown = await edge.client.get("/tails/" + "0" * 32)

    assert (plain.status, other.value.status, second.value.status, unknown.status) == (400, 400, 404, 404)
    await socket.close()
