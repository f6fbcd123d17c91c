"""A Worker that calls its own Durable Objects: ``python -m tests.integration.versions.calling_version``.

``/buy/<name>`` calls the object as a stub would, says which version calls, and passes its own request's ray on. An
object of v2 does not understand calls of v1: 500.
"""

from __future__ import annotations

import asyncio
import os
from urllib.parse import urlsplit

from tests.integration.versions.small_server import Exchange, metadata, run

ME = metadata()
EDGE = urlsplit(os.environ["GATEWAY_URL"])


async def handle(exchange: Exchange) -> None:
    """Be the Worker, or the object."""
    if exchange.header("gateway-object"):
        strange = ME.tag == "v2" and exchange.header("x-caller") != "v2"
        await exchange.send(ME.tag.encode(), 500 if strange else 200)
        return
    name = exchange.path.rpartition("/")[2]
    reader, writer = await asyncio.open_connection(EDGE.hostname, EDGE.port)
    head = (
        f"GET /cdn-cgi/gateway/do/shop/Cart/{name}/items HTTP/1.1\r\nHost: {EDGE.netloc}\r\nX-Caller: {ME.tag}\r\n"
        f"CF-Ray: {exchange.header('cf-ray')}\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode())
    answer = await reader.read()
    writer.close()
    status = int(answer.split(b" ", 2)[1])
    await exchange.send_json(
        {"caller": ME.tag, "object": answer.rpartition(b"\r\n")[2].decode(), "status": status}
    )


if __name__ == "__main__":
    run(handle)
