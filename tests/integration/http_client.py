"""Two HTTP clients that repeat nothing and hide nothing: ``Caller`` waits, ``Connection`` is for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import struct
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple, Self, cast

import http_sf

from tests.integration.edge_process import EdgeProcess
from tests.integration.waiting import PATIENCE_SECONDS

RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
"""Value of SO_LINGER that makes ``close`` send a reset."""

Headers = Sequence[tuple[str, str]]

KEY: Final = "Cloudflare-Workers-Version-Key"
OVERRIDES: Final = "Cloudflare-Workers-Version-Overrides"


class Answer(NamedTuple):
    """An answer as it came."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the only value of a field, or ``None``."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    def json(self) -> dict[str, Any]:
        """Return the body, a JSON object."""
        return cast("dict[str, Any]", json.loads(self.body))

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8")

    @property
    def decision(self) -> dict[str, str | float]:
        """The members of ``Gateway-Decision``, read as RFC 8941 says."""
        value = self.header("Gateway-Decision")
        assert value is not None, f"no Gateway-Decision: {self}"
        members = cast(
            "dict[str, tuple[object, object]]", http_sf.parse(value.encode("ascii"), tltype="dictionary")
        )
        return {
            name: float(bare) if isinstance(bare, int | float | Decimal) else str(bare)
            for name, (bare, _) in members.items()
        }


class Caller:
    """Waits for each answer; one connection, kept alive as HTTP says."""

    def __init__(self, edge: EdgeProcess, host: str = "shop.localhost") -> None:
        self._connection = http.client.HTTPConnection(edge.host, edge.port, timeout=PATIENCE_SECONDS)
        self._host = f"{host}:{edge.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def call(
        self,
        target: str = "/",
        headers: Mapping[str, str] | Headers = (),
        *,
        method: str = "GET",
        host: str = "",
        body: bytes | None = None,
    ) -> Answer:
        """Send one request and return its answer."""
        connection = self._connection
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host or self._host)
        for name, value in headers.items() if isinstance(headers, Mapping) else headers:
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        return Answer(response.status, response.getheaders(), response.read())


def call(edge: EdgeProcess, target: str = "/", headers: Mapping[str, str] | Headers = (), **more: Any) -> Answer:
    """Send one request over a connection of its own; see ``Caller.call``."""
    with Caller(edge) as caller:
        return caller.call(target, headers, **more)


class Connection:
    """One raw connection to the data plane, for asyncio."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        self.reader = reader
        self.writer = writer
        self.host = host

    @classmethod
    async def open(cls, edge: EdgeProcess, host: str = "shop.localhost") -> Connection:
        """Connect to a gateway."""
        reader, writer = await asyncio.open_connection(edge.host, edge.port, limit=2**20)
        return cls(reader, writer, host)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection."""
        self.writer.transport.abort()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    def reset(self) -> None:
        """End the connection so that the other side is told of a reset."""
        raw = cast("socket.socket", self.writer.get_extra_info("socket"))
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.writer.transport.abort()

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    def head(self, target: str, headers: Mapping[str, str] | Headers = (), method: str = "GET") -> bytes:
        """Return the bytes of a request's head."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.host}"]
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        lines += [f"{name}: {value}" for name, value in pairs]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    async def call(
        self,
        target: str = "/",
        headers: Mapping[str, str] | Headers = (),
        *,
        method: str = "GET",
        body: bytes | None = None,
    ) -> Answer:
        """Send one request and return its answer."""
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        if body is not None:
            pairs.append(("Content-Length", str(len(body))))
        await self.send(self.head(target, pairs, method) + (body or b""))
        return await self.answer(method)

    async def answer_head(self) -> Answer:
        """Read the head of an answer, a 1xx too; its body is still to be read."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            raw = await self.reader.readuntil(b"\r\n\r\n")
        status, *lines = raw.decode("latin-1").split("\r\n")[:-2]
        fields = [line.partition(":") for line in lines]
        return Answer(int(status.split(" ")[1]), [(name, value.strip(" \t")) for name, _, value in fields], b"")

    async def answer(self, method: str = "GET") -> Answer:
        """Read one final answer to its end.

        Raises:
            asyncio.IncompleteReadError: It was cut.
        """
        head = await self.answer_head()
        while head.status < 200:
            head = await self.answer_head()
        return head._replace(body=await self.answer_body(head, method))

    async def answer_body(self, head: Answer, method: str = "GET") -> bytes:
        """Read the body that a head announces."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            if method == "HEAD" or head.status in {204, 304}:
                return b""
            if head.header("Transfer-Encoding") == "chunked":
                pieces = []
                while piece := await self.chunk():
                    pieces.append(piece)
                return b"".join(pieces)
            length = head.header("Content-Length")
            return await (self.reader.read() if length is None else self.reader.readexactly(int(length)))

    async def chunk(self) -> bytes:
        """Read one chunk; the last one is empty, and takes the trailers with it."""
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        if size:
            data = await self.reader.readexactly(size + 2)
            return data[:-2]
        while await self.reader.readuntil(b"\r\n") != b"\r\n":
            pass
        return b""

    async def ends(self) -> bytes:
        """Return all that still comes before the other side ends the connection; a reset is an end as well."""
        pieces = []
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                while piece := await self.reader.read(2**16):
                    pieces.append(piece)
            except ConnectionResetError:
                pass
        return b"".join(pieces)
