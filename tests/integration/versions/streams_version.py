"""Bodies of any length, and answers that do not come: ``python -m tests.integration.versions.streams_version``.

``/upload`` counts a body; ``/download?bytes=`` sends one (``&chunked=1`` without a length);
``/cut?bytes=&sent=`` promises more than it sends and waits; ``/pid`` tells the process's id; ``/hang`` never
answers. Both end once the gateway ends the connection.
"""

from __future__ import annotations

import os
import zlib

from tests.integration.versions.small_server import BLOCK_BYTES, Exchange, run

BLOCK = os.urandom(1024) * (BLOCK_BYTES // 1024)


async def handle(exchange: Exchange) -> None:
    """Answer one request."""
    number = {name: int(value) for name, value in exchange.query.items()}
    match exchange.path:
        case "/upload":
            checksum = 0

            def add(piece: bytes) -> None:
                nonlocal checksum
                checksum = zlib.crc32(piece, checksum)

            length = await exchange.read_body(add if "crc" in number else bool)
            await exchange.send_json({"bytes": length, "crc32": checksum})
        case "/download":
            await download(exchange, number["bytes"], chunked="chunked" in number)
        case "/cut":
            chunked = "chunked" in number
            exchange.start(200, length=None if chunked else number["bytes"])
            part = b"x" * number["sent"]
            exchange.writer.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
            await exchange.reader.read()
        case "/pid":
            await exchange.send_json({"pid": os.getpid()})
        case "/hang":
            await exchange.reader.read()
        case _:
            await exchange.send(b"ok")


async def download(exchange: Exchange, length: int, *, chunked: bool) -> None:
    """Send so many bytes."""
    await exchange.read_body()
    exchange.start(200, "Content-Type: application/octet-stream", length=None if chunked else length)
    sent = 0
    while sent < length:
        piece = BLOCK[: length - sent]
        sent += len(piece)
        if chunked:
            await exchange.chunk(piece)
        else:
            exchange.writer.write(piece)
            await exchange.writer.drain()
    if chunked:
        await exchange.chunk(b"")


if __name__ == "__main__":
    run(handle)
