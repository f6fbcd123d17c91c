"""What a fault does to a request on its way to a version and back.

The exchange knows nothing of faults: it is held back, sent on its way over a connection that bends the answer, or
ended. A connection under a fault is made for that request and serves no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from gateway.model.fault import Fault, FaultKind, FirstByte
from gateway.model.version import VersionId, WorkerName
from gateway.proxy import pages
from gateway.proxy.messages import ResponseHead
from gateway.proxy.upstream import Asker, UpstreamConnection

if TYPE_CHECKING:
    from gateway.proxy.exchange import Exchange
    from gateway.proxy.pool import Pool

RESET_AFTER_SECONDS: Final = 0.02
"""A reset at once would overtake the byte that is to go before it."""

PIECES_PER_SECOND: Final = 20
HELD_BYTES: Final = 65_536


class Deeds(Protocol):
    """What faults do to processes and objects."""

    async def crash(self, version_id: VersionId) -> None:
        """End a version's process as a crash does."""

    async def reset_object(self, worker: WorkerName, class_name: str, name: str) -> None:
        """Take an object's memory away; it stays with its version."""


async def suffer(fault: Fault, jitter_ms: float, deeds: Deeds, exchange: Exchange) -> None:
    """Let a request meet a fault; it has been decided, and waits."""
    match fault.kind:
        case FaultKind.LATENCY:
            await asyncio.sleep((fault.ms + jitter_ms) / 1000)
            await exchange.go_on()
        case FaultKind.STATUS:
            exchange.answer_in_its_place(pages.made_by_fault(fault.status, exchange.version, fault.name))
        case FaultKind.RESET if fault.first_byte is FirstByte.BEFORE:
            exchange.reset()
        case FaultKind.RESET:
            await exchange.go_on(partial(BentConnection, bend=partial(ResetAfterFirstByte, exchange.reset)))
        case FaultKind.SLOW_BODY:
            await exchange.go_on(partial(BentConnection, bend=partial(SlowBody, fault.bytes_per_second)))
        case FaultKind.HANG:
            await exchange.hang()
        case FaultKind.CRASH:
            await _meanwhile(exchange, fault, lambda: deeds.crash(exchange.version.id))
        case FaultKind.OBJECT_RESET:
            class_name, name = _victim(fault, exchange)
            if class_name:
                worker = exchange.version.worker
                await _meanwhile(exchange, fault, lambda: deeds.reset_object(worker, class_name, name))
            else:
                await exchange.go_on()


async def _meanwhile(exchange: Exchange, fault: Fault, deed: Callable[[], Awaitable[None]]) -> None:
    """Do something while the request is under way, over too it may be by then."""
    await exchange.go_on()
    await asyncio.sleep(fault.ms / 1000)
    await deed()


def _victim(fault: Fault, exchange: Exchange) -> tuple[str, str]:
    """Return class and name of the object to reset; empty where there is none."""
    key = exchange.object_key
    if key is not None:
        return key.class_name, key.name
    class_name, slash, name = fault.object.partition("/")
    return (class_name, name) if slash else ("", "")


class BentAnswer(Asker):
    """Stands between a connection and the exchange that asked; passes on what it does not bend."""

    def __init__(self, asker: Asker, connection: UpstreamConnection) -> None:
        self._asker = asker
        self._connection = connection

    @property
    def request_sent(self) -> bool:  # type: ignore[override]  # the exchange's own is what counts
        """Whether the whole request went out."""
        return self._asker.request_sent

    def on_interim(self, head: ResponseHead) -> None:
        self._asker.on_interim(head)

    def on_response(self, head: ResponseHead) -> None:
        self._asker.on_response(head)

    def on_response_body(self, data: bytes) -> None:
        self._asker.on_response_body(data)

    def answer_goes_on(self) -> None:
        self._asker.answer_goes_on()

    def answer_complete(self, trailers: list[bytes]) -> None:
        self._asker.answer_complete(trailers)

    def answer_failed(self, why: str, *, malformed: bool) -> None:
        self._asker.answer_failed(why, malformed=malformed)

    def switched(self, connection: UpstreamConnection, head: ResponseHead, rest: bytes) -> None:
        self._asker.switched(connection, head, rest)

    def upstream_paused(self, *, paused: bool) -> None:
        self._asker.upstream_paused(paused=paused)

    def pause(self) -> None:
        """The client takes nothing more for now."""

    def resume(self) -> None:
        """The client takes more again."""

    def stop(self) -> None:
        """Nobody wants the answer any more."""


