"""The origin behind the proxy: keeps every byte it gets, reads it strictly, and answers by script.

It never forgives: what it cannot read strictly is kept as ``Malformed``, answered with 400, and the
connection is closed. Requests whose target begins with ``INNOCENT`` are outside every script and always get
the usual answer.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.conformance.http.steps import (
    AwaitBytes,
    AwaitEnd,
    AwaitRequest,
    AwaitSignal,
    Close,
    Dribble,
    HalfClose,
    OriginStep,
    Pause,
    Reply,
    Reset,
    Send,
    Signal,
    Silence,
)
from tests.conformance.http.syntax import (
    TOKEN,
    BodyReader,
    Fields,
    Framing,
    Malformed,
    check_host,
    head_end,
    is_chunked,
    read_fields,
    read_length,
)
from tests.conformance.http.wire import Ended, Watch, Wire

INNOCENT = b"/innocent/"
SEEN = b"{seen}"  # stands for the serial of the request in what a reply sends
_LONGEST_SILENCE_SECONDS = 30.0


@dataclass(slots=True)
class Recorded:
    """A request as the origin read it."""

    serial: int
    connection: int
    method: bytes
    target: bytes
    version: bytes
    fields: Fields
    head: bytes
    reader: BodyReader
    reply: Reply

    @property
    def body(self) -> bytes:
        """The content, without its framing."""
        return bytes(self.reader.content)

    @property
    def trailers(self) -> Fields:
        """The trailer section; empty where the body is not chunked."""
        return self.reader.trailers

    @property
    def complete(self) -> bool:
        """Whether the body came to its end."""
        return self.reader.complete

    @property
    def is_innocent(self) -> bool:
        """Whether this is one of the requests that check that all is well."""
        return INNOCENT in self.target


def usual_answer(request: Recorded) -> bytes:
    """Return the answer outside of scripts: it names the request, so that none can pass for another's."""
    words = b"%d %s %s %d\n" % (request.serial, request.method, request.target[:200], len(request.body))
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Seen: %d\r\nContent-Length: %d\r\n" % (
        request.serial,
        len(words),
    )
    if wants_close(request):
        head += b"Connection: close\r\n"
    return head + b"\r\n" + (b"" if request.method == b"HEAD" else words)


def wants_close(request: Recorded) -> bool:
    """Whether the proxy asked for the connection to end behind the answer."""
    options = request.fields.members(b"connection")
    return b"close" in options or (request.version == b"HTTP/1.0" and b"keep-alive" not in options)


@dataclass(slots=True)
class Link:
    """One accepted connection."""

    number: int
    wire: Wire
    requests: list[Recorded] = field(default_factory=list)
    malformed: Malformed | None = None
    tunnel_at: int | None = None
    at: int = 0
    searched: int = 0
    pending: list[Recorded] = field(default_factory=list)
    busy: Recorded | None = None

    @property
    def tunnelled(self) -> bytes:
        """What came behind the head that opened a tunnel."""
        return b"" if self.tunnel_at is None else bytes(self.wire.received[self.tunnel_at :])

    @property
    def unread(self) -> bytes:
        """What came behind the last request and is no request yet."""
        if self.malformed or self.tunnel_at is not None or (self.requests and not self.requests[-1].complete):
            return b""
        return bytes(self.wire.received[self.at :])


