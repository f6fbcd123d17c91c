"""WebSockets: ``python -m tests.integration.versions.sockets_version``.

``/echo`` echoes; ``/close?code=&reason=`` closes as told; ``/drop`` ends the connection without a close
frame; ``/refuse`` answers 403. Over plain HTTP ``/closed?name=`` tells how the socket that was opened with
this ``?name=`` was closed, ``/version`` the tag.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import parse_qsl

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from tests.integration.versions.small_server import metadata

ME = metadata()
CLOSED: dict[str, tuple[int | None, str | None]] = {}


def query_of(request: Request) -> dict[str, str]:
    """Return the parameters of a request."""
    return dict(parse_qsl(request.path.partition("?")[2]))


def answer_plainly(connection: ServerConnection, request: Request) -> Response | None:
    """Answer what is no handshake, and refuse one; ``None`` accepts it."""
    match request.path.partition("?")[0]:
        case "/version":
            return connection.respond(HTTPStatus.OK, ME.tag)
        case "/closed":
            return connection.respond(HTTPStatus.OK, json.dumps(CLOSED.get(query_of(request)["name"])))
        case "/refuse":
            body = b"not you"
            headers = Headers({"Content-Length": str(len(body)), "X-Why": "rules"})
            return Response(HTTPStatus.FORBIDDEN, "Forbidden", headers, body)
    return None


def pick_protocol(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Return the one protocol that is spoken here, if it was offered."""
    return next((protocol for protocol in offered if protocol == "chat.v1"), None)


async def handle(connection: ServerConnection) -> None:
    """Serve one socket."""
    assert connection.request is not None
    query = query_of(connection.request)
    match connection.request.path.partition("?")[0]:
        case "/close":
            await connection.close(int(query["code"]), query["reason"])
        case "/drop":
            connection.transport.abort()
        case _:
            try:
                async for message in connection:
                    await connection.send(message)
            except ConnectionClosed:
                pass
    await connection.wait_closed()
    if "name" in query:
        CLOSED[query["name"]] = (connection.close_code, connection.close_reason)


async def main() -> None:
    """Serve on ``$PORT`` for ever."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    port = int(os.environ["PORT"])
    async with serve(
        handle,
        "127.0.0.1",
        port,
        process_request=answer_plainly,
        select_subprotocol=pick_protocol,
        max_size=2**24,
        backlog=1024,
    ):
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main())
