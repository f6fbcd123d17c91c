"""One connection to a version: sends a request, relays its answer to the exchange that asked."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
from typing import TYPE_CHECKING, Final, Protocol, cast

from gateway.proxy.messages import MalformedAnswer, ResponseHead
from gateway.proxy.response_reader import ResponseReader

if TYPE_CHECKING:
    from gateway.proxy.pool import Pool


RESCUE_BYTES: Final = 65_536


class Asker(Protocol):
    """The exchange on whose behalf a connection is used."""

    request_sent: bool

    def on_interim(self, head: ResponseHead) -> None: ...
    def on_response(self, head: ResponseHead) -> None: ...
    def on_response_body(self, data: bytes) -> None: ...
    def answer_goes_on(self) -> None:
        """All of a piece was read, and more is to come."""

    def answer_complete(self, trailers: list[bytes]) -> None:
        """The whole answer was read; the connection is already in other hands."""

    def answer_failed(self, why: str, *, malformed: bool) -> None:
        """The connection ended before the answer did, or the answer cannot be read."""

    def switched(self, connection: UpstreamConnection, head: ResponseHead, rest: bytes) -> None:
        """The version answered 101; the connection is the exchange's from now on."""

    def upstream_paused(self, *, paused: bool) -> None:
        """The version takes no more of the request for now, or does again."""


class UpstreamConnection(asyncio.Protocol):
    """Speaks HTTP/1.1 to a version, one exchange at a time.

    Attributes:
        answer_begun: Whether any byte came since the exchange began; after that nothing may be asked again.
        reused: Whether it served an exchange before; only then can a failure be a dead pooled connection.
    """

    __slots__ = (
        "_asker",
        "_poll",
        "_pool",
        "_reading_paused",
        "_unread",
        "answer_begun",
        "idle_since",
        "reader",
        "reused",
        "transport",
    )

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._asker: Asker | None = None
        self._poll: select.poll | None = None
        self._reading_paused = False
        self._unread: socket.socket | None = None
        self.reader = ResponseReader(pool.memo)
        self.transport: asyncio.Transport
        self.answer_begun = False
        self.reused = False
        self.idle_since = 0.0

    def begin(self, asker: Asker, *, to_head_request: bool) -> None:
        """Serve an exchange: what arrives from now on is its answer.

        A version may answer early and close while the body is still being sent. Our next write then fails, and the
        loop closes the socket with the answer unread; so for a request with a body a second handle is kept.
        """
        self.answer_begun = False
        self._asker = asker
        if not asker.request_sent and self._unread is None:
            self._unread = socket.socket(fileno=os.dup(self.transport.get_extra_info("socket").fileno()))
        self.reader.begin(asker, to_head_request=to_head_request)

    def is_quiet(self) -> bool:
        """Tell whether nothing has arrived on the idle connection, not even its end.

        Asked of the kernel, because what arrived may not have been read by the loop yet: a stale answer must never
        be taken for the answer to the next request.
        """
        if self.transport.is_closing():
            return False
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not self._poll.poll(0)

    def pause_reading(self) -> None:
        """Take no more of the answer for now: the client is slower."""
        if not self._reading_paused:
            self._reading_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Take the answer again."""
        if self._reading_paused:
            self._reading_paused = False
            self.transport.resume_reading()

    def release(self) -> None:
        """Give the exchange up: it needs no answer any more. The connection cannot serve another."""
        self._let_go()

    def _let_go(self) -> None:
        self._asker = None
        self.close()

    def close(self) -> None:
        """End the connection now; nothing that is still unsent matters to anybody."""
        self.transport.abort()

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        asker = self._asker
        if asker is None:
            self._pool.discard(self)
            self.close()  # an answer that nobody asked for
            return
        self.answer_begun = True
        reader = self.reader
        try:
            reader.feed(data)
        except MalformedAnswer as error:
            self._let_go()
            asker.answer_failed(str(error), malformed=True)
            return
        if self._asker is not asker:
            return  # the exchange wanted no more of it once it saw the head
        if reader.complete:
            self._finish(asker)
        elif reader.switched is not None:
            self._asker = None
            asker.switched(self, reader.head, reader.switched)
        else:
            asker.answer_goes_on()

    def _finish(self, asker: Asker) -> None:
        self._asker = None
        self._forget_unread()
        if self.reader.keep_alive and not self.reader.excess and asker.request_sent:
            self.reused = True
            self.resume_reading()
            self._pool.put(self)
        else:
            self.close()
        asker.answer_complete(self.reader.trailers)

    def eof_received(self) -> None:
        asker = self._asker
        if asker is None:
            self._pool.discard(self)
        elif self.reader.feed_eof():
            self._finish(asker)
        else:
            self._let_go()
            asker.answer_failed("it closed the connection before its answer was complete", malformed=False)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None and self._asker is not None and self._unread is not None:
            self._read_what_is_left(self._unread)
        self._forget_unread()
        asker, self._asker = self._asker, None
        if asker is None:
            self._pool.discard(self)
        else:
            asker.answer_failed(f"the connection to it was lost: {exc or 'closed'}", malformed=False)

    def _forget_unread(self) -> None:
        if self._unread is not None:
            self._unread.close()
            self._unread = None

    def _read_what_is_left(self, unread: socket.socket) -> None:
        unread.setblocking(False)
        with contextlib.suppress(OSError):
            while self._asker is not None and (data := unread.recv(RESCUE_BYTES)):
                self.data_received(data)

    def pause_writing(self) -> None:
        if self._asker is not None:
            self._asker.upstream_paused(paused=True)

    def resume_writing(self) -> None:
        if self._asker is not None:
            self._asker.upstream_paused(paused=False)
