"""Applications that a test hands over, served on free loopback ports for as long as its edge runs."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Final

from aiohttp import web

from gateway.testing.asgi import AsgiApp, AsgiServer
from gateway.testing.errors import EdgeMisused

HOST: Final = "127.0.0.1"
SHUTDOWN_SECONDS: Final = 1.0


async def serve_aiohttp(app: web.Application, name: str, stack: AsyncExitStack) -> str:
    """Serve an aiohttp application until the stack ends, and return its URL.

    Args:
        name: Of the version, for errors.

    Raises:
        EdgeMisused: It ran in another event loop before: aiohttp binds an application to one.
    """
    bound = getattr(app, "_loop", None)
    if bound is not None and bound is not asyncio.get_running_loop():
        raise EdgeMisused(
            f"{name}: this aiohttp Application ran in another test's event loop, and aiohttp binds it to that one",
            remedy="Give a function that makes it instead: edge.worker('shop', v1=make_app).",
        )
    return await _listen(web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS), stack)


async def serve_asgi(app: AsgiApp, name: str, stack: AsyncExitStack) -> str:
    """Serve an ASGI application until the stack ends, and return its URL.

    Raises:
        EdgeMisused: It said at its start that it cannot run.
    """
    server = AsgiServer(app)
    try:
        await server.lifespan.start()
    except RuntimeError as error:
        raise EdgeMisused(f"{name}: {error}", remedy="See what its lifespan handler needs.") from error
    stack.push_async_callback(server.lifespan.close)
    plain = web.Server(server.handle, access_log=None, auto_decompress=False)
    return await _listen(web.ServerRunner(plain, shutdown_timeout=SHUTDOWN_SECONDS), stack)


async def _listen(runner: web.BaseRunner, stack: AsyncExitStack) -> str:
    stack.push_async_callback(runner.cleanup)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    return f"http://{HOST}:{runner.addresses[0][1]}"
