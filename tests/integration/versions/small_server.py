"""A small HTTP/1.1 server on asyncio alone: it starts in a moment, and shows what it was sent as it came."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TextIO
from urllib.parse import parse_qsl

BLOCK_BYTES = 2**18


class Metadata(NamedTuple):
    """What the gateway tells a version of itself."""

    id: str
    tag: str


def metadata() -> Metadata:
    """Return id and tag from ``$CF_VERSION_METADATA``."""
    told = json.loads(os.environ["CF_VERSION_METADATA"])
    return Metadata(told["id"], told["tag"])


def say(line: str, stream: TextIO | None = None) -> None:
    """Print a line, at once."""
    stream = sys.stdout if stream is None else stream
    stream.write(f"{line}\n")
    stream.flush()


class Exchange:
    """One request, and the way to answer it."""

    def __init__(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = lines[0].split(" ")
        self.headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:-2])]
        self.path, _, query = self.target.partition("?")
        self.query = dict(parse_qsl(query))
        self.reader = reader
        self.writer = writer
        self._fields = {name.lower(): value for name, value in self.headers}
        self._body_read = False

    def header(self, name: str) -> str:
        """Return a field's value, or an empty string."""
        return self._fields.get(name.lower(), "")

    async def read_body(self, take: Callable[[bytes], object] = bool) -> int:
        """Hand the body to ``take`` piece by piece, and return its length."""
        self._body_read = True
        total = 0
        if self.header("transfer-encoding") == "chunked":
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                take((await self.reader.readexactly(size + 2))[:-2])
                total += size
            while await self.reader.readuntil(b"\r\n") != b"\r\n":
                pass
            return total
        length = int(self.header("content-length") or 0)
        while total < length:
            piece = await self.reader.read(min(BLOCK_BYTES, length - total))
            if not piece:
                raise asyncio.IncompleteReadError(b"", length - total)
            take(piece)
            total += len(piece)
        return total

    def start(self, status: int, *headers: str, length: int | None = None) -> None:
        """Begin an answer: of known length, else in chunks."""
        framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        lines = [f"HTTP/1.1 {status} Status", framing, *headers, "", ""]
        self.writer.write("\r\n".join(lines).encode("latin-1"))

    async def chunk(self, data: bytes) -> None:
        """Send a chunk; an empty one ends the answer."""
        self.writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self.writer.drain()

    async def send(self, body: bytes, status: int = 200, *headers: str) -> None:
        """Send a whole answer, having read the whole request."""
        if not self._body_read:
            await self.read_body()
        self.start(status, *headers, length=len(body))
        self.writer.write(body)
        await self.writer.drain()

    async def send_json(self, content: dict[str, Any], status: int = 200) -> None:
        """Send a whole answer in JSON."""
        await self.send(json.dumps(content).encode(), status, "Content-Type: application/json")


Handler = Callable[[Exchange], Awaitable[None]]


async def serve(handle: Handler) -> None:
    """Serve on ``$PORT`` for ever."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await handle(Exchange(head, reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the gateway ended the connection
        finally:
            writer.close()

    server = await asyncio.start_server(
        connected, "127.0.0.1", int(os.environ["PORT"]), limit=2 * BLOCK_BYTES, backlog=1024
    )
    async with server:
        await server.serve_forever()


def run(handle: Handler) -> None:
    """Serve until a signal ends the process."""
    asyncio.run(serve(handle))
