"""Puts messages together for the tables, byte for byte as told."""

from __future__ import annotations

from collections.abc import Iterable

from tests.conformance.http.cases import Outcome, RequestCase, Seen, refuse
from tests.conformance.http.steps import ClientStep, Reply, Send

HOST = b"Host: www.example.com"
SMUGGLE = b"GET /smuggled HTTP/1.1\r\nHost: www.example.com\r\n\r\n"
HELLO_CHUNKED = b"5\r\nhello\r\n0\r\n\r\n"
REFUSED = refuse()
REFUSED_AND_ENDED = refuse(ends=True)


def head(
    *lines: bytes,
    method: bytes = b"GET",
    target: bytes = b"/",
    version: bytes = b"HTTP/1.1",
    host: bytes | None = HOST,
) -> bytes:
    """Return a request head: the Host line first (none where it is None), then the lines as they are."""
    every = [b"%s %s %s" % (method, target, version), *([host] if host is not None else []), *lines]
    return b"\r\n".join(every) + b"\r\n\r\n"


def post(*lines: bytes, body: bytes = b"", target: bytes = b"/", version: bytes = b"HTTP/1.1") -> bytes:
    """Return a POST with these lines and body; nothing is added that would frame the body."""
    return head(*lines, method=b"POST", target=target, version=version) + body


def posted(body: bytes = b"hello", target: bytes = b"/") -> Seen:
    """The origin sees a POST with this body."""
    return Seen(b"POST", (target,), body)


def chunk(data: bytes) -> bytes:
    """Return one chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def case(
    name: str,
    source: str,
    sent: bytes | Iterable[ClientStep],
    *outcomes: Outcome,
    replies: tuple[Reply, ...] = (),
    methods: tuple[bytes, ...] = (),
    most: int | None = None,
    patience: float = 3.0,
    reusable: bool = True,
    promise: bool = False,
) -> RequestCase:
    """Return a request case; bytes stand for sending them in one piece."""
    steps = (Send(sent),) if isinstance(sent, bytes) else tuple(sent)
    return RequestCase(name, source, steps, outcomes, replies, methods, most, patience, reusable, promise)


def readable(data: bytes, longest: int = 48) -> str:
    """Return bytes as a part of a case's id: plain characters stay, others become their hex code."""
    safe = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-._,;=*%~:?&@!()'$/"
    text = "".join(chr(byte) if byte in safe else f"<{byte:02x}>" for byte in data)
    return (text if len(text) <= longest else f"{text[:longest]}...{len(data)}") or "empty"
