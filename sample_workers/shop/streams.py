"""What a gateway must carry: WebSocket, server-sent events, slow answers, bodies of any length, a crash."""

from __future__ import annotations

import json
import os
import sys
from typing import NoReturn

from aiohttp import WSMsgType, web

from sample_workers.runtime import SETTINGS, bounded_number, open_socket, wait_unless_stopping

CRASH_EXIT_CODE = 3
SUBPROTOCOL = "echo.v1"
MOST_EVENTS = 100_000
LONGEST_WAIT_SECONDS = 600


def add_streams(app: web.Application) -> None:
    """Add the routes of this file to an application."""
    app.router.add_get("/ws", websocket)
    app.router.add_get("/events", events)
    app.router.add_get("/slow", slow)
    app.router.add_route("*", "/echo", echo)
    app.router.add_post("/crash", crash)


async def websocket(request: web.Request) -> web.WebSocketResponse:
    """Say which version holds the connection, then echo; a later deployment does not move it."""
    async with open_socket(request, [SUBPROTOCOL]) as socket:
        await socket.send_json({"version": request.app[SETTINGS].version})
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await socket.send_bytes(message.data)
        return socket


async def events(request: web.Request) -> web.StreamResponse:
    """Send ``?n=`` events, one every ``?interval=`` seconds, each with the version."""
    count = int(bounded_number(request, "n", default=10, most=MOST_EVENTS))
    interval = bounded_number(request, "interval", default=1, most=LONGEST_WAIT_SECONDS)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    await response.prepare(request)
    version = request.app[SETTINGS].version
    for number in range(1, count + 1):
        if number > 1 and not await wait_unless_stopping(request.app, interval):
            break
        data = json.dumps({"version": version, "number": number, "of": count})
        await response.write(f"id: {number}\ndata: {data}\n\n".encode())
    return response


async def slow(request: web.Request) -> web.Response:
    """Answer after ``?ms=`` milliseconds; a version that is told to stop meanwhile answers 503 at once."""
    milliseconds = bounded_number(request, "ms", default=1000, most=LONGEST_WAIT_SECONDS * 1000)
    version = request.app[SETTINGS].version
    if await wait_unless_stopping(request.app, milliseconds / 1000):
        return web.Response(text=f"{version} waited {milliseconds:g} ms\n")
    raise web.HTTPServiceUnavailable(text=f"{version} is stopping\n")


async def echo(request: web.Request) -> web.StreamResponse:
    """Answer with the body as it came, piece by piece and with its length where that is known."""
    response = web.StreamResponse()
    for name in ("Content-Type", "Content-Encoding"):
        if name in request.headers:
            response.headers[name] = request.headers[name]
    response.headers.setdefault("Content-Type", "application/octet-stream")
    response.content_length = request.content_length if request.can_read_body else 0
    await response.prepare(request)
    async for piece in request.content.iter_any():
        await response.write(piece)
    return response


async def crash(_request: web.Request) -> NoReturn:
    """End the process as a crash does: no answer, no farewell, exit code 3."""
    sys.stdout.flush()
    # Not sys.exit(): the server would turn SystemExit into an orderly end.
    os._exit(CRASH_EXIT_CODE)
