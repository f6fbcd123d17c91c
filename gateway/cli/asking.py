"""Sends requests to certain versions through the edge, and reads their answers: thin, of the standard library."""

from __future__ import annotations

import zlib
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Final
from urllib.parse import quote, urlsplit

from gateway.comparison.answers import Answer, InvalidComparison, Request
from gateway.comparison.compare import Pair
from gateway.comparison.ways import Way
from gateway.control.client import ClientError

ANSWER_SECONDS: Final = 60.0
MAX_BODY_BYTES: Final = 32 * 1024 * 1024
_IN_TARGETS: Final = "/?&=%:@!$'()*+,;~#[]"
_VERSION_HEADER: Final = "gateway-version"
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS


class AnsweredByAnother(ClientError):
    """Another version answered than was asked: the request belongs to a Durable Object (R50)."""


class Asker:
    """One connection to the edge; each request goes to both versions, and no request twice to one.

    Args:
        edge_url: Address of the data plane.
    """

    def __init__(self, edge_url: str, before: Way, after: Way) -> None:
        parts = urlsplit(edge_url)
        self._connection = HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_SECONDS)
        self._edge_url = edge_url
        self._ways = (before, after)
        self._known: dict[Request, Pair] = {}

    def ask(self, request: Request) -> Pair:
        """Return both versions' answers.

        Raises:
            ClientError: The edge does not answer.
            AnsweredByAnother: The version cannot be chosen for this request.
        """
        known = self._known.get(request)
        if known is None:
            before, after = (self._answer(request, way) for way in self._ways)
            known = self._known[request] = Pair(before, after)
        return known

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _answer(self, request: Request, way: Way) -> Answer:
        answer = self._exchanged(way.applied(request))
        told = answer.values(_VERSION_HEADER)
        if told and told[0] != way.version_id:
            raise AnsweredByAnother(
                f"{request.method} {request.target}: version {told[0]} answered, not {way.version_id}",
                remedy="What belongs to a Durable Object goes to the object's version (R50); leave it out.",
            )
        return way.as_if_direct(answer, request)

    def _exchanged(self, request: Request) -> Answer:
        try:
            self._send(request)
            return _read(self._connection.getresponse(), request)
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise ClientError(
                f"{self._edge_url} gave no whole answer to {request.method} {request.target}: {error!r}",
                remedy="See with `gateway versions list` whether both versions run.",
            ) from error

    def _send(self, request: Request) -> None:
        target = quote(request.target, safe=_IN_TARGETS)
        self._connection.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
        self._connection.putheader("Host", request.host)
        self._connection.putheader("Accept-Encoding", "identity")
        for name, value in request.headers:
            self._connection.putheader(name, value.encode("latin-1", "replace"))
        if request.body or request.method not in {"GET", "HEAD", "OPTIONS"}:
            self._connection.putheader("Content-Length", str(len(request.body)))
        self._connection.endheaders(request.body or None)


def _read(response: HTTPResponse, request: Request) -> Answer:
    body = response.read(MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        raise InvalidComparison(
            f"{request.method} {request.target}: the answer has more than {MAX_BODY_BYTES:,} bytes",
            remedy="Leave this URL out.",
        )
    headers = tuple(response.getheaders())
    return Answer(response.status, headers, _decoded(body, response.getheader("Content-Encoding") or ""))


def _decoded(body: bytes, coding: str) -> bytes:
    """Return a body without the coding that a version applied although none was asked for."""
    if coding.strip().lower() not in {"gzip", "x-gzip", "deflate"}:
        return body
    try:
        return zlib.decompressobj(_GZIP_OR_ZLIB).decompress(body, MAX_BODY_BYTES)
    except zlib.error:
        return body
