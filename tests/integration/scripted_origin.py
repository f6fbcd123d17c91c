"""A version inside the test: a server at a ``url``, whose every byte the test decides."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from tests.integration.edge_process import one_worker

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Origin:
    """Where the server listens, and how many connections it has.

    Attributes:
        connections: How many were ever opened.
        open: How many are open now; one ends when the gateway ends it or the script is over.
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self._tasks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self.url = ""
        self.connections = 0
        self.open = 0

    def config(self, **gateway: object) -> dict[str, object]:
        """Return a configuration whose one version this is; ``gateway`` are keys such as ``timeouts``."""
        return one_worker([{"tag": "v1", "url": self.url}], {"v1": 100}, gateway=gateway)

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Let the script serve one connection."""
        self.connections += 1
        self.open += 1
        self._tasks[asyncio.get_running_loop().create_task(self._serve(reader, writer))] = writer

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            # What ends a script is the test's affair: its end, the peer's end, or ours.
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._script(reader, writer)
        finally:
            self.open -= 1
            writer.close()

    async def end(self) -> None:
        """End what the scripts still do, and every connection; what a script raised is raised here."""
        tasks, self._tasks = self._tasks, {}
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        for writer in tasks.values():
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        for end in ends:
            if isinstance(end, Exception):
                raise end


def new_listener() -> socket.socket:
    """Return a socket that listens on a free port."""
    return socket.create_server(("127.0.0.1", 0), backlog=1024)


@asynccontextmanager
async def scripted_origin(
    script: Script, unix_path: Path | None = None, listener: socket.socket | None = None
) -> AsyncIterator[Origin]:
    """Serve every connection by ``script``, on a free port, at a unix socket, or on a socket that listens already.

    With the latter, one gateway serves many tests: the port stays, the script changes.
    """
    origin = Origin(script)
    server: asyncio.Server
    if unix_path is not None:
        server = await asyncio.start_unix_server(origin.connected, unix_path)
        origin.url = f"unix:{unix_path}"
    else:
        listening = new_listener() if listener is None else listener.dup()
        server = await asyncio.start_server(origin.connected, sock=listening)
        origin.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield origin
    finally:
        server.close()
        await origin.end()
        await asyncio.sleep(0)  # a connection that was being accepted
        await origin.end()
        await server.wait_closed()


async def read_head(reader: asyncio.StreamReader) -> bytes:
    """Read the head of a request.

    Raises:
        asyncio.IncompleteReadError: The connection ended instead.
    """
    return await reader.readuntil(b"\r\n\r\n")


def answer(body: bytes, status: str = "200 OK", *lines: str) -> bytes:
    """Return the bytes of an answer of known length."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines, "", ""]
    return "\r\n".join(head).encode("latin-1") + body
