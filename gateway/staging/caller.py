"""Sends a scenario's requests to the data plane, and nowhere else, whatever host they name."""

from __future__ import annotations

import socket
from collections.abc import Callable
from types import TracebackType
from typing import Final, NamedTuple, Self

from aiohttp import (
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    CookieJar,
    DummyCookieJar,
    TCPConnector,
)
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from gateway.scenarios.exchange import Outgoing
from gateway.settings import Address

ANSWER_SECONDS: Final = 30.0
KEPT_BYTES: Final = 4_194_304
"""Of a body so much is looked at."""

_SKIPPED: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class Came(NamedTuple):
    """What came back.

    Args:
        host: As it was sent, with the port.
        status: 0 where no whole answer came; then ``problem`` says why.
    """

    host: str
    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    problem: str = ""


class EdgeCaller:
    """A client of the data plane that keeps the cookies of each session, and follows no redirect.

    Args:
        address: Where the data plane listens.
    """

    def __init__(self, address: Callable[[], Address]) -> None:
        self._address = address
        self._jars: dict[str, CookieJar] = {}

    async def __aenter__(self) -> Self:
        self._session = ClientSession(
            connector=TCPConnector(resolver=_EdgeOnly(self._address)),
            cookie_jar=DummyCookieJar(),
            skip_auto_headers=_SKIPPED,
            timeout=ClientTimeout(total=ANSWER_SECONDS),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def call(self, request: Outgoing, host: str, more: tuple[tuple[str, str], ...] = ()) -> Came:
        """Send a request and read its answer to the end.

        Args:
            host: Of the request, without port.
            more: Further headers.
        """
        authority = f"{host}:{self._address().port}"
        url = URL(f"http://{authority}{request.path}", encoded=True)
        jar = self._jar(request.session, url)
        cookies = jar.filter_cookies(url) if jar is not None else {}
        headers = [*request.headers, *more]
        if cookies:
            headers.append(("Cookie", "; ".join(f"{one.key}={one.coded_value}" for one in cookies.values())))
        try:
            async with self._session.request(
                request.method, url, headers=headers, data=request.body or None, allow_redirects=False
            ) as response:
                if jar is not None:
                    jar.update_cookies(response.cookies, url)
                body = await _body_of(response)
        except TimeoutError:
            return Came(authority, 0, problem=f"no whole answer within {ANSWER_SECONDS:g} s")
        except (ClientError, OSError, ValueError) as error:
            return Came(authority, 0, problem=f"no whole answer: {type(error).__name__}")
        fields = tuple((_text(name), _text(value)) for name, value in response.raw_headers)
        return Came(authority, response.status, fields, body)

    def _jar(self, session: str, url: URL) -> CookieJar | None:
        """Return a session's cookies; to its first host ``Secure`` ones go too, as in browsers on localhost."""
        if not session:
            return None
        if session not in self._jars:
            self._jars[session] = CookieJar(unsafe=True, treat_as_secure_origin=url.origin())
        return self._jars[session]


async def _body_of(response: ClientResponse) -> bytes:
    kept = bytearray()
    async for piece in response.content.iter_any():
        if len(kept) < KEPT_BYTES:
            kept += piece[: KEPT_BYTES - len(kept)]
    return bytes(kept)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


class _EdgeOnly(AbstractResolver):
    """Finds every name at the data plane's address."""

    def __init__(self, address: Callable[[], Address]) -> None:
        self._address = address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the address."""
        del port, family
        edge = self._address()
        known = socket.AF_INET6 if ":" in edge.host else socket.AF_INET
        return [ResolveResult(hostname=host, host=edge.host, port=edge.port, family=known, proto=0, flags=0)]

    async def close(self) -> None:
        """Hold nothing."""
