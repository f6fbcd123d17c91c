"""Bytes of a client -> requests, strictly: llhttp parses, this file refuses what two readers could read two ways.

What llhttp refuses already (bare LF, obs-fold, space before the colon, NUL, bad chunks, two ``Content-Length``,
``Transfer- Encoding`` with ``Content-Length``) is not repeated here. What it lets through and we do not, each
with its reason:

* ``Transfer-Encoding`` other than exactly ``chunked``: what we cannot decode we cannot frame (501, RFC 9112 6.1);
* ``Transfer-Encoding`` in HTTP/1.0: old relays ignore it (400, RFC 9112 6.1);
* missing, several or impossible ``Host`` (400, RFC 9112 3.2);
* ``CONNECT``, a fragment, an authority with user info in the target, versions other than 1.0 and 1.1;
* heads, targets, trailers and chunk extensions without end.

llhttp stops at each ``Upgrade``; where it is not honoured, a fresh parser goes on from there, told the same
framing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

import httptools

from gateway.proxy.headers import (
    REQUEST_FIELDS,
    Field,
    allowed_trailers,
    list_members,
    offered_protocols,
    request_field,
    without_fields,
)
from gateway.proxy.memo import HeadMemo
from gateway.proxy.messages import MalformedRequest, RequestHead

_HOST: Final = re.compile(rb"(?:[A-Za-z0-9_.~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")
_ABSOLUTE: Final = re.compile(rb"https?://([^/?]*)(.*)", re.IGNORECASE | re.DOTALL)
_MAX_PORT: Final = 65_535
_MAX_RAY_BYTES: Final = 32
_ORDINARY_CONNECTION: Final = frozenset({b"close", b"keep-alive", b"upgrade", b"te"})


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Sizes in bytes beyond which a head is refused (design 3.1).

    Args:
        framing_bytes: What chunk sizes, extensions and trailers may take beside the content.
    """

    head_bytes: int = 65_536
    target_bytes: int = 16_384
    framing_bytes: int = 65_536


class RequestSink(Protocol):
    """Who is told of requests, in order. ``on_request_end`` follows only where ``head.has_body``."""

    def on_request(self, head: RequestHead) -> None: ...
    def on_request_body(self, data: bytes) -> None: ...
    def on_request_end(self, trailers: list[bytes]) -> None: ...


