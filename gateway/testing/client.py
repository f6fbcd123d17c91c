"""A client of the edge: signals said once, answers that tell their version."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.testing.answers import Answer
from gateway.testing.browsing import Page, load_page

KEY: Final = "Cloudflare-Workers-Version-Key"
OVERRIDES: Final = "Cloudflare-Workers-Version-Overrides"
COHORT: Final = "Cloudflare-Workers-Cohort"
SIGNALS: Final = (KEY, OVERRIDES, COHORT)
USER_AGENT: Final = "User-Agent"
TIMEOUT_SECONDS: Final = 60.0


class Client:
    """One user of the edge: its headers go with each request, cookies are kept; closed with the edge.

    Args:
        base_url: What paths are relative to.
        headers: Of every request.
    """

    def __init__(self, base_url: str, headers: Mapping[str, str]) -> None:
        self.base_url = base_url
        self.headers = dict(headers)
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        signals = "".join(f" {name}: {self.headers[name]}" for name in SIGNALS if name in self.headers)
        return f"<{type(self).__name__}{signals}>"

    @property
    def session(self) -> aiohttp.ClientSession:
        """The aiohttp session behind it, for WebSockets and streams; ``base_url`` and headers are set."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                self.base_url,
                headers=self.headers,
                connector=aiohttp.TCPConnector(resolver=_LocalResolver()),
                cookie_jar=aiohttp.CookieJar(unsafe=True),  # the edge is reached by its address
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
            )
        return self._session

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        data: Any = None,
        allow_redirects: bool = True,
    ) -> Answer:
        """Send a request and return its answer, read to the end; arguments as those of aiohttp."""
        async with self.session.request(
            method,
            path,
            params=params,
            headers=headers,
            json=json,
            data=data,
            allow_redirects=allow_redirects,
        ) as response:
            body = await response.read()
            charset = response.charset or "utf-8"
            return Answer(response.status, response.headers, body, str(response.url), charset)

    async def get(self, path: str = "/", **more: Any) -> Answer:
        """Send a GET; see ``request``."""
        return await self.request("GET", path, **more)

    async def head(self, path: str = "/", **more: Any) -> Answer:
        """Send a HEAD; see ``request``."""
        return await self.request("HEAD", path, **more)

    async def post(self, path: str = "/", **more: Any) -> Answer:
        """Send a POST; see ``request``."""
        return await self.request("POST", path, **more)

    async def put(self, path: str = "/", **more: Any) -> Answer:
        """Send a PUT; see ``request``."""
        return await self.request("PUT", path, **more)

    async def patch(self, path: str = "/", **more: Any) -> Answer:
        """Send a PATCH; see ``request``."""
        return await self.request("PATCH", path, **more)

    async def delete(self, path: str = "/", **more: Any) -> Answer:
        """Send a DELETE; see ``request``."""
        return await self.request("DELETE", path, **more)

    async def load(self, path: str = "/", **more: Any) -> Page:
        """Load a page with its files, one after the other, each with the fields that browsers send.

        Args:
            more: Of the page's own request, as of ``request``; ``method`` is GET unless told otherwise.
        """
        return await load_page(self.request, path, **more)

    async def close(self) -> None:
        """Close its connections; the edge does so at its end."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class _LocalResolver(AbstractResolver):
    """Finds ``*.localhost`` on this machine, as browsers do; no name server knows it."""

    def __init__(self) -> None:
        self._others = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host == "localhost" or host.endswith(".localhost"):
            return [
                ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)
            ]
        return await self._others.resolve(host, port, family)

    async def close(self) -> None:
        await self._others.close()
