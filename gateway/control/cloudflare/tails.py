"""Live tails, as ``wrangler tail`` opens and reads them (wrangler-api, section 10).

A tail is made by a POST, claimed by a WebSocket, and gone when that closes: wrangler 4.86 leaves tails behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from aiohttp import WSCloseCode, web

from gateway.control.catalog import Catalog
from gateway.control.cloudflare.envelope import PREFIX
from gateway.control.cloudflare.requests import answer, read_object
from gateway.control.refusals import WorkerNotFound
from gateway.errors import BadRequest, NotFound
from gateway.model.version import WorkerName
from gateway.observability.tail import TailHub, TailSubscription
from gateway.observability.tail_filters import parse_filters

PROTOCOL: Final = "trace-v1"
CLAIM_SECONDS: Final = 60.0
"""A tail whose WebSocket has not come by then was left behind."""

LIFETIME_SECONDS: Final = 6 * 3600.0
_COLLECTION: Final = f"{PREFIX}/accounts/{{account}}/workers/scripts/{{script}}/tails"
_SOCKET: Final = "/tails/{tail}"


@dataclass(frozen=True, slots=True)
class TailParts:
    """What tails stand on; built by ``assembly``.

    Args:
        control_url: Base URL of the control plane.
        clock: Seconds since the epoch.
    """

    hub: TailHub
    catalog: Catalog
    control_url: Callable[[], str]
    clock: Callable[[], float]


def tail_routes(parts: TailParts) -> list[web.RouteDef]:
    """Return the routes of the API, and that of the WebSocket: its address is the secret, for it has no token."""
    tails = _Tails(parts)
    return [
        web.post(_COLLECTION, tails.create),
        web.get(_COLLECTION, tails.newest),
        web.delete(f"{_COLLECTION}/{{tail}}", tails.delete),
        web.get(_SOCKET, tails.read),
    ]


@dataclass(slots=True)
class _Tail:
    subscription: TailSubscription
    expires: float
    claimed: bool = False
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


class _Tails:
    def __init__(self, parts: TailParts) -> None:
        self._parts = parts
        self._tails: dict[str, _Tail] = {}

    async def create(self, request: web.Request) -> web.Response:
        """``POST S/tails``: JSON whatever its Content-Type says; the SDK may post nothing."""
        worker = self._worker(request)
        wanted = parse_filters((await read_object(request)).get("filters"), own_ip=request.remote or "")
        tail = _Tail(self._parts.hub.subscribe(worker, wanted), self._parts.clock() + LIFETIME_SECONDS)
        self._tails[tail.id] = tail
        asyncio.get_running_loop().call_later(CLAIM_SECONDS, self._drop_unclaimed, tail)
        return answer(self._view(tail))

    async def newest(self, request: web.Request) -> web.Response:
        """``GET S/tails``: the clients of the API expect one."""
        worker = self._worker(request)
        tails = [tail for tail in self._tails.values() if tail.subscription.worker == worker]
        return answer(self._view(tails[-1]) if tails else None)

    async def delete(self, request: web.Request) -> web.Response:
        """``DELETE S/tails/T``: also one that is gone, for its WebSocket may have closed first."""
        self._worker(request)
        tail = self._tails.get(request.match_info["tail"])
        if tail is not None:
            self._drop(tail)
        return answer(None)

    async def read(self, request: web.Request) -> web.StreamResponse:
        """Send one event a message until either side ends it."""
        tail = self._tails.get(request.match_info["tail"])
        if tail is None or tail.claimed:
            raise NotFound("there is no such tail to be read", remedy="Make one with POST .../tails.")
        socket = web.WebSocketResponse(protocols=(PROTOCOL,), autoping=True)
        if PROTOCOL not in request.headers.get("Sec-WebSocket-Protocol", "") or not socket.can_prepare(request):
            raise BadRequest("this is a tail", remedy=f"Open a WebSocket with the subprotocol {PROTOCOL}.")
        tail.claimed = True
        try:
            await socket.prepare(request)
            await self._relay(tail, socket)
        finally:
            self._drop(tail)
        return socket

    async def _relay(self, tail: _Tail, socket: web.WebSocketResponse) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(_read_to_the_end(socket, tail.subscription))
            with contextlib.suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(tail.expires - self._parts.clock()):
                    await _send_all(tail.subscription, socket)
            await socket.close(code=WSCloseCode.OK)

    def _worker(self, request: web.Request) -> WorkerName:
        name = WorkerName(request.match_info["script"])
        record = self._parts.catalog.workers.get(name)
        if record is None or not record.exists:
            raise WorkerNotFound(name)
        return name

    def _view(self, tail: _Tail) -> dict[str, str]:
        base = self._parts.control_url().replace("http", "ws", 1)
        expires = datetime.fromtimestamp(tail.expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"id": tail.id, "url": base + _SOCKET.format(tail=tail.id), "expires_at": expires}

    def _drop_unclaimed(self, tail: _Tail) -> None:
        if not tail.claimed:
            self._drop(tail)

    def _drop(self, tail: _Tail) -> None:
        self._tails.pop(tail.id, None)
        self._parts.hub.unsubscribe(tail.subscription)


async def _send_all(subscription: TailSubscription, socket: web.WebSocketResponse) -> None:
    while items := await subscription.next():
        for item in items:
            await socket.send_str(json.dumps(item))


async def _read_to_the_end(socket: web.WebSocketResponse, subscription: TailSubscription) -> None:
    """Read until the client ends it: what it says means nothing here, and pings are answered on the way."""
    async for _message in socket:
        pass
    subscription.close()
