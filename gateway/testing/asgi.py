"""An ASGI application behind aiohttp's server: HTTP, WebSocket and lifespan, as ASGI 3.0 tells them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

from aiohttp import WSMsgType, web

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]
"""``app(scope, receive, send)``; frameworks write the three types in ways of their own."""

_VERSIONS = {"version": "3.0", "spec_version": "2.3"}
_PROTOCOLS = "sec-websocket-protocol"
_NORMAL_CLOSURE = 1000


class Lifespan:
    """Tells an application that its server starts and ends; one that knows nothing of it is left alone."""

    def __init__(self, app: AsgiApp, state: dict[str, Any]) -> None:
        self._app = app
        self._state = state
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._outbox: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return once the application has started.

        Raises:
            RuntimeError: It said that it cannot; with its own words.
        """
        self._task = asyncio.create_task(self._run())
        answer = await self._tell("lifespan.startup")
        if answer["type"] == "lifespan.startup.failed":
            raise RuntimeError(f"its startup failed: {answer.get('message', '')}")

    async def close(self) -> None:
        """Let it end."""
        if self._task is not None and not self._task.done():
            await self._tell("lifespan.shutdown")
            await self._task

    async def _tell(self, kind: str) -> Message:
        await self._inbox.put({"type": kind})
        return await self._outbox.get()

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": _VERSIONS, "state": self._state}
        try:
            await self._app(scope, self._inbox.get, self._outbox.put)
        except Exception:  # noqa: BLE001 - ASGI: an application that raises here does not support it
            self._state.clear()
        finally:
            self._outbox.put_nowait({"type": "ended"})


class AsgiServer:
    """Answers requests by an ASGI application."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self._state: dict[str, Any] = {}
        self.lifespan = Lifespan(app, self._state)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, or serve one WebSocket to its end."""
        if request.headers.get("Upgrade", "").lower() == "websocket":
            socket = _Socket(request)
            await self._app({**self._scope(request), **socket.scope}, socket.receive, socket.send)
            return await socket.ended()
        exchange = _Exchange(request)
        await self._app({**self._scope(request), "type": "http"}, exchange.receive, exchange.send)
        if exchange.response is None:
            raise RuntimeError("the ASGI application returned without an answer")
        return exchange.response

    def _scope(self, request: web.BaseRequest) -> dict[str, Any]:
        path, _, query = request.raw_path.partition("?")
        transport = request.transport
        return {
            "asgi": _VERSIONS,
            "http_version": f"{request.version.major}.{request.version.minor}",
            "method": request.method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode("latin-1", "replace"),
            "query_string": query.encode("latin-1", "replace"),
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.raw_headers],
            "client": transport.get_extra_info("peername") if transport else None,
            "server": transport.get_extra_info("sockname") if transport else None,
            "state": dict(self._state),
        }


class _Exchange:
    """One request and its answer."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self._ended = asyncio.Event()
        self._body_read = False
        self.response: web.StreamResponse | None = None

    async def receive(self) -> Message:
        if self._body_read:
            await self._ended.wait()
            return {"type": "http.disconnect"}
        body = await self._request.content.readany()
        self._body_read = self._request.content.at_eof()
        return {"type": "http.request", "body": body, "more_body": not self._body_read}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.response = web.StreamResponse(status=message["status"])
            for name, value in message.get("headers", ()):
                self.response.headers.add(name.decode("latin-1"), value.decode("latin-1"))
            await self.response.prepare(self._request)
        elif message["type"] == "http.response.body":
            await self._send_body(message)

    async def _send_body(self, message: Message) -> None:
        if self.response is None:
            raise RuntimeError("http.response.body came before http.response.start")
        if body := message.get("body", b""):
            await self.response.write(body)
        if not message.get("more_body", False):
            await self.response.write_eof()
            self._ended.set()


class _Socket:
    """One WebSocket."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self._connected = False
        self._socket: web.WebSocketResponse | None = None

    @property
    def scope(self) -> dict[str, Any]:
        offered = self._request.headers.get(_PROTOCOLS, "")
        protocols = [one.strip() for one in offered.split(",") if one.strip()]
        return {"type": "websocket", "scheme": "ws", "subprotocols": protocols}

    async def receive(self) -> Message:
        if not self._connected:
            self._connected = True
            return {"type": "websocket.connect"}
        if self._socket is None:
            return {"type": "websocket.disconnect", "code": 1006}
        message = await self._socket.receive()
        if message.type is WSMsgType.TEXT:
            return {"type": "websocket.receive", "text": message.data}
        if message.type is WSMsgType.BINARY:
            return {"type": "websocket.receive", "bytes": message.data}
        return {"type": "websocket.disconnect", "code": self._socket.close_code or 1006}

    async def send(self, message: Message) -> None:
        if message["type"] == "websocket.accept":
            await self._accept(message)
        elif message["type"] == "websocket.close":
            await self._close(message)
        elif self._socket is not None and message.get("text") is not None:
            await self._socket.send_str(message["text"])
        elif self._socket is not None:
            await self._socket.send_bytes(message["bytes"])

    async def _accept(self, message: Message) -> None:
        chosen = message.get("subprotocol")
        self._socket = web.WebSocketResponse(protocols=[chosen] if chosen else [])
        for name, value in message.get("headers", ()):
            self._socket.headers.add(name.decode("latin-1"), value.decode("latin-1"))
        await self._socket.prepare(self._request)

    async def _close(self, message: Message) -> None:
        if self._socket is not None:
            reason = (message.get("reason") or "").encode()
            await self._socket.close(code=message.get("code", _NORMAL_CLOSURE), message=reason)

    async def ended(self) -> web.StreamResponse:
        """Return what aiohttp is to send, once the application has returned: ASGI answers 403 to a refusal."""
        if self._socket is None:
            return web.Response(status=403)
        if not self._socket.closed:
            await self._socket.close()
        return self._socket
