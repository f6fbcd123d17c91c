"""One client connection.

The life of a request, told once::

    bytes ─ request_reader ─▶ head, checked ─▶ Exchange
                                                 │ dispatch: route, facts, decide   dispatch.py, routing/
                                                 │ take a connection, or make one   pool.py
    client ◀─ answer, framed anew ─ Exchange ◀─ response_reader ─ bytes             upstream.py
                                                 │ account: counters, event         observability/
                                                 ▼
                       next exchange, in the order of the requests; or close

Requests that arrive before their turn wait, and while one waits nothing more is read: the client's own send
buffer is the queue. A body flows on as it comes; the side that is slower pauses the other.

The connection ends when the client wants it, when a message cannot be read without doubt, or when what remains
of a body is not worth reading: then it *lingers*, reading and dropping for a moment, since closing a socket with
unread bytes would take the answer back from the client.
"""

from __future__ import annotations

import asyncio
import select
import socket
import struct
from collections import deque
from typing import Final, cast

from gateway.proxy.edge import Edge
from gateway.proxy.exchange import Exchange
from gateway.proxy.messages import MalformedRequest, RequestHead
from gateway.proxy.request_reader import ReadLimits, RequestReader

LINGER_SECONDS: Final = 2.0
_ENDED: Final[int] = getattr(select, "POLLRDHUP", 0)
"""Linux tells a client's end apart from what it has still to be read; elsewhere the end shows when we read on."""
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class ClientConnection(asyncio.Protocol):
    """Speaks HTTP/1.1 to a client: reads requests, keeps their order, ends in good time."""

    __slots__ = (
        "_address_lines",
        "_body_bytes_seen",
        "_body_since",
        "_current",
        "_detached",
        "_edge",
        "_ended_at",
        "_head_since",
        "_idle_since",
        "_incoming",
        "_lingers_until",
        "_paused_since",
        "_problem",
        "_reader",
        "_reading_paused",
        "_waiting",
        "local_authority",
        "peer_ip",
        "transport",
    )  # fmt: skip

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        settings = edge.settings
        self._reader = RequestReader(self, ReadLimits(settings.head_bytes, settings.target_bytes), edge.memo)
        self._current: Exchange | None = None
        self._waiting: deque[Exchange] = deque()
        self._incoming: Exchange | None = None
        self._problem: MalformedRequest | None = None
        self._reading_paused = False
        self._detached = False
        self._ended_at: float | None = None
        self._lingers_until: float | None = None
        self._paused_since: float | None = None
        self._idle_since = edge.now
        self._head_since: float | None = None
        self._body_since = 0.0
        self._body_bytes_seen = 0
        self.transport: asyncio.Transport
        self.peer_ip = ""
        self.local_authority = b""

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._edge.connections.add(self)
        peer = transport.get_extra_info("peername")
        here = transport.get_extra_info("sockname")
        self.peer_ip = peer[0] if peer else ""
        if here:
            host = f"[{here[0]}]" if ":" in here[0] else here[0]
            self.local_authority = f"{host}:{here[1]}".encode("ascii")

    def data_received(self, data: bytes) -> None:
        if self._lingers_until is not None or self._problem is not None:
            return
        reader = self._reader
        try:
            reader.feed(data)
        except MalformedRequest as problem:
            self._refuse(problem)
            return
        if reader.in_head:
            if self._head_since is None:
                self._head_since = self._edge.now
        else:
            self._head_since = None

    def eof_received(self) -> bool:
        """Go on answering a client that ended only its side (half-close); an unfinished request is over."""
        now = self._edge.monotonic()
        self._ended_at = now
        if self._lingers_until is not None:
            return False
        if self._reader.in_head or self._reader.in_body:
            self._refuse(MalformedRequest(400, "the request ended before it was complete"))
        return self._current is not None and not self.transport.is_closing()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._edge.connections.discard(self)
        if self._detached:
            return
        current, self._current, self._incoming = self._current, None, None
        self._waiting.clear()
        if current is not None:
            current.client_gone()

    def pause_writing(self) -> None:
        self._paused_since = self._edge.monotonic()
        if self._current is not None:
            self._current.pause_answer()

    def resume_writing(self) -> None:
        self._paused_since = None
        if self._current is not None:
            self._current.resume_answer()

    # What the reader tells.

    def on_request(self, head: RequestHead) -> None:
        """A head is complete: serve it now, or after those before it."""
        if self._lingers_until is not None or self.transport.is_closing():
            return
        exchange = Exchange(self, self._edge, head)
        if head.has_body:
            self._incoming = exchange
            self._body_since = exchange.started_at
            self._body_bytes_seen = 0
        if self._current is None:
            self._current = exchange
            exchange.start()
        else:
            self._waiting.append(exchange)
            self._pause_reading()

    def on_request_body(self, data: bytes) -> None:
        """Part of the newest request's body."""
        if self._incoming is not None:
            self._body_bytes_seen += len(data)
            self._incoming.body(data)

    def on_request_end(self, trailers: list[bytes]) -> None:
        """The newest request is complete."""
        exchange, self._incoming = self._incoming, None
        if exchange is not None:
            if self._reader.at_last_request:
                exchange.keep_alive = False
            exchange.body_end(trailers)

    # What an exchange asks for.

    @property
    def _is_busy(self) -> bool:
        """Whether a request is served, or the connection is at its end."""
        return self._current is not None or self._lingers_until is not None

    @property
    def is_slow(self) -> bool:
        """Whether the client takes nothing more for now."""
        return self._paused_since is not None

    def write(self, pieces: list[bytes]) -> None:
        """Hand an answer's bytes to the network."""
        if len(pieces) == 1:
            self.transport.write(pieces[0])
        else:
            self.transport.write(b"".join(pieces))

    def address_lines(self, forwarded_for: bytes | None) -> list[bytes]:
        """Return ``CF-Connecting-IP`` and ``X-Forwarded-For``; the latter goes on from what the client sent."""
        ip = self.peer_ip.encode("ascii")
        chain = ip if forwarded_for is None else forwarded_for + b", " + ip
        return [b"CF-Connecting-IP: " + ip, b"X-Forwarded-For: " + chain]

    def pause_body(self) -> None:
        """Read no more for now."""
        self._pause_reading()

    def resume_body(self) -> None:
        """Read on, unless a request waits for its turn."""
        if not self._waiting:
            self._resume_reading()

    def exchange_done(self, exchange: Exchange) -> None:
        """An answer is complete: serve the next request, or end."""
        self._current = None
        if exchange.request.protocols and exchange.keep_alive:
            self._read_on_after_refused_upgrade()
        if not exchange.keep_alive:
            self._end(unread=not exchange.request_sent)
        elif self._waiting:
            self._current = following = self._waiting.popleft()
            if not self._waiting:
                self._resume_reading()
            # Not called from here: thousands of pipelined requests, all answered at once, would nest as deep.
            asyncio.get_running_loop().call_soon(following.start)
        elif self._problem is not None:
            self._answer_problem(self._problem)
        elif not self._is_busy:
            self._rest()

    def cut_answer(self, *, framed: bool) -> None:
        """End the connection in the middle of an answer.

        Args:
            framed: Whether the client can see by the framing that the answer is cut; if not, only a reset tells.
        """
        self._current = None
        if framed:
            self.transport.close()
            return
        raw = self.transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.transport.abort()

    def detach(self) -> tuple[asyncio.Transport, bytes, bool]:
        """Give the transport away for a tunnel, with what the client sent ahead, and whether it ended its side."""
        self._detached = True
        self._current = None
        self._edge.connections.discard(self)
        return self.transport, self._reader.take_held(), self._ended_at is not None

    def abort(self) -> None:
        """End at once; the loop then calls ``connection_lost``."""
        self.transport.abort()

    # Time.

    def check(self, now: float) -> None:
        """End what takes too long; called a few times a second."""
        settings = self._edge.settings
        if self._lingers_until is not None:
            if now > self._lingers_until:
                self.transport.abort()
        elif self._paused_since is not None and now - self._paused_since > settings.send_seconds:
            self.transport.abort()
        elif self._head_since is not None and self._head_is_late(now):
            self._refuse(MalformedRequest(408, f"its head was not complete after {settings.head_seconds:g} s"))
        elif self._incoming is not None and self._body_stalls(now, self._incoming):
            self._refuse(MalformedRequest(408, "its body came too slowly"))
        elif self._current is not None:
            if self._reading_paused and self._incoming is None:
                self._look_for_end(now)
            self._current.check(now, client_ended_at=self._ended_at)
        elif now - self._idle_since > settings.idle_seconds:
            self.transport.close()

    def _look_for_end(self, now: float) -> None:
        """While requests wait for their turn nothing is read, so the client's end must be asked for."""
        watch = select.poll()
        watch.register(self.transport.get_extra_info("socket").fileno(), _ENDED)
        seen = watch.poll(0)
        if seen and seen[0][1] & (select.POLLHUP | select.POLLERR):
            self.transport.abort()
        elif seen and self._ended_at is None:
            self._ended_at = now

    def _head_is_late(self, now: float) -> bool:
        if self._reading_paused:
            self._head_since = now  # it is we who do not read
            return False
        return self._head_since is not None and now - self._head_since > self._edge.settings.head_seconds

    def _body_stalls(self, now: float, exchange: Exchange) -> bool:
        """Tell whether the body came slower than allowed over the last stretch; begins the next stretch.

        While the answer is already on its way both sides may talk as slowly as they like.
        """
        settings = self._edge.settings
        if self._reading_paused or exchange.answering:
            self._body_since, self._body_bytes_seen = now, 0
            return False
        stretch = now - self._body_since
        if stretch < settings.body_idle_seconds:
            return False
        enough = max(settings.body_min_bytes_per_second * stretch, 1)
        stalls = self._body_bytes_seen < enough
        self._body_since, self._body_bytes_seen = now, 0
        return stalls

    def drain(self) -> None:
        """End as soon as what is under way is answered."""
        if self._current is None and self._lingers_until is None and not self._reader.in_head:
            self.transport.close()

    # Inside.

    def _rest(self) -> None:
        self._idle_since = self._edge.now
        if self._ended_at is not None or self._edge.draining:
            self.transport.close()
        else:
            self._resume_reading()

    def _read_on_after_refused_upgrade(self) -> None:
        self._resume_reading()
        try:
            self._reader.refuse_upgrade()
        except MalformedRequest as problem:
            self._refuse(problem)

    def _refuse(self, problem: MalformedRequest) -> None:
        """Answer that the newest request cannot be read, after the answers to those before it; then end."""
        self._problem = problem
        self._head_since = None
        broken, self._incoming = self._incoming, None
        if broken is not None and broken is self._current:
            broken.refuse(problem.status, problem.why)
        elif broken is not None and broken in self._waiting:
            self._waiting.remove(broken)
        elif broken is not None:
            self._end(unread=True)  # its answer is complete; only its body was still coming
        if self._current is None and not self._waiting and self._lingers_until is None:
            self._answer_problem(problem)

    def _answer_problem(self, problem: MalformedRequest) -> None:
        """Answer a request of which no head could be read."""
        if self.transport.is_closing() or self._lingers_until is not None:
            return
        unread = RequestHead()
        unread.keep_alive = False
        exchange = Exchange(self, self._edge, unread)
        self._current = exchange
        exchange.refuse(problem.status, problem.why)

    def _end(self, *, unread: bool) -> None:
        """Close; with unread bytes on the way, end our side first and drop what comes (RFC 9112 9.6)."""
        if self.transport.is_closing():
            return
        if not (unread or self._problem is not None) or self._ended_at is not None:
            self.transport.close()
            return
        self._incoming = None
        self._lingers_until = self._edge.monotonic() + LINGER_SECONDS
        self._resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _pause_reading(self) -> None:
        if not self._reading_paused and not self.transport.is_closing():
            self._reading_paused = True
            self.transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._reading_paused and not self.transport.is_closing():
            self._reading_paused = False
            self.transport.resume_reading()
