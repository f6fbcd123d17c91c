"""The Durable Object class ``Counter``: what one object keeps in memory, and what a reset takes from it.

The gateway sees to it that one version at a time runs an object (R46). When that version changes, it tells the
old one, which drops the object from memory (R56); storage stays, and the object begins anew at its next request.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from sample_workers.counter.storage import Storage, Stored
from sample_workers.runtime import Settings, close_sockets, open_socket, whole_number

CLASS_NAME = "Counter"
SERVICE_RESTART = 1012
# R57, word for word.
RESET_REASON = "Durable Object connection closed because the object was reset."
MOST_UNSENT_ANSWERS = 64
MOST_AT_ONCE = 100

Answer = dict[str, Any]


class Counter:
    """One object: a count in memory that a reset ends, a count in storage that stays."""

    def __init__(self, name: str, settings: Settings, storage: Storage) -> None:
        self.name = name
        self._settings = settings
        self._storage = storage
        self._memory_count = 0
        self._started_at = now()
        self._instance = uuid.uuid4().hex
        self._feeds: dict[web.WebSocketResponse, asyncio.Queue[Answer]] = {}
        self._was_reset = False

    async def fetch(self, request: web.Request) -> web.StreamResponse:
        """Answer a request for this object: POST counts, a WebSocket at ``…/ws`` listens, GET reads.

        Raises:
            web.HTTPBadRequest: How much ``…/add`` is to add is no number.
            web.HTTPMethodNotAllowed: Any other method.
        """
        if request.method == "POST":
            if request.path.endswith("/add"):
                return await self._add(request)
            return web.json_response(await self.increment())
        if request.method not in {"GET", "HEAD"}:
            raise web.HTTPMethodNotAllowed(request.method, ["GET", "HEAD", "POST"])
        if request.path.endswith("/ws"):
            return await self._push_changes(request)
        return web.json_response(await self.read())

    async def read(self) -> Answer:
        """Return the counts as they are."""
        return self._answer(await self._storage.read(self.name))

    async def increment(self, by: int = 1) -> Answer:
        """Add to both counts, tell the WebSockets, return the counts."""
        stored = await self._storage.increment(self.name, by)
        # After the write: storage answers in the order it was asked, so both counts grow together.
        self._memory_count += by
        answer = self._answer(stored)
        for feed in self._feeds.values():
            if feed.full():
                # A client that reads too slowly loses old counts; the newest always arrives.
                feed.get_nowait()
            feed.put_nowait(answer)
        return answer

    async def _add(self, request: web.Request) -> web.Response:
        """Add several at once, which only v2 can: the call that two versions do not both understand (R51)."""
        if self._settings.version == "v1":
            return web.json_response({"error": "Counter of v1 does not implement 'add'"}, status=501)
        return web.json_response(await self.increment(whole_number(request, "count", most=MOST_AT_ONCE)))

    async def close_connections(self) -> None:
        """Close the object's WebSockets as a reset does, and any that is being opened now (R57)."""
        self._was_reset = True
        await close_sockets(self._feeds, SERVICE_RESTART, RESET_REASON)

    def _answer(self, stored: Stored) -> Answer:
        answer: Answer = {
            "object": self.name,
            "version": self._settings.version,
            "version_id": self._settings.metadata.id,
            "memory_count": self._memory_count,
            "stored_count": stored.count,
            "started_at": self._started_at,
            "instance": self._instance,
            "resets_seen": stored.resets,
            "last_reset": stored.last_reset,
        }
        if self._settings.version == "v2":
            # A field more, none less: callers of v1 and of v2 understand both answers (R51).
            answer["doubled"] = 2 * stored.count
        return answer

    async def _push_changes(self, request: web.Request) -> web.WebSocketResponse:
        async with open_socket(request) as socket, asyncio.TaskGroup() as tasks:
            feed = asyncio.Queue[Answer](MOST_UNSENT_ANSWERS)
            self._feeds[socket] = feed
            if self._was_reset:
                # The reset came during this handshake; the client must reconnect to reach the new version.
                await self.close_connections()
            sender = tasks.create_task(self._send_answers(socket, feed))
            try:
                async for _ in socket:
                    pass  # Reading notices the client's close; what a client says here has no meaning.
            finally:
                del self._feeds[socket]
                sender.cancel()
        return socket

    async def _send_answers(self, socket: web.WebSocketResponse, feed: asyncio.Queue[Answer]) -> None:
        # The client may go, or a reset close the socket, between a change and its sending.
        with contextlib.suppress(ConnectionError):
            await socket.send_json(await self.read())
            while True:
                await socket.send_json(await feed.get())


class Counters:
    """The objects this process runs, each begun at its first request."""

    def __init__(self, settings: Settings, storage: Storage) -> None:
        self._settings = settings
        self._storage = storage
        self._running: dict[str, Counter] = {}

    def get(self, name: str) -> Counter:
        """Return the object of a name, begun if it does not run here."""
        counter = self._running.get(name)
        if counter is None:
            counter = self._running[name] = Counter(name, self._settings, self._storage)
        return counter

    async def reset(self, name: str, why: Mapping[str, Any]) -> None:
        """Drop an object's memory, remember when and why in storage, close its WebSockets (R56, R57).

        Requests in flight finish on the dropped object (R58); their count is stored, the memory is lost.
        """
        dropped = self._running.pop(name, None)
        await self._storage.record_reset(name, {"at": now(), **why})
        if dropped is not None:
            await dropped.close_connections()


def now() -> str:
    """Return the time in UTC, as JSON shows it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