class RequestReader:
    """Reads one client connection. ``feed`` raises ``MalformedRequest``; after that the connection is done."""

    def __init__(self, sink: RequestSink, limits: ReadLimits, memo: HeadMemo[RequestHead]) -> None:
        self._sink = sink
        self._memo = memo
        self._is_idle = True
        self._limits = limits
        self._parser = httptools.HttpRequestParser(self)
        self._head = RequestHead()
        self._connection: list[bytes] = []
        self._hosts = 0
        self._target = b""
        self._upgrade = b""
        self._transfer_encoding = b""
        self._trailers: list[bytes] = []
        self._in_head = False
        self._in_body = False
        self._muted = False
        self._heads = 0
        self._head_bytes = 0
        self._framing_bytes = 0
        self._body_bytes = 0
        self._held: bytes | None = None
        self._last_request_read = False
        self._problem: MalformedRequest | None = None
        self._feeding = False
        self._upgrade_refused = False

    @property
    def in_head(self) -> bool:
        """Whether part of a head was read."""
        return self._in_head

    @property
    def at_last_request(self) -> bool:
        """Whether no request follows the one read last."""
        return self._last_request_read

    @property
    def in_body(self) -> bool:
        """Whether a body is still to come."""
        return self._in_body

    def feed(self, data: bytes) -> None:
        """Read on.

        Raises:
            MalformedRequest: Refuse it; what was told to the sink before stays valid.
        """
        if self._is_idle:
            known = self._memo.heads.get(data)
            if known is not None:
                self._head = known
                self._sink.on_request(known)
                return
        self._is_idle = False  # until all of it was read without a problem
        while data:
            data = self._read(data)
        self._is_idle = not (self._in_head or self._in_body or self._last_request_read or self._held is not None)

    def _read(self, data: bytes) -> bytes:
        """Read a piece, and return what stands behind an upgrade that is not honoured: it is read anew."""
        if self._held is not None:
            self._held += data
            return b""
        if self._last_request_read:
            return b""  # RFC 9112 9.6: after a request with "close" nothing more is read
        began_idle = not self._in_head and not self._in_body
        heads_before, body_before = self._heads, self._body_bytes
        was_chunked = self._in_body and self._head.chunked
        self._feeding = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as stop:
            return self._stopped_at_upgrade(data[stop.args[0] :])
        except httptools.HttpParserCallbackError as error:
            if self._problem is not None:
                raise self._problem from None
            raise error.__context__ or error from None
        except httptools.HttpParserInvalidMethodError:
            raise MalformedRequest(501, "the request does not start with a method known here") from None
        except httptools.HttpParserError as error:
            if not self._last_request_read:
                raise MalformedRequest(400, str(error)) from None
        finally:
            self._feeding = False
        if self._in_head:
            self._count_head(len(data), all_of_it=began_idle and self._heads == heads_before + 1)
        elif was_chunked and self._in_body:
            self._count_framing(len(data) - (self._body_bytes - body_before))
        elif began_idle and self._heads == heads_before + 1 and self._head.is_repeatable:
            self._memo.remember(data, self._head)
        return b""

    def take_held(self) -> bytes:
        """Return what the client sent behind an upgrade request; it belongs to the new protocol."""
        held, self._held = self._held or b"", None
        self._last_request_read = True
        return held

    def refuse_upgrade(self) -> None:
        """Read on as HTTP: the protocol is not switched."""
        if self._feeding:  # refused before llhttp has even stopped at it
            self._upgrade_refused = True
            return
        held, self._held = self._held or b"", None
        self._parser = httptools.HttpRequestParser(self)
        if not self._head.keep_alive:
            self._last_request_read = True
        self.feed(held)

    def _stopped_at_upgrade(self, rest: bytes) -> bytes:
        """Hold what belongs to the new protocol, or return it, to be read as HTTP with the same framing."""
        refused, self._upgrade_refused = self._upgrade_refused, False
        if self._head.protocols and not refused:
            self._held = rest
            return b""
        self._parser = httptools.HttpRequestParser(self)
        if self._head.has_body:
            self._go_on_with_body()
        return rest

    def _go_on_with_body(self) -> None:
        framing = (
            b"Transfer-Encoding: chunked"
            if self._head.chunked
            else b"Content-Length: %d" % (self._head.content_length or 0)
        )
        self._muted = True
        self._parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n\r\n")
        self._muted = False

    def _count_head(self, size: int, *, all_of_it: bool) -> None:
        """Add a piece of an unfinished head; the piece in which it began in the middle does not count."""
        if all_of_it or self._head_bytes:
            self._head_bytes += size
        self._head_bytes = self._head_bytes or 1
        if self._head_bytes > self._limits.head_bytes:
            raise MalformedRequest(431, "the head of the request is larger than the limit")

    def _count_framing(self, size: int) -> None:
        self._framing_bytes += size
        if self._framing_bytes > self._limits.framing_bytes + 16 * self._body_bytes:
            raise MalformedRequest(400, "chunk extensions or trailers are larger than the limit")

    # What llhttp calls.

    def on_message_begin(self) -> None:
        if self._muted:
            return
        if self._last_request_read:
            raise self._refusal(400, "data after Connection: close")
        self._head = RequestHead()
        self._connection = []
        self._hosts = 0
        self._target = b""
        self._upgrade = b""
        self._transfer_encoding = b""
        self._in_head = True
        self._heads += 1
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        if self._muted:
            return
        self._target += url
        if len(self._target) > self._limits.target_bytes:
            raise self._refusal(414, "the request target is longer than the limit")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._muted:
            return
        kind = _KNOWN_SPELLINGS.get(name)
        if kind is None:
            kind = request_field(name)
        if not self._in_head:
            self._trailers.append(name + b": " + value)
        elif kind is Field.PASS:
            self._head.lines.append(name + b": " + value)
        elif kind is not Field.DROP:
            self._note(kind, value.strip(b" \t"))
            if Field.OVERRIDES <= kind <= Field.COHORT:
                self._head.lines.append(name + b": " + value)

    def _note(self, kind: Field, value: bytes) -> None:
        """Keep what a field means to us; several lines of a list are joined with a comma (RFC 9110 5.3)."""
        head = self._head
        match kind:
            case Field.HOST:
                self._hosts += 1
                head.authority = value
            case Field.CONNECTION:
                self._connection += list_members(value)
            case Field.CONTENT_LENGTH:
                if not value.isdigit():
                    raise self._refusal(400, "Content-Length is not a number")
                head.content_length = int(value)
            case Field.TRANSFER_ENCODING:
                self._transfer_encoding = _joined(self._transfer_encoding, value) or b"(empty)"
            case Field.UPGRADE:
                self._upgrade = _joined(self._upgrade, value)
            case Field.EXPECT:
                head.expects_continue = value.lower() == b"100-continue"
                if not head.expects_continue:
                    head.lines.append(b"Expect: " + value)
            case Field.TE:
                head.te_trailers = head.te_trailers or b"trailers" in list_members(value)
            case Field.OVERRIDES:
                head.overrides = value if head.overrides is None else _joined(head.overrides, value)
            case Field.VERSION_KEY:
                head.version_key = _joined(head.version_key, value)
            case Field.COHORT:
                head.cohort = _joined(head.cohort, value)
            case Field.FORWARDED_FOR:
                head.forwarded_for = _joined(head.forwarded_for, value)
            case Field.MAX_FORWARDS:
                head.max_forwards = value
            case Field.CDN_LOOP:
                head.cdn_loop = _joined(head.cdn_loop, value)
            case Field.RAY:
                head.caller_ray = value[:_MAX_RAY_BYTES]

    def on_headers_complete(self) -> None:
        if self._muted:
            return
        head = self._head
        self._in_head = False
        head.method = method_name(self._parser.get_method())
        version = self._parser.get_http_version()
        if version != "1.1":
            self._check_version(version)
        if self._transfer_encoding:
            self._check_framing()
        self._check_target_and_host()
        if self._connection:
            self._apply_connection()
        elif head.is_http_10:
            head.keep_alive = False
        # llhttp takes "close" from Proxy-Connection too, and reads nothing after it.
        head.keep_alive = head.keep_alive and self._parser.should_keep_alive()
        size = len(self._target) + sum(map(len, head.lines))
        if size > self._limits.head_bytes:
            raise self._refusal(431, "the head of the request is larger than the limit")
        head.has_body = head.chunked or bool(head.content_length)
        head.expects_continue = head.expects_continue and head.has_body and not head.is_http_10
        if self._upgrade and b"upgrade" in self._connection and not head.has_body and not head.is_http_10:
            head.protocols = offered_protocols(self._upgrade, head.method)
        self._in_body = head.has_body
        self._trailers = []
        self._framing_bytes = self._body_bytes = 0
        self._sink.on_request(head)

    def on_body(self, data: bytes) -> None:
        self._body_bytes += len(data)
        self._sink.on_request_body(data)

    def on_message_complete(self) -> None:
        if self._muted or (self._head.has_body and self._parser.should_upgrade()):
            return  # llhttp takes an upgrade for bodyless; the body is still to come
        # llhttp takes "close" from trailers too, and reads nothing after it.
        if not self._head.keep_alive or (self._trailers and not self._parser.should_keep_alive()):
            self._last_request_read = True
        if self._in_body:
            self._in_body = False
            self._sink.on_request_end(allowed_trailers(self._trailers) if self._trailers else [])

    def _check_version(self, version: str) -> None:
        match version:
            case "1.0":
                self._head.is_http_10 = True
            case "0.9":
                raise self._refusal(400, "the request line has no HTTP version")
            case other:
                raise self._refusal(505, f"HTTP/{other} is not spoken here; use HTTP/1.1")

    def _check_framing(self) -> None:
        coding = self._transfer_encoding.lower()
        if self._head.is_http_10:
            raise self._refusal(400, "Transfer-Encoding in HTTP/1.0")
        if coding != b"chunked":
            raise self._refusal(501, "only the transfer coding 'chunked' is understood")
        self._head.chunked = True

    def _check_target_and_host(self) -> None:
        head, target = self._head, self._target
        if head.method == "CONNECT":
            raise self._refusal(405, "CONNECT is not served: this is no forward proxy")
        if b"#" in target:
            raise self._refusal(400, "a request target has no fragment")
        if self._hosts > 1:
            raise self._refusal(400, "more than one Host")
        if self._hosts == 0 and not head.is_http_10:
            raise self._refusal(400, "no Host")
        host = host_of(head.authority) if self._hosts else ""
        if host is None:
            raise self._refusal(400, "Host is not a host name with an optional port")
        if target[:1] != b"/":
            target = self._other_form(target)
            host = host_of(head.authority) or ""
        head.target = target
        head.host = host

    def _other_form(self, target: bytes) -> bytes:
        """Accept absolute-form and, for OPTIONS, asterisk-form (RFC 9112 3.2.2, 3.2.4)."""
        head = self._head
        if target == b"*" and head.method == "OPTIONS":
            return target
        absolute = _ABSOLUTE.fullmatch(target)
        if not absolute or not host_of(absolute[1]):
            raise self._refusal(400, "the request target is neither a path nor an http URL")
        head.authority = absolute[1]  # RFC 9112 3.2.2: the target's host counts, Host is ignored
        rest = absolute[2]
        if not rest and head.method == "OPTIONS":
            return b"*"
        return rest if rest.startswith(b"/") else b"/" + rest

    def _apply_connection(self) -> None:
        head, options = self._head, set(self._connection)
        head.keep_alive = b"close" not in options and (not head.is_http_10 or b"keep-alive" in options)
        named = options - _ORDINARY_CONNECTION
        if named:
            head.lines = without_fields(head.lines, named)
            self._forget_named_signals(named)

    def _forget_named_signals(self, named: set[bytes]) -> None:
        """A signal that the client itself declares to be for this hop only still counts here (RFC 9110 7.6.1)."""
        if b"x-forwarded-for" in named:
            self._head.forwarded_for = None
        if b"cdn-loop" in named:
            self._head.cdn_loop = None
        if b"max-forwards" in named:
            self._head.max_forwards = None

    def _refusal(self, status: int, why: str) -> MalformedRequest:
        self._problem = MalformedRequest(status, why)
        return self._problem


