"""Strict reading of HTTP/1.1 messages, for judging what went over the wire.

Nothing here is lenient: a recipient may forgive what RFC 9112 lets it forgive, but neither side of a proxy
may *send* such things, and these readers look only at what a proxy sent. They work on a growing buffer:
``advance`` may be called after each piece.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_QUOTED = rb"\"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*\""
_EXTENSION = rb"[ \t]*;[ \t]*%b(?:[ \t]*=[ \t]*(?:%b|%b))?" % (TOKEN.pattern, TOKEN.pattern, _QUOTED)
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:%b)*" % _EXTENSION)
_DANGEROUS_IN_VALUE = re.compile(rb"[\x00\r\n]")
_HOST = re.compile(
    rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*(?::[0-9]*)?"
    rb"|\[(?:[0-9A-Fa-f:.]+|[vV][0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+)\](?::[0-9]*)?"
)
HEAD_LIMIT = 1 << 20


class Malformed(Exception):
    """What was sent is no HTTP/1.1 message.

    Args:
        what: What is wrong, for the report.
        dangerous: Whether two recipients could read it two ways (the ground of request smuggling and header
            injection).
    """

    def __init__(self, what: str, *, dangerous: bool = True) -> None:
        super().__init__(what)
        self.what = what
        self.dangerous = dangerous


@dataclass(frozen=True, slots=True)
class Fields:
    """A header or trailer section: its lines in order, values without surrounding white space."""

    lines: tuple[tuple[bytes, bytes], ...] = ()

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of all lines of that name, in order."""
        wanted = name.lower()
        return [value for each, value in self.lines if each.lower() == wanted]

    def has(self, name: bytes) -> bool:
        """Whether a line of that name is there."""
        return bool(self.values(name))

    def members(self, name: bytes) -> list[bytes]:
        """Return the non-empty members of a comma-separated list field, in lower case."""
        joined = b",".join(self.values(name)).lower()
        return [member for part in joined.split(b",") if (member := part.strip(b" \t"))]


def read_fields(section: bytes) -> Fields:
    """Read field lines that all end in CRLF (the empty line is not among them).

    Raises:
        Malformed: A line breaks RFC 9112 section 5.
    """
    lines: list[tuple[bytes, bytes]] = []
    if section and not section.endswith(b"\r\n"):
        raise Malformed("a field line does not end in CRLF")
    for line in section.split(b"\r\n")[:-1]:
        if _DANGEROUS_IN_VALUE.search(line):
            raise Malformed(f"NUL, CR or LF inside a field line: {line!r}")
        if line[:1] in (b" ", b"\t"):
            raise Malformed(f"line folding: {line!r}")
        name, colon, value = line.partition(b":")
        if not colon:
            raise Malformed(f"field line without a colon: {line!r}")
        if not TOKEN.fullmatch(name):
            raise Malformed(
                f"field name is no token: {line!r}",
                dangerous=any(c <= 0x20 or c == 0x7F for c in name) or not name,
            )
        lines.append((name, value.strip(b" \t")))
    return Fields(tuple(lines))


def read_length(fields: Fields) -> int | None:
    """Return the one Content-Length, or None where there is none.

    Raises:
        Malformed: It is repeated or no plain number.
    """
    values = fields.values(b"content-length")
    if not values:
        return None
    if len(values) > 1:
        raise Malformed(f"several Content-Length lines: {values!r}")
    if not re.fullmatch(rb"[0-9]{1,4000}", values[0]):
        raise Malformed(f"Content-Length is no number: {values[0]!r}")
    return int(values[0])


def is_chunked(fields: Fields, version: bytes) -> bool:
    """Whether the message is framed by chunks.

    Raises:
        Malformed: Transfer-Encoding is there but not legally so (RFC 9112 section 6.1).
    """
    values = fields.values(b"transfer-encoding")
    if not values:
        return False
    if version != b"HTTP/1.1":
        raise Malformed(f"Transfer-Encoding in {version.decode('latin-1')}")
    if fields.has(b"content-length"):
        raise Malformed("Transfer-Encoding together with Content-Length")
    codings = [coding.strip(b" \t").lower() for coding in b",".join(values).split(b",")]
    if len(values) > 1 or codings[-1] != b"chunked" or codings.count(b"chunked") != 1:
        raise Malformed(f"Transfer-Encoding that is read in several ways: {values!r}")
    if not all(TOKEN.fullmatch(coding) for coding in codings) or b"identity" in codings:
        raise Malformed(f"Transfer-Encoding that is read in several ways: {values!r}")
    return True


