"""The Worker's way to an object: an HTTP call through the gateway, which knows the object's version."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from aiohttp import ClientError, ClientSession
from yarl import URL

from sample_workers.counter.durable_object import CLASS_NAME

WORKER_NAME = "counter"
LONGEST_EXCERPT = 200


class StubError(Exception):
    """The object could not be called, or did not answer as one; the text says why."""


class CounterStub:
    """One object seen from a Worker, as ``env.COUNTER.getByName(name)`` gives it.

    No header of the Worker's own request goes with the call (R66): neither affinity key nor override has a say
    in the object's version (R50). But for its ray id: by it the gateway knows who called (docs/skew.md).

    Args:
        ray: Of the request during which the Worker calls, or empty.
    """

    def __init__(self, session: ClientSession, gateway_url: str | None, name: str, ray: str = "") -> None:
        self._session = session
        self._gateway_url = gateway_url
        self._headers = {"CF-Ray": ray} if ray else {}
        self._path = f"/cdn-cgi/gateway/do/{WORKER_NAME}/{CLASS_NAME}/{quote(name, safe='')}/"

    async def read(self) -> dict[str, Any]:
        """Return the object's answer to GET.

        Raises:
            StubError: There is none.
        """
        return await self._call("GET", "")

    async def increment(self) -> dict[str, Any]:
        """Return the object's answer to POST ``increment``.

        Raises:
            StubError: There is none.
        """
        return await self._call("POST", "increment")

    async def add(self, count: int) -> dict[str, Any]:
        """Return the object's answer to POST ``add``, which objects of v2 know.

        Raises:
            StubError: There is none.
        """
        return await self._call("POST", f"add?count={count}")

    async def _call(self, method: str, suffix: str) -> dict[str, Any]:
        if self._gateway_url is None:
            raise StubError("GATEWAY_URL is not set: set it to the gateway's address, e.g. http://127.0.0.1:8787")
        # Encoded already: yarl would decode what it holds safe, and the name must arrive byte for byte.
        url = URL(f"{self._gateway_url}{self._path}{suffix}", encoded=True)
        try:
            async with self._session.request(
                method, url, headers=self._headers, allow_redirects=False
            ) as response:
                text = await response.text(errors="replace")
                if response.ok and response.content_type == "application/json":
                    answer: dict[str, Any] = await response.json()
                    return answer
        except TimeoutError:
            raise StubError(f"{url} did not answer in time") from None
        except (ClientError, OSError, ValueError) as error:
            raise StubError(f"{url} could not be called: {error}") from error
        raise StubError(f"{url} answered {response.status}: {text[:LONGEST_EXCERPT]}")
