"""Small fixed answers where nginx is not installed: ``python -m benchmarks.small_upstream PORT BODY PORT BODY``.

Good for requests without a body only, which is all that wrk sends here.
"""

import asyncio
import sys
from functools import partial
from typing import cast

import uvloop


class _FixedAnswer(asyncio.Protocol):
    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._pending = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's, but have all its methods.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        *heads, self._pending = (self._pending + data).split(b"\r\n\r\n")
        if heads and self._transport is not None:
            self._transport.write(self._answer * len(heads))


async def _serve(arguments: list[str]) -> None:
    loop = asyncio.get_running_loop()
    for port, body in zip(arguments[::2], arguments[1::2], strict=True):
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
        answer = (head + body).encode()
        await loop.create_server(partial(_FixedAnswer, answer), "127.0.0.1", int(port), backlog=1024)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1:]))
