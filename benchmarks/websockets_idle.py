"""Thousands of silent WebSockets through a proxy: do all of them live, and what memory does each cost it?"""

import asyncio
import base64
import resource
import time
from typing import cast

from benchmarks.figures import NotMeasured, WebSocketResult, WebSocketRow
from benchmarks.jobs import Job
from benchmarks.peers import Proxy, start_proxy
from benchmarks.processes import LOOPBACK, Bench, Children
from benchmarks.upstreams import Upstreams, start_echo_upstreams
from benchmarks.websocket_echo import accept_value

_OPENING_AT_ONCE = 64
_ECHO_TIMEOUT_SECONDS = 30.0
_OPEN_TIMEOUT_SECONDS = 15.0
# A proxy holds two sockets per WebSocket, and needs some descriptors for itself.
_DESCRIPTORS_PER_WEBSOCKET = 2
_SPARE_DESCRIPTORS = 512
_KEY = base64.b64encode(bytes(range(16))).decode()
_MASK = b"\x01\x02\x03\x04"
_TEXT = 0x81
_HEAD_BYTES = 2


class WebSocketFailed(Exception):
    """A WebSocket was refused or closed."""


class _Client(asyncio.Protocol):
    """One WebSocket: shakes hands, keeps silent, then sends one message and waits for it to come back."""

    __slots__ = ("_pending", "_transport", "_waiter")

    def __init__(self, opened: asyncio.Future[bytes]) -> None:
        self._waiter: asyncio.Future[bytes] | None = opened
        self._pending = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(
            f"GET /socket HTTP/1.1\r\nHost: {LOOPBACK}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {_KEY}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self._pending += data
        if self._waiter is None or self._waiter.done():
            return
        separator = b"\r\n\r\n"
        if separator in self._pending and self._pending.startswith(b"HTTP/"):
            head, _, self._pending = self._pending.partition(separator)
            self._waiter.set_result(head)
        elif self._pending[:1] == bytes((_TEXT,)) and len(self._pending) >= _HEAD_BYTES + self._pending[1]:
            end = _HEAD_BYTES + self._pending[1]
            self._waiter.set_result(self._pending[_HEAD_BYTES:end])
            self._pending = self._pending[end:]

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(WebSocketFailed(f"closed: {exc or 'by the other side'}"))

    async def echo(self, message: bytes) -> None:
        """Send a message and wait until it comes back.

        Raises:
            WebSocketFailed: Something else came, or the connection is closed.
        """
        if self._transport is None:
            raise WebSocketFailed("closed while silent")
        self._waiter = asyncio.get_running_loop().create_future()
        masked = bytes(byte ^ _MASK[index % 4] for index, byte in enumerate(message))
        self._transport.write(bytes((_TEXT, 0x80 | len(message))) + _MASK + masked)
        got = await self._waiter
        if got != message:
            raise WebSocketFailed(f"sent {message!r}, got {got!r}")

    def close(self) -> None:
        """Drop the connection."""
        self._waiter = None
        if self._transport is not None:
            self._transport.abort()


async def _open(port: int, limit: asyncio.Semaphore) -> _Client:
    loop = asyncio.get_running_loop()
    async with limit, asyncio.timeout(_OPEN_TIMEOUT_SECONDS):
        opened: asyncio.Future[bytes] = loop.create_future()
        _, client = await loop.create_connection(lambda: _Client(opened), LOOPBACK, port)
        head = await opened
    lines = head.decode("latin-1").split("\r\n")
    if " 101 " not in lines[0] + " " or not any(line.endswith(accept_value(_KEY)) for line in lines):
        client.close()
        raise WebSocketFailed(f"no WebSocket: {lines[0]}")
    return client


async def _measure(proxy: Proxy, count: int, idle_seconds: float) -> WebSocketRow:
    limit = asyncio.Semaphore(_OPENING_AT_ONCE)
    warm = await _open(proxy.port, limit)
    await asyncio.wait_for(warm.echo(b"warm"), _OPEN_TIMEOUT_SECONDS)
    warm.close()
    memory_before = proxy.child.memory_bytes()
    began = time.perf_counter()
    results = await asyncio.gather(*(_open(proxy.port, limit) for _ in range(count)), return_exceptions=True)
    connect_seconds = time.perf_counter() - began
    clients = [result for result in results if isinstance(result, _Client)]
    cpu_before = proxy.child.cpu_seconds()
    await asyncio.sleep(idle_seconds)
    cpu_seconds = proxy.child.cpu_seconds() - cpu_before
    grown = proxy.child.memory_bytes() - memory_before
    echoes = await asyncio.gather(
        *(
            asyncio.wait_for(client.echo(f"{number}".encode()), _ECHO_TIMEOUT_SECONDS)
            for number, client in enumerate(clients)
        ),
        return_exceptions=True,
    )
    failures = [failure for failure in (*results, *echoes) if isinstance(failure, BaseException)]
    for client in clients:
        client.close()
    return WebSocketRow(
        opened=len(clients),
        alive=sum(echo is None for echo in echoes),
        connect_seconds=connect_seconds,
        kib_per_connection=grown / 1024 / len(clients) if clients else 0.0,
        cpu_seconds_while_idle=cpu_seconds,
        first_failure=f"{failures[0]!r}" if failures else None,
    )


def _allowed(wanted: int) -> int:
    """Raise the limit on open files, which children inherit, and return how many WebSockets it allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted * _DESCRIPTORS_PER_WEBSOCKET + _SPARE_DESCRIPTORS
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    if hard == resource.RLIM_INFINITY or hard >= needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
        return wanted
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, needed))
    except (ValueError, OSError):
        # Only root may go above the hard limit: measure what it leaves room for, and say so.
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return (hard - _SPARE_DESCRIPTORS) // _DESCRIPTORS_PER_WEBSOCKET
    return wanted


def _row(
    name: str, children: Children, upstreams: Upstreams, count: int, idle_seconds: float
) -> WebSocketRow | NotMeasured:
    proxy = start_proxy(name, children, upstreams, Job.WEBSOCKET)
    if isinstance(proxy, NotMeasured):
        return proxy
    try:
        return asyncio.run(_measure(proxy, count, idle_seconds))
    except (OSError, TimeoutError, WebSocketFailed) as error:
        return NotMeasured(f"the first WebSocket failed: {error!r}", missing=False, detail=proxy.child.tail())
    finally:
        proxy.child.stop()


def measure_websockets(proxies: tuple[str, ...], bench: Bench, count: int, idle_seconds: float) -> WebSocketResult:
    """Hold WebSockets open through one proxy after the other.

    Raises:
        DidNotStart: The upstream does not start.
    """
    asked = _allowed(count)
    rows: dict[str, WebSocketRow | NotMeasured] = {}
    with Children(bench) as children:
        upstreams = start_echo_upstreams(children)
        for name in proxies:
            row = _row(name, children, upstreams, asked, idle_seconds)
            rows[name] = row
            if isinstance(row, NotMeasured):
                bench.say(f"websockets: {name} {row.why}")
            else:
                bench.say(f"websockets: {name} {row.alive} of {asked}, {row.kib_per_connection:.1f} KiB each")
    return WebSocketResult(count, asked, idle_seconds, rows)
