"""The raw client before the proxy: sends what it is told, keeps all that comes, reads answers strictly."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.conformance.http.syntax import (
    BodyReader,
    Fields,
    Framing,
    Malformed,
    head_end,
    is_chunked,
    read_fields,
    read_length,
)
from tests.conformance.http.wire import Ended, Wire

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2}) ([\t -~\x80-\xff]*)\r\n")


@dataclass(slots=True)
class Answer:
    """One final answer, with the interim ones before it."""

    status: int
    version: bytes
    reason: bytes
    fields: Fields
    reader: BodyReader
    begin: int
    interim: list[Answer] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        """The content as far as it came, without its framing."""
        return bytes(self.reader.content)

    @property
    def trailers(self) -> Fields:
        """The trailer section; empty where the body is not chunked."""
        return self.reader.trailers

    @property
    def complete(self) -> bool:
        """Whether the client can believe that it has all of it."""
        return self.reader.complete

    @property
    def seen(self) -> int | None:
        """The serial of the request that the origin answered with this, None where it is the proxy's own."""
        values = self.fields.values(b"x-seen")
        return int(values[0]) if len(values) == 1 and values[0].isdigit() else None

    @property
    def says_close(self) -> bool:
        """Whether the connection is to end behind this answer."""
        options = self.fields.members(b"connection")
        if self.reader.framing is Framing.CLOSE:
            return True
        return b"close" in options or (self.version == b"HTTP/1.0" and b"keep-alive" not in options)


@dataclass(slots=True)
class Answers:
    """Everything that came on one connection, read strictly.

    Args:
        finals: The final answers, in order; the last one may be incomplete.
        interim: Interim answers behind which no final one has begun.
        rest: Bytes behind the last answer that begin no answer, or not a whole head.
        malformed: What is wrong with ``rest`` or with the last answer, if anything.
        tunnel_at: Where a tunnel begins, behind a 101.
    """

    finals: list[Answer] = field(default_factory=list)
    interim: list[Answer] = field(default_factory=list)
    rest: bytes = b""
    malformed: Malformed | None = None
    tunnel_at: int | None = None

    @property
    def complete_count(self) -> int:
        """How many final answers are complete."""
        return sum(answer.complete for answer in self.finals)


def read_answers(buffer: bytearray, methods: Sequence[bytes], ended: Ended) -> Answers:
    """Read all answers on a connection.

    Args:
        buffer: All bytes that came.
        methods: The methods that were asked with, in order; GET is taken for what follows.
        ended: How the connection ended; a body that lasts until the close is complete only after a FIN.
    """
    answers = Answers()
    at = 0
    try:
        while at < len(buffer):
            method = methods[len(answers.finals)] if len(answers.finals) < len(methods) else b"GET"
            end = head_end(buffer, at, at)
            if end < 0:
                break
            answer = _read_head(buffer, at, end, method)
            at = end
            if answer.status == 101:
                answers.interim.append(answer)
                answers.tunnel_at = at
                return answers
            if 100 <= answer.status < 200:
                answers.interim.append(answer)
                continue
            answer.interim, answers.interim = answers.interim, []
            answers.finals.append(answer)
            answer.reader.advance(buffer)
            if answer.reader.framing is Framing.CLOSE:
                answer.reader.complete = ended is Ended.EOF
            at = answer.reader.at
            if not answer.complete:
                return answers
    except Malformed as problem:
        answers.malformed = problem
    answers.rest = bytes(buffer[at:])
    return answers


def _read_head(buffer: bytearray, at: int, end: int, method: bytes) -> Answer:
    head = bytes(buffer[at:end])
    matched = _STATUS_LINE.match(head)
    if matched is None:
        raise Malformed(f"bad status line: {head[:60]!r}")
    version, status = head[:8], int(matched[1])
    fields = read_fields(head[matched.end() : -2])
    if status < 200 or status in (204, 304) or method == b"HEAD":
        reader = BodyReader(Framing.NONE, at=end, complete=True)
        if (status < 200 or status == 204) and (fields.has(b"content-length") or fields.has(b"transfer-encoding")):
            raise Malformed(f"{status} with Content-Length or Transfer-Encoding", dangerous=False)
    elif method == b"CONNECT" and status < 300:
        reader = BodyReader(Framing.CLOSE, at=end)
    elif is_chunked(fields, version):
        reader = BodyReader(Framing.CHUNKED, at=end)
    elif (length := read_length(fields)) is not None:
        reader = BodyReader(Framing.LENGTH, at=end, length=length)
    else:
        reader = BodyReader(Framing.CLOSE, at=end)
    return Answer(status, version, matched[2], fields, reader, at)


class Client:
    """A raw connection to the proxy."""

    def __init__(self, wire: Wire, methods: Sequence[bytes] = ()) -> None:
        self.wire = wire
        self.methods = list(methods)
        self._read_at = -1
        self._answers = Answers()

    @classmethod
    async def connect(cls, host: str, port: int, methods: Sequence[bytes] = ()) -> Client:
        """Open a connection."""
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (host, port))
        except BaseException:
            sock.close()
            raise
        return cls(Wire(sock), methods)

    def answers(self) -> Answers:
        """Read what has come so far."""
        state = len(self.wire.received) * 2 + (self.wire.ended is not Ended.OPEN)
        if state != self._read_at:
            self._answers = read_answers(self.wire.received, self.methods, self.wire.ended)
            self._read_at = state
        return self._answers

    async def until_answers(self, count: int, seconds: float) -> bool:
        """Wait for so many complete final answers; False where the connection or the time ended first."""

        def is_over() -> bool:
            answers = self.answers()
            return bool(
                answers.complete_count >= count
                or answers.malformed
                or answers.tunnel_at is not None
                or self.wire.ended is not Ended.OPEN
                or self.wire.closed_here
            )

        await self.wire.watch.until(is_over, seconds)
        return self.answers().complete_count >= count