Bend = Callable[[Asker, UpstreamConnection], BentAnswer]


class BentConnection(UpstreamConnection):
    """A connection whose answer does not reach the exchange as it is.

    Args:
        bend: Makes what stands between.
    """

    __slots__ = ("_answer", "_bend")

    def __init__(self, pool: Pool, *, bend: Bend) -> None:
        super().__init__(pool)
        self._bend = bend
        self._answer: BentAnswer | None = None

    def begin(self, asker: Asker, *, to_head_request: bool) -> None:
        self._answer = self._bend(asker, self)
        super().begin(self._answer, to_head_request=to_head_request)

    def pause_reading(self) -> None:
        super().pause_reading()
        if self._answer is not None:
            self._answer.pause()

    def resume_reading(self) -> None:
        super().resume_reading()
        if self._answer is not None:
            self._answer.resume()

    def release(self) -> None:
        if self._answer is not None:
            self._answer.stop()
        super().release()

    def _finish(self, asker: Asker) -> None:
        self._asker = None
        self.close()
        asker.answer_complete(self.reader.trailers)


class ResetAfterFirstByte(BentAnswer):
    """Lets the head and one byte of the body through, then the client's connection is reset."""

    def __init__(self, reset: Callable[[], None], asker: Asker, connection: UpstreamConnection) -> None:
        super().__init__(asker, connection)
        self._reset = reset
        self._is_over = False

    def on_response_body(self, data: bytes) -> None:
        if not self._is_over:
            self._asker.on_response_body(data[:1])
            self._end()

    def answer_complete(self, trailers: list[bytes]) -> None:  # noqa: ARG002 - it never completes
        self._end()

    def switched(self, connection: UpstreamConnection, head: ResponseHead, rest: bytes) -> None:
        self._asker.switched(connection, head, rest)
        asyncio.get_running_loop().call_later(RESET_AFTER_SECONDS, connection.close)

    def _end(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._asker.answer_goes_on()
            self._connection.pause_reading()
            asyncio.get_running_loop().call_later(RESET_AFTER_SECONDS, self._reset)


class SlowBody(BentAnswer):
    """Passes the body on at so many bytes a second."""

    def __init__(self, bytes_per_second: float, asker: Asker, connection: UpstreamConnection) -> None:
        super().__init__(asker, connection)
        # Whole bytes: below 20 a second one at a time, each after its own pause.
        self._piece = max(int(bytes_per_second / PIECES_PER_SECOND), 1)
        self._pause_seconds = self._piece / bytes_per_second
        self._held = bytearray()
        self._end: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._client_is_slow = False

    def on_response(self, head: ResponseHead) -> None:
        self._asker.on_response(head)
        self._asker.answer_goes_on()

    def on_response_body(self, data: bytes) -> None:
        self._held += data
        if len(self._held) > HELD_BYTES:
            UpstreamConnection.pause_reading(self._connection)
        self._go_on()

    def answer_goes_on(self) -> None:
        """Nothing: what was read goes out in its time."""

    def answer_complete(self, trailers: list[bytes]) -> None:
        self._end = partial(self._asker.answer_complete, trailers)
        self._go_on()

    def answer_failed(self, why: str, *, malformed: bool) -> None:
        self._end = partial(self._asker.answer_failed, why, malformed=malformed)
        self._go_on()

    def pause(self) -> None:
        self._client_is_slow = True

    def resume(self) -> None:
        self._client_is_slow = False
        self._go_on()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._held.clear()
        self._end = None

    def _go_on(self) -> None:
        if self._timer is None and not self._client_is_slow and (self._held or self._end is not None):
            self._timer = asyncio.get_running_loop().call_later(self._pause_seconds, self._pass_on)

    def _pass_on(self) -> None:
        self._timer = None
        piece = bytes(self._held[: self._piece])
        if piece:
            del self._held[: self._piece]
            self._asker.on_response_body(piece)
            self._asker.answer_goes_on()
            if len(self._held) <= HELD_BYTES and self._end is None:
                UpstreamConnection.resume_reading(self._connection)
        if not self._held and self._end is not None:
            end, self._end = self._end, None
            end()
            return
        self._go_on()
