"""Bytes of a version -> answers, strictly: what cannot be read without doubt is a ``MalformedAnswer``.

llhttp parses; beside what it refuses by itself, an answer is malformed when its status is below 100, its version
is neither 1.0 nor 1.1, its reason holds control characters, or its transfer coding is not exactly ``chunked``.
One reader lives as long as its connection; ``begin`` makes it ready for the answer to one request.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

import httptools

from gateway.proxy.headers import (
    RESPONSE_FIELDS,
    ResponseField,
    allowed_trailers,
    list_members,
    response_field,
    without_fields,
)
from gateway.proxy.memo import HeadMemo
from gateway.proxy.messages import MalformedAnswer, ResponseHead

MAX_HEAD_BYTES: Final = 262_144
MAX_INTERIM_ANSWERS: Final = 64

_CLEAN_REASON: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_ORDINARY_CONNECTION: Final = frozenset({b"close", b"keep-alive", b"upgrade"})
_SWITCHING_PROTOCOLS: Final = 101
_NO_CONTENT: Final = 204
_NOT_MODIFIED: Final = 304


class ResponseSink(Protocol):
    """Who is told of an answer, in order."""

    def on_interim(self, head: ResponseHead) -> None: ...
    def on_response(self, head: ResponseHead) -> None: ...
    def on_response_body(self, data: bytes) -> None: ...


class ResponseReader:
    """Reads the answers on one upstream connection.

    Attributes:
        complete: Whether the whole answer was read.
        switched: What came behind a 101, once the protocol was switched; else ``None``.
        excess: Whether more came than the answer; then the connection must not serve another request.
        trailers: Trailer fields that may pass on.
    """

    def __init__(self, memo: HeadMemo[ResponseHead]) -> None:
        self._memo = memo
        self._sink: ResponseSink | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._head = ResponseHead()
        self._connection: list[bytes] = []
        self._reason = b""
        self._transfer_encoding: bytes | None = None
        self._to_head_request = False
        self._in_head = False
        self._at_start = True
        self._until_eof = False
        self._head_bytes = 0
        self._interim = 0
        self._problem: MalformedAnswer | None = None
        self._trailers: list[bytes] = []
        self.complete = True
        self.excess = False
        self.keep_alive = True
        self.switched: bytes | None = None

    def begin(self, sink: ResponseSink, *, to_head_request: bool) -> None:
        """Expect the answer to one request.

        Args:
            to_head_request: An answer to HEAD has no body, whatever its fields say (RFC 9110 9.3.2).
        """
        if self._to_head_request:
            self._parser = httptools.HttpResponseParser(self)  # llhttp still waits for the body of the last one
        self._sink = sink
        self._to_head_request = to_head_request
        self._until_eof = False
        self._at_start = True
        self._interim = 0
        self._trailers = []
        self.complete = False

    @property
    def trailers(self) -> list[bytes]:
        """Trailer fields that may pass on."""
        return allowed_trailers(self._trailers) if self._trailers else self._trailers

    def feed(self, data: bytes) -> None:
        """Read on.

        Raises:
            MalformedAnswer: The version sent what is no answer; the connection is done.
        """
        nothing_expected = self.complete
        if nothing_expected:
            self.excess = True
            return
        if self._at_start:
            self._at_start = False
            if data[:1] != b"H":  # llhttp also speaks RTSP and ICE
                raise MalformedAnswer("the answer does not start with HTTP/")
            if not self._to_head_request:
                end = data.find(b"\r\n\r\n") + 4
                known = self._memo.heads.get(data[:end])
                if known is not None and known.content_length == len(data) - end:
                    self._whole_answer(known, data[end:])
                    return
                self._feed(data)
                if self.complete and not self.excess and self._head.is_repeatable and not self._interim:
                    self._memo.remember(data[:end], self._head)
                return
        self._feed(data)

    def _whole_answer(self, head: ResponseHead, body: bytes) -> None:
        """Tell an answer whose head was read before, and which came in one piece."""
        sink = self._sink
        assert sink is not None  # noqa: S101 - begin() came first
        self.keep_alive = True
        sink.on_response(head)
        if body:
            sink.on_response_body(body)
        self.complete = True

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as stop:
            self.switched = data[stop.args[0] :]
        except httptools.HttpParserCallbackError as error:
            if self._problem is not None:
                raise self._problem from None
            if not isinstance(error.__context__, _Excess):
                raise error.__context__ or error from None
        except httptools.HttpParserError as error:
            if not self.complete:
                raise MalformedAnswer(str(error)) from None
            self.excess = True
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                raise MalformedAnswer(f"the head of the answer is larger than {MAX_HEAD_BYTES} bytes")

    def feed_eof(self) -> bool:
        """Return whether the end of the stream completes the answer (RFC 9112 6.3, rule 8)."""
        if self._until_eof and not self.complete:
            self.complete = True
        self.keep_alive = False
        return self.complete

    # What llhttp calls.

    def on_message_begin(self) -> None:
        if self.complete:
            self.excess = True
            raise _Excess
        self._head = ResponseHead()
        self._connection = []
        self._reason = b""
        self._transfer_encoding = None
        self._in_head = True
        self._head_bytes = 0

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        kind = _KNOWN_SPELLINGS.get(name)
        if kind is None:
            kind = response_field(name)
        if not self._in_head:
            self._trailers.append(name + b": " + value)
        elif kind is ResponseField.PASS:
            self._head.lines.append(name + b": " + value)
        elif kind is not ResponseField.DROP:
            self._note(kind, name, value)

    def _note(self, kind: ResponseField, name: bytes, raw: bytes) -> None:
        head, value = self._head, raw.strip(b" \t")
        match kind:
            case ResponseField.CONTENT_LENGTH:
                if not value.isdigit():
                    raise self._malformed("Content-Length is not a number")
                head.content_length = int(value)
            case ResponseField.TRANSFER_ENCODING:
                if b"\t" in raw:
                    raise self._malformed("Transfer-Encoding holds a tab, which llhttp reads otherwise")
                before = self._transfer_encoding
                self._transfer_encoding = value.lower() if before is None else before + b"," + value.lower()
            case ResponseField.CONNECTION:
                self._connection += list_members(value)
            case ResponseField.UPGRADE:
                head.protocol = value
            case ResponseField.DATE:
                head.has_date = True
                head.lines.append(name + b": " + value)

    def on_headers_complete(self) -> None:
        head = self._head
        self._in_head = False
        head.status = self._parser.get_status_code()
        head.reason = self._reason
        version = self._parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise self._malformed(f"HTTP/{version} is not spoken here")
        head.is_http_10 = version == "1.0"
        if head.status < 100:  # noqa: PLR2004
            raise self._malformed(f"status {head.status} is below 100")
        if not _CLEAN_REASON.fullmatch(self._reason):
            raise self._malformed("the reason phrase holds control characters")
        self._apply_connection()
        if head.status < 200:  # noqa: PLR2004
            self._interim_head()
            return
        self._check_framing()
        assert self._sink is not None  # noqa: S101 - begin() came first
        self._sink.on_response(head)
        if self._to_head_request:
            self.complete = True

    def _interim_head(self) -> None:
        self._interim += 1
        if self._interim > MAX_INTERIM_ANSWERS:
            raise self._malformed(f"more than {MAX_INTERIM_ANSWERS} interim answers")
        if self._head.status != _SWITCHING_PROTOCOLS:
            assert self._sink is not None  # noqa: S101 - begin() came first
            self._sink.on_interim(self._head)
        elif self._head.is_http_10 or not (self._head.protocol and b"upgrade" in self._connection):
            raise self._malformed("101 in HTTP/1.0, or without Upgrade and Connection: upgrade")

    @property
    def head(self) -> ResponseHead:
        """The head read last; that of the 101 once ``switched`` is set."""
        return self._head

    def on_body(self, data: bytes) -> None:
        if self.complete:
            self.excess = True
            return
        assert self._sink is not None  # noqa: S101 - begin() came first
        self._sink.on_response_body(data)

    def on_message_complete(self) -> None:
        if self._head.status >= 200:  # noqa: PLR2004
            self.complete = True
            # llhttp takes "close" from trailers and Proxy-Connection too, and reads nothing after it.
            self.keep_alive = self.keep_alive and self._parser.should_keep_alive()

    def _apply_connection(self) -> None:
        head, options = self._head, set(self._connection)
        head.keep_alive = b"close" not in options and (not head.is_http_10 or b"keep-alive" in options)
        self.keep_alive = head.keep_alive
        if options - _ORDINARY_CONNECTION:
            head.lines = without_fields(head.lines, options - _ORDINARY_CONNECTION)

    def _check_framing(self) -> None:
        head = self._head
        if self._transfer_encoding is not None:
            if head.is_http_10:
                raise self._malformed("Transfer-Encoding in HTTP/1.0")
            if self._transfer_encoding != b"chunked":
                raise self._malformed("only the transfer coding 'chunked' is understood")
            head.chunked = True
        has_no_body = self._to_head_request or head.status in (_NO_CONTENT, _NOT_MODIFIED)
        self._until_eof = not has_no_body and not head.chunked and head.content_length is None
        if self._until_eof:
            self.keep_alive = False

    def _malformed(self, why: str) -> MalformedAnswer:
        self._problem = MalformedAnswer(why)
        return self._problem


class _Excess(Exception):
    """Stops llhttp from reading a second answer that nobody asked for."""


def _spellings() -> dict[bytes, ResponseField]:
    """Return the usual spellings of field names, so that most need no lower-casing."""
    usual = [
        b"Content-Type", b"Server", b"Date", b"ETag", b"Last-Modified", b"Cache-Control", b"Set-Cookie", b"Vary",
        b"Location", b"Accept-Ranges", b"Content-Encoding", b"Expires", b"Age", b"Content-Language", b"Link",
    ]  # fmt: skip
    names = [name for known in (*usual, *RESPONSE_FIELDS) for name in (known, known.lower(), known.title())]
    return {name: response_field(name) for name in names}


_KNOWN_SPELLINGS: Final = _spellings()