class Origin:
    """Listens on loopback and plays the script of one case at a time."""

    def __init__(self, port: int = 0) -> None:
        self._wanted_port = port
        self._serial = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: socket.socket | None = None
        self._replies: tuple[Reply, ...] = ()
        self._signals: set[str] = set()
        self.links: list[Link] = []
        self.requests: list[Recorded] = []
        self.innocents: list[Recorded] = []
        self.malformed: list[Malformed] = []
        self.missed: list[str] = []
        self.watch = Watch()

    @property
    def port(self) -> int:
        """The port it listens on."""
        assert self._listener is not None, "start the origin first"
        return int(self._listener.getsockname()[1])

    async def start(self) -> None:
        """Begin to listen."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._wanted_port))
        listener.listen(128)
        listener.setblocking(False)
        self._listener = listener
        self._spawn(self._accept(listener))

    async def stop(self) -> None:
        """Close the listener and every connection."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for link in self.links:
            await link.wire.close()
        if self._listener is not None:
            self._listener.close()

    async def begin(self, replies: Sequence[Reply] = ()) -> None:
        """Forget what was recorded and play these replies from now on.

        Args:
            replies: One for each request that comes, in order; the last one again for all that follow; usual
                answers where there is none.
        """
        for link in self.links:
            if (
                link.busy is not None
                or (link.requests and not link.requests[-1].complete)
                or link.tunnel_at is not None
            ):
                await link.wire.reset()
        self.links = [link for link in self.links if not self._is_gone(link)]
        self._replies = tuple(replies)
        self._signals = set()
        self.requests = []
        self.innocents = []
        self.malformed = []
        self.missed = []

    @staticmethod
    def _is_gone(link: Link) -> bool:
        return link.wire.closed_here

    def signal(self, name: str) -> None:
        """Let the replies pass that wait for this signal."""
        self._signals.add(name)
        self.watch.notify()

    async def await_signal(self, name: str, seconds: float) -> bool:
        """Wait for a signal that a reply gives; False where it did not come."""
        return await self.watch.until(lambda: name in self._signals, seconds)

    def link_of(self, request: Recorded) -> Link:
        """Return the connection a request came on."""
        return next(link for link in self.links if link.number == request.connection)

    def _spawn(self, work: asyncio._CoroutineLike[None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        number = 0
        while True:
            sock, _ = await loop.sock_accept(listener)
            number += 1
            link = Link(number, wire=Wire(sock))
            link.wire.on_data = lambda link=link: self._on_data(link)
            self.links.append(link)
            self._spawn(self._serve(link))

    def _on_data(self, link: Link) -> None:
        """Read on; all that is parsed is recorded at once, whether or not it is answered yet."""
        try:
            self._parse(link)
        except Malformed as problem:
            if link.malformed is None:
                link.malformed = problem
                self.malformed.append(problem)
        self.watch.notify()

    def _parse(self, link: Link) -> None:
        buffer = link.wire.received
        while link.malformed is None and link.tunnel_at is None:
            if link.requests and not link.requests[-1].complete:
                reader = link.requests[-1].reader
                reader.advance(buffer)
                link.at = link.searched = reader.at
                if not reader.complete:
                    return
            end = head_end(buffer, link.at, link.searched)
            if end < 0:
                link.searched = len(buffer)
                return
            head = bytes(buffer[link.at : end])
            link.at = link.searched = end
            request = self._read_head(link, head)
            link.requests.append(request)
            link.pending.append(request)
            (self.innocents if request.is_innocent else self.requests).append(request)
            if request.reply.tunnel:
                request.reader.complete = True
                link.tunnel_at = end

    def _read_head(self, link: Link, head: bytes) -> Recorded:
        line, _, section = head.partition(b"\r\n")
        words = line.split(b" ")
        if len(words) != 3:
            raise Malformed(f"request line has {len(words)} words: {line[:120]!r}")
        method, target, version = words
        if not TOKEN.fullmatch(method):
            raise Malformed(f"method is no token: {line[:120]!r}")
        if not target or any(byte <= 0x20 or byte == 0x7F for byte in target):
            dangerous = any(byte in target for byte in (0x00, 0x09, 0x0A, 0x0B, 0x0C, 0x0D))
            raise Malformed(f"control character in the target: {line[:120]!r}", dangerous=dangerous)
        if version not in (b"HTTP/1.1", b"HTTP/1.0"):
            raise Malformed(f"version: {line[:120]!r}", dangerous=False)
        fields = read_fields(section[:-2])
        chunked = is_chunked(fields, version)
        length = read_length(fields)
        check_host(fields, version)
        framing = Framing.CHUNKED if chunked else Framing.LENGTH if length is not None else Framing.NONE
        reader = BodyReader(framing, at=link.at, length=length or 0)
        if framing is Framing.NONE or (framing is Framing.LENGTH and not length):
            reader.complete = True
        self._serial += 1
        reply = Reply()
        if INNOCENT not in target and self._replies:
            reply = self._replies[min(len(self.requests), len(self._replies) - 1)]
        return Recorded(self._serial, link.number, method, target, version, fields, head, reader, reply)

    async def _serve(self, link: Link) -> None:
        """Answer the requests of one connection, in order."""
        wire = link.wire
        while not wire.closed_here:
            await wire.watch.until(
                lambda: bool(link.pending or link.malformed or wire.ended is not Ended.OPEN or wire.closed_here),
                _LONGEST_SILENCE_SECONDS,
            )
            if link.pending:
                link.busy = link.pending.pop(0)
                await self._answer(link, link.busy)
                if link.tunnel_at is not None:
                    return  # from here on the case itself holds this end
                link.busy = None
            elif link.malformed:
                await wire.send(b"HTTP/1.1 400 Malformed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                await wire.close()
            elif wire.ended is not Ended.OPEN:
                await wire.close()

    async def _answer(self, link: Link, request: Recorded) -> None:
        wire, reply = link.wire, request.reply
        expects = b"100-continue" in request.fields.members(b"expect") and request.version == b"HTTP/1.1"
        if expects and not request.complete and not reply.at_head:
            await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not reply.at_head and not await self._request_complete(link, request, _LONGEST_SILENCE_SECONDS):
            return
        for step in reply.steps or (Send(usual_answer(request)),):
            await self._play(link, request, step)
        if wants_close(request) and not reply.tunnel:
            await wire.close()

    @staticmethod
    async def _request_complete(link: Link, request: Recorded, seconds: float) -> bool:
        wire = link.wire
        await wire.watch.until(
            lambda: bool(request.complete or link.malformed or wire.ended is not Ended.OPEN or wire.closed_here),
            seconds,
        )
        return request.complete

    # One branch for each step of the vocabulary.
    async def _play(self, link: Link, request: Recorded, step: OriginStep) -> None:  # noqa: C901, PLR0912
        """Do one step of a reply; a wait in vain is kept in ``missed``."""
        wire = link.wire
        match step:
            case Send(data):
                await wire.send(data.replace(SEEN, b"%d" % request.serial))
            case Dribble(data, piece_bytes, pause_seconds):
                data = data.replace(SEEN, b"%d" % request.serial)
                for at in range(0, len(data), piece_bytes):
                    await wire.send(data[at : at + piece_bytes])
                    await asyncio.sleep(pause_seconds)
            case Pause(seconds):
                await asyncio.sleep(seconds)
            case HalfClose():
                wire.half_close()
            case Close():
                await wire.close()
            case Reset():
                await wire.reset()
            case Signal(name):
                self.signal(name)
            case AwaitSignal(name, seconds):
                if not await self.await_signal(name, seconds):
                    self.missed.append(f"origin: no signal {name!r}")
            case AwaitRequest(seconds):
                if not await self._request_complete(link, request, seconds):
                    self.missed.append("origin: the request did not become complete")
            case AwaitEnd(seconds):
                if not await wire.until_ended(seconds):
                    self.missed.append("origin: the proxy did not end the connection")
            case AwaitBytes(data, seconds):
                if not await wire.watch.until(lambda: data in wire.received, seconds):
                    self.missed.append(f"origin: {data!r} did not come")
            case Silence():
                await wire.watch.until(
                    lambda: wire.ended is not Ended.OPEN or wire.closed_here, _LONGEST_SILENCE_SECONDS
                )
