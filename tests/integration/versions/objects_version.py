"""Durable Objects whose every event is written down: ``python -m tests.integration.versions.objects_version``.

Appends a JSON line to ``$RECORD`` for each request (``request``), and for each reset notice as it comes
(``reset``) and after it was answered (``reset answered``). All versions write to one file, so that the order
of events shows. A notice is answered after ``$RESET_SECONDS``; ``/hold`` waits for the file ``?until=``. A
WebSocket handshake is accepted, the tag sent, and what comes is sent back until somebody ends the connection.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from urllib.parse import quote

from tests.integration.versions.small_server import Exchange, metadata, run

ME = metadata()
RECORD = (
    os.open(os.environ["RECORD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) if "RECORD" in os.environ else -1
)
RESET_PATH = "/cdn-cgi/gateway/reset"


def note(event: str, object_name: str, **more: object) -> None:
    """Append one event, in one write, so that lines of several processes do not mix."""
    if RECORD >= 0:
        line = {"event": event, "version": ME.tag, "object": object_name, **more}
        os.write(RECORD, json.dumps(line).encode() + b"\n")


async def wait_for_file(path: str) -> None:
    """Return once a file is there."""
    while not Path(path).exists():
        await asyncio.sleep(0.01)


async def handle(exchange: Exchange) -> None:
    """Answer one request, or take a notice."""
    if exchange.path == RESET_PATH:
        await take_notice(exchange)
        return
    name = exchange.header("gateway-object")
    note("request", name, target=exchange.target, method=exchange.method)
    if exchange.header("upgrade") == "websocket":
        exchange.writer.write(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        exchange.writer.write(ME.tag.encode())
        while piece := await exchange.reader.read(2**16):
            exchange.writer.write(piece)
        return
    if exchange.path.endswith("/hold"):
        await wait_for_file(exchange.query["until"])
    await exchange.send_json(
        {"tag": ME.tag, "object": name, "target": exchange.target, "headers": exchange.headers}
    )


async def take_notice(exchange: Exchange) -> None:
    """Write a notice down, and answer it when told to."""
    pieces: list[bytes] = []
    await exchange.read_body(pieces.append)
    told = json.loads(b"".join(pieces))
    name = f"{told['class']}/{quote(told['name'], safe='')}"
    note("reset", name, told=told, method=exchange.method)
    await asyncio.sleep(float(os.environ.get("RESET_SECONDS", "0")))
    note("reset answered", name)
    await exchange.send(b"", 204)


if __name__ == "__main__":
    run(handle)
