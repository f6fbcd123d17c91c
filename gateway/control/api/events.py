"""``GET /api/events``: what happens at the edge, and ``…/tail``: invocations of one Worker; as server-sent events.

A reader that does not keep up loses the oldest and is told how many. How much of the gateway's time one reader can
take is bounded: after a batch the stream rests for a multiple of what the batch took.

Source: WHATWG HTML, Server-sent events.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from gateway.control.api.guard import harden
from gateway.control.api.queries import query_of
from gateway.control.catalog import Catalog
from gateway.errors import BadRequest, NotFound
from gateway.model.version import WorkerName
from gateway.observability.event_bus import ALL_KINDS, RECENT_EVENTS, EventBus, Subscription
from gateway.observability.event_filters import EventFilter, Status, tail_filter_of
from gateway.observability.event_views import event_view
from gateway.observability.events import KIND_OF, Event, EventKind
from gateway.observability.tail import TailHub, TailSubscription

ALIVE_SECONDS: Final = 10.0
REST_SECONDS: Final = 0.05
BUSY_SHARE: Final = 0.02
"""At most so much of the gateway's time goes into one reader."""

_AT_ONCE: Final = 50
_FILTERS: Final = ("version", "status", "method", "search", "sampling_rate", "redact")
_GREETING: Final = b"retry: 1000\n\n"
_ALIVE: Final = b": alive\n\n"
_BOOLEANS: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class ListeningParts:
    """What the stream stands on; built by ``assembly``.

    Args:
        draw: Random numbers on [0, 1), for readers that want a sample.
    """

    bus: EventBus
    tails: TailHub
    catalog: Catalog
    draw: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a reader asked for.

    Args:
        last: How many recent events come first.
        after: Number of the last event that the reader has seen; with it, all since then come first.
    """

    wanted: EventFilter
    redact: bool
    last: int
    after: int


def event_routes(parts: ListeningParts) -> list[web.RouteDef]:
    """Return the routes."""
    stream = _Stream(parts)
    return [web.get("/api/events", stream.events), web.get("/api/workers/{worker}/tail", stream.tail)]


class _Stream:
    def __init__(self, parts: ListeningParts) -> None:
        self._parts = parts

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Send events until either side ends it."""
        query = query_of(request, (*_FILTERS, "worker", "kinds", "last"))
        wish = wish_of(
            query, query.get("worker", ""), request.headers.get("Last-Event-ID", ""), self._parts.catalog
        )
        response = _stream_response()
        woken = asyncio.Event()
        screen = wish.wanted.sampled(self._parts.draw)
        reader = Subscription(woken.set, screen=screen)
        bus = self._parts.bus
        earlier = bus.recent(wish.wanted.kinds, wish.wanted.screens, last=wish.last, after=wish.after)
        only = WorkerName(wish.wanted.worker) or None
        bus.subscribe(reader, wish.wanted.kinds, only, every=screen is not None)
        try:
            with contextlib.suppress(ConnectionError):
                await response.prepare(request)
                await response.write(_GREETING)
                await self._send(response, earlier, 0, wish)
                await self._relay(response, reader, woken, wish)
        finally:
            bus.unsubscribe(reader)
        return response

    async def tail(self, request: web.Request) -> web.StreamResponse:
        """Send trace items of one Worker (R112) until either side ends it."""
        query, worker = query_of(request, _FILTERS), request.match_info["worker"]
        wish = wish_of(query, worker, "", self._parts.catalog)
        response = _stream_response()
        hub = self._parts.tails
        reader = hub.subscribe(WorkerName(worker), tail_filter_of(wish.wanted), redact=wish.redact)
        try:
            with contextlib.suppress(ConnectionError):
                await response.prepare(request)
                await response.write(_GREETING)
                while not reader.closed:
                    await response.write(await _next_items(reader))
        finally:
            hub.unsubscribe(reader)
        return response

    async def _relay(
        self, response: web.StreamResponse, reader: Subscription, woken: asyncio.Event, wish: Wish
    ) -> None:
        clock = asyncio.get_running_loop().time
        while not reader.closed:
            try:
                async with asyncio.timeout(ALIVE_SECONDS):
                    await woken.wait()
            except TimeoutError:
                await response.write(_ALIVE)
                continue
            woken.clear()
            began = clock()
            taken = reader.take()
            spent = clock() - began + await self._send(response, *taken, wish)
            await asyncio.sleep(max(REST_SECONDS, spent / BUSY_SHARE))

    async def _send(
        self, response: web.StreamResponse, events: Sequence[tuple[int, Event]], missed: int, wish: Wish
    ) -> float:
        """Send some events, and return how long it took to write them down, in seconds."""
        clock = asyncio.get_running_loop().time
        spent = 0.0
        if missed:
            await response.write(message("missed", {"count": missed}))
        for first in range(0, len(events), _AT_ONCE):
            began = clock()
            text = b"".join(_messages(events[first : first + _AT_ONCE], wish))
            spent += clock() - began
            await response.write(text)
            await asyncio.sleep(0)  # requests go first
        return spent


