"""What workerd processes send to the gateway, over one unix socket: traces, and requests for a decision."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import structlog
from aiohttp import web

from gateway.model.version import VersionId, WorkerName

log = structlog.get_logger("gateway.runtime")

MAX_TRACE_BYTES: Final = 64 << 20
"""workerd cuts a trace's logs by itself at far less."""

TakeTrace = Callable[[VersionId, Sequence[Mapping[str, Any]]], Awaitable[None]]
Decide = Callable[[WorkerName, Mapping[str, str]], VersionId | None]


class Intake:
    """Serves the socket that only the user's own processes can reach.

    Args:
        take_trace: Told a version's finished invocations.
        decide: Returns the version for a call of a service binding whose request carries signals, by their
            lower-case header names (R65); ``None`` where the Worker has no deployment.
    """

    def __init__(self, take_trace: TakeTrace, decide: Decide) -> None:
        self._take_trace = take_trace
        self._decide = decide
        self._site: web.AppRunner | None = None

    async def start(self, socket: Path) -> None:
        """Listen."""
        app = web.Application(client_max_size=MAX_TRACE_BYTES)
        app.add_routes([web.post("/tail", self._on_trace), web.post("/decide", self._on_question)])
        self._site = web.AppRunner(app, access_log=None)
        await self._site.setup()
        await web.UnixSite(self._site, str(socket)).start()

    async def close(self) -> None:
        """Listen no more."""
        if self._site is not None:
            await self._site.cleanup()

    async def _on_trace(self, request: web.Request) -> web.Response:
        told = await request.json()
        await self._take_trace(VersionId(told["version"]), told["events"])
        return web.Response()

    async def _on_question(self, request: web.Request) -> web.Response:
        asked = await request.json()
        return web.json_response({"version": self._decide(WorkerName(asked["worker"]), asked["headers"])})