def check_host(fields: Fields, version: bytes) -> None:
    """Check the Host line of a request.

    Raises:
        Malformed: It is missing, repeated or no ``uri-host [":" port]`` (RFC 9112 section 3.2).
    """
    values = fields.values(b"host")
    if len(values) > 1:
        raise Malformed(f"several Host lines: {values!r}")
    if not values:
        if version == b"HTTP/1.1":
            raise Malformed("HTTP/1.1 without Host", dangerous=False)
        return
    if not _HOST.fullmatch(values[0]):
        raise Malformed(f"Host is no host: {values[0]!r}", dangerous=False)


def head_end(buffer: bytearray, start: int, searched: int) -> int:
    """Return where the head that begins at ``start`` ends, behind its empty line; -1 where some is missing.

    Args:
        buffer: All bytes so far.
        start: Where the head begins.
        searched: Up to where the caller has searched before.

    Raises:
        Malformed: A line ends in a bare LF, or the head has no end.
    """
    begin = max(start, searched - 3)
    end = buffer.find(b"\r\n\r\n", begin)
    limit = end + 4 if end >= 0 else len(buffer)
    at = buffer.find(b"\n", begin, limit)
    while at >= 0:
        if at == start or buffer[at - 1] != 0x0D:
            raise Malformed(f"bare LF in a head: {bytes(buffer[max(start, at - 40) : at + 1])!r}")
        at = buffer.find(b"\n", at + 1, limit)
    if end < 0 and len(buffer) - start > HEAD_LIMIT:
        raise Malformed("a head without end")
    return end + 4 if end >= 0 else -1


class Framing(Enum):
    """What tells the end of a body."""

    NONE = "no body"
    LENGTH = "Content-Length"
    CHUNKED = "chunked"
    CLOSE = "close of the connection"


@dataclass(slots=True)
class BodyReader:
    """Reads a body out of a growing buffer; ``at`` is the next byte, ``complete`` tells that all is there."""

    framing: Framing
    at: int
    length: int = 0
    content: bytearray = field(default_factory=bytearray)
    trailers: Fields = field(default_factory=Fields)
    complete: bool = False
    chunk_count: int = 0
    _state: str = "size"
    _left: int = 0

    def advance(self, buffer: bytearray) -> None:
        """Read on as far as the buffer goes.

        Raises:
            Malformed: The chunks or trailers break RFC 9112 section 7.1.
        """
        if self.complete:
            return
        if self.framing is Framing.NONE:
            self.complete = True
        elif self.framing is Framing.CLOSE:
            self.content += buffer[self.at :]
            self.at = len(buffer)
        elif self.framing is Framing.LENGTH:
            piece = buffer[self.at : self.at + self.length - len(self.content)]
            self.content += piece
            self.at += len(piece)
            self.complete = len(self.content) == self.length
        else:
            while self._step(buffer):
                pass

    def _step(self, buffer: bytearray) -> bool:
        """Read one element of a chunked body; False where it is over or more bytes are needed."""
        if self.complete:
            return False
        if self._state == "data":
            piece = buffer[self.at : self.at + self._left]
            self.content += piece
            self.at += len(piece)
            self._left -= len(piece)
            if self._left:
                return False
            self._state = "data end"
        if self._state == "data end":
            if len(buffer) - self.at < 2:
                return False
            if buffer[self.at : self.at + 2] != b"\r\n":
                raise Malformed(f"no CRLF behind a chunk: {bytes(buffer[self.at : self.at + 20])!r}")
            self.at += 2
            self._state = "size"
            return True
        if self._state == "size":
            return self._step_size(buffer)
        return self._step_trailers(buffer)

    def _step_size(self, buffer: bytearray) -> bool:
        end = buffer.find(b"\n", self.at)
        if end < 0:
            return False
        line = bytes(buffer[self.at : end])
        matched = _CHUNK_LINE.fullmatch(line[:-1]) if line.endswith(b"\r") else None
        if matched is None:
            raise Malformed(f"bad chunk line: {line[:60]!r}")
        self.at = end + 1
        self._left = int(matched[1], 16)
        self.chunk_count += 1
        self._state = "data" if self._left else "trailers"
        return True

    def _step_trailers(self, buffer: bytearray) -> bool:
        if buffer[self.at : self.at + 2] == b"\r\n":
            self.at += 2
            self.complete = True
            return True
        end = head_end(buffer, self.at, self.at)
        if end < 0:
            return False
        self.trailers = read_fields(bytes(buffer[self.at : end - 2]))
        self.at = end
        self.complete = True
        return True
