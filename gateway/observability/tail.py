"""Trace items to those who listen; who listens too slowly loses some and is told, and never slows a request.

While nobody listens to a Worker its items cost nothing here: ``publish`` returns at once, and whoever makes them
can ask ``listening`` first or be told by ``on_change``.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from typing import Final

from gateway.model.version import WorkerName
from gateway.observability.event_bus import EventBus, Told
from gateway.observability.events import EventKind
from gateway.observability.tail_filters import TailFilter
from gateway.observability.trace_items import (
    TraceItem,
    overload_notice,
    overload_over,
    ray_of,
    redacted,
    with_wall_time,
)

QUEUE_ITEMS: Final = 1000
"""Events that wait for one reader; more are dropped."""

KNOWN_TIMES: Final = 4096
"""Requests whose wall time is remembered until their trace comes."""

HOLD_SECONDS: Final = 0.1
"""How long a trace waits for its request's end: the two race, and a longer wait could be seen."""

Later = Callable[[float, Callable[[], None]], object]


class TailSubscription:
    """What one reader still has to be sent.

    Args:
        clock: Seconds since the epoch.
        redact: Whether secrets are taken out (R113).
    """

    def __init__(
        self,
        worker: WorkerName,
        wanted: TailFilter,
        clock: Callable[[], float],
        size: int = QUEUE_ITEMS,
        *,
        redact: bool = True,
    ) -> None:
        self.redact = redact
        self.worker = worker
        self.wanted = wanted
        self._clock = clock
        self._items: deque[TraceItem] = deque()
        self._size = size
        self._lost = 0
        self._told_of_loss = False
        self._woken = asyncio.Event()
        self.closed = False

    def put(self, item: TraceItem) -> None:
        """Add an event, or count it as lost where too many wait."""
        if len(self._items) >= self._size:
            self._lost += 1
        else:
            self._items.append(item)
        self._woken.set()

    def lose(self, count: int) -> None:
        """Count events as lost that never came here."""
        self._lost += count
        self._woken.set()

    def close(self) -> None:
        """Let the reader know that nothing more comes."""
        self.closed = True
        self._woken.set()

    async def next(self) -> list[TraceItem]:
        """Wait until there is something and return it all, notices of loss too; nothing once it is closed."""
        await self._woken.wait()
        self._woken.clear()
        items = [] if self.closed else [*self._items, *self._notices()]
        self._items.clear()
        return items

    def _notices(self) -> Iterable[TraceItem]:
        now_ms = self._clock() * 1000
        if self._lost:
            yield overload_notice(self.worker, self._lost, now_ms)
        elif self._told_of_loss:
            yield overload_over(self.worker, now_ms)
        self._told_of_loss, self._lost = bool(self._lost), 0


class TailHub:
    """All tails of all Workers.

    Args:
        bus: Tells of requests as they end, from which traces get their wall time.
        draw: Random numbers on [0, 1), for tails that want a sample.
        clock: Seconds since the epoch.
        later: Calls a function after some seconds: ``loop.call_later``.
        on_change: Told with True when a Worker gets its first listener and with False when the last one goes.
    """

    def __init__(
        self,
        bus: EventBus,
        *,
        draw: Callable[[], float],
        clock: Callable[[], float],
        later: Later,
        on_change: Callable[[WorkerName, bool], None] = lambda _worker, _listening: None,
    ) -> None:
        self._bus = bus
        self._draw = draw
        self._clock = clock
        self._later = later
        self._on_change = on_change
        self._tails: dict[WorkerName, set[TailSubscription]] = {}
        self._requests = _Times(self)
        self._times: OrderedDict[str, float] = OrderedDict()
        self._held: dict[str, TraceItem] = {}

    def listening(self, worker: WorkerName) -> bool:
        """Return whether anybody wants a Worker's events."""
        return worker in self._tails

    @property
    def is_used(self) -> bool:
        """Whether anybody wants any Worker's events."""
        return bool(self._tails)

    def lose(self, count: int) -> None:
        """Tell all readers that so many events came too fast to be told."""
        for tails in self._tails.values():
            for subscription in tails:
                subscription.lose(count)

    def subscribe(self, worker: WorkerName, wanted: TailFilter, *, redact: bool = True) -> TailSubscription:
        """Start to collect a Worker's events for a reader, until ``unsubscribe``."""
        subscription = TailSubscription(worker, wanted, self._clock, redact=redact)
        self.attach(subscription)
        return subscription

    def attach(self, subscription: TailSubscription) -> None:
        """Hand a Worker's events to a subscription that was made already, until ``unsubscribe``."""
        worker = subscription.worker
        first = worker not in self._tails
        self._tails.setdefault(worker, set()).add(subscription)
        if len(self._tails) == 1 and first:
            self._bus.subscribe(self._requests, {EventKind.REQUEST}, worker, every=True)
        if first:
            self._on_change(worker, True)

    def unsubscribe(self, subscription: TailSubscription) -> None:
        """Forget a reader, and let it know; one that is forgotten already does not matter."""
        subscription.close()
        worker = subscription.worker
        tails = self._tails.get(worker, set())
        tails.discard(subscription)
        if tails or worker not in self._tails:
            return
        del self._tails[worker]
        if not self._tails:
            self._bus.unsubscribe(self._requests)
            self._times.clear()
        self._on_change(worker, False)

    def close(self) -> None:
        """End all tails: the gateway stops."""
        for subscription in [one for tails in self._tails.values() for one in tails]:
            self.unsubscribe(subscription)

    def publish(self, worker: WorkerName, item: TraceItem) -> None:
        """Hand an item to every reader of its Worker whose filter lets it pass."""
        if worker not in self._tails:
            return
        ray = ray_of(item)
        if ray and ray in self._times:
            self._deliver(with_wall_time(item, self._times[ray]))
        elif ray and ray not in self._held and len(self._held) < KNOWN_TIMES:
            self._held[ray] = item
            self._later(HOLD_SECONDS, lambda: self._release(ray))
        else:
            self._deliver(item)

    def note_wall_time(self, ray: str, milliseconds: float) -> None:
        """Remember how long a request took, for the trace that comes or waits already."""
        self._times[ray] = milliseconds
        if len(self._times) > KNOWN_TIMES:
            self._times.popitem(last=False)
        self._release(ray)

    def _release(self, ray: str) -> None:
        item = self._held.pop(ray, None)
        if item is not None:
            self._deliver(with_wall_time(item, self._times[ray]) if ray in self._times else item)

    def _deliver(self, item: TraceItem) -> None:
        shown: TraceItem | None = None
        for subscription in self._tails.get(item["scriptName"], ()):
            if subscription.wanted.passes(item, self._draw):
                shown = shown or redacted(item)
                subscription.put(shown if subscription.redact else item)


class _Times:
    """Takes from each request how long it took; see ``event_bus.Reader``."""

    def __init__(self, hub: TailHub) -> None:
        self._hub = hub

    def put(self, _sequence: int, event: Told) -> None:
        """Note a request; its event need not be made for that."""
        self._hub.note_wall_time(event.ray, event.duration_us / 1000)  # type: ignore[union-attr]  # asked for no others

    def miss(self, count: int) -> None:
        """It is told of every request."""

    def close(self) -> None:
        """The tails are ended by who stops the gateway."""