def _messages(events: Sequence[tuple[int, Event]], wish: Wish) -> Iterator[bytes]:
    for sequence, event in events:
        if wish.wanted.finds(event):
            yield message(KIND_OF[type(event)], event_view(event, redact=wish.redact), sequence)


def message(kind: str, content: object, sequence: int | None = None) -> bytes:
    """Return one server-sent event; JSON without line ends is one line of data, whatever it holds."""
    number = "" if sequence is None else f"id: {sequence}\n"
    return f"event: {kind}\n{number}data: {json.dumps(content)}\n\n".encode("ascii")


def _stream_response() -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    harden(response)
    return response


async def _next_items(reader: TailSubscription) -> bytes:
    try:
        async with asyncio.timeout(ALIVE_SECONDS):
            return b"".join([message("tail", item) for item in await reader.next()])
    except TimeoutError:
        return _ALIVE


def wish_of(query: Mapping[str, str], worker: str, seen: str, catalog: Catalog) -> Wish:
    """Return what a query asks for.

    Args:
        worker: The only one that is wanted, or empty.
        seen: The last event's number that the reader has seen, or empty.

    Raises:
        BadRequest: A parameter is not understood. NotFound: There is no such Worker or version.
    """
    if worker:
        catalog.find(worker)
    wanted = EventFilter(
        kinds=_kinds(query.get("kinds")),
        worker=worker,
        version_ids=_version_ids(catalog, worker, query["version"]) if query.get("version") else None,
        status=_status(query.get("status")),
        method=query.get("method", "").upper(),
        search=query.get("search", ""),
        sampling_rate=_rate(query.get("sampling_rate", "1")),
    )
    redact = _BOOLEANS.get(query.get("redact", "true"))
    if redact is None:
        raise BadRequest(f"'redact' is {query['redact']!r}", remedy="Give true or false.")
    if seen.isascii() and seen.isdigit():
        return Wish(wanted, redact, RECENT_EVENTS, int(seen))
    return Wish(wanted, redact, _last(query.get("last", "0")), 0)


def _version_ids(catalog: Catalog, worker: str, reference: str) -> frozenset[str]:
    """Return the versions that a reference names: of one Worker, or one of each that knows it."""
    if worker:
        return frozenset({catalog.find(worker).find(reference).id})
    found = set()
    for record in catalog.workers.values():
        with contextlib.suppress(NotFound):
            found.add(record.find(reference).id)
    if not found:
        raise NotFound(f"no Worker has a version {reference!r}", remedy="gateway versions list shows them.")
    return frozenset(found)


def _kinds(value: str | None) -> frozenset[EventKind]:
    if not value:
        return ALL_KINDS
    try:
        return frozenset(map(EventKind, value.split(",")))
    except ValueError:
        raise BadRequest(f"'kinds' is {value!r}", remedy=f"Known: {', '.join(EventKind)}.") from None


def _status(value: str | None) -> Status | None:
    try:
        return Status(value) if value else None
    except ValueError:
        raise BadRequest(f"'status' is {value!r}", remedy=f"Give one of: {', '.join(Status)}.") from None


def _rate(value: str) -> float:
    try:
        rate = float(value)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 1:
        raise BadRequest(f"'sampling_rate' is {value!r}", remedy="Give a number above 0, at most 1.")
    return rate


def _last(value: str) -> int:
    if not (value.isascii() and value.isdigit() and int(value[:9]) <= RECENT_EVENTS):
        raise BadRequest(f"'last' is {value!r}", remedy=f"Give a whole number from 0 to {RECENT_EVENTS}.")
    return int(value)