def _joined(before: bytes | None, value: bytes) -> bytes:
    return before + b", " + value if before else value


@lru_cache(maxsize=1024)
def host_of(authority: bytes) -> str | None:
    """Return the host to route by (lower case, no port, no final dot), or ``None`` for what is no authority."""
    if not _HOST.fullmatch(authority):
        return None
    text = authority.decode("ascii").lower()
    if text.endswith("]"):
        return text
    host, colon, port = text.rpartition(":")
    if colon and port and int(port) > _MAX_PORT:
        return None
    return (host if colon else text).removesuffix(".")


@lru_cache(maxsize=64)
def method_name(method: bytes) -> str:
    """Return a method as text; llhttp knows some forty."""
    return method.decode("ascii")


def _spellings() -> dict[bytes, Field]:
    """Return the usual spellings of field names, so that most need no lower-casing."""
    usual = [
        b"Accept", b"Accept-Encoding", b"Accept-Language", b"Authorization", b"Cache-Control", b"Content-Type",
        b"Cookie", b"If-None-Match", b"If-Modified-Since", b"Origin", b"Pragma", b"Range", b"Referer",
        b"Sec-Fetch-Dest", b"Sec-Fetch-Mode", b"Sec-Fetch-Site", b"Sec-Fetch-User", b"Upgrade-Insecure-Requests",
        b"User-Agent", b"DNT", b"Sec-Ch-Ua", b"Sec-Ch-Ua-Mobile", b"Sec-Ch-Ua-Platform", b"Priority",
        b"X-Requested-With",
    ]  # fmt: skip
    names = [name for known in (*usual, *REQUEST_FIELDS) for name in (known, known.lower(), known.title())]
    return {name: request_field(name) for name in names}


_KNOWN_SPELLINGS: Final = _spellings()
