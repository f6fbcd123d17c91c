"""Events from those who know to those who listen; who listens too slowly loses some and is told, and slows nobody.

Nobody listens: a request costs one look at an empty tuple. Somebody does: an event is made when it is read, so
what is pushed out of a full queue was never made. Of a flood of requests those who only watch are told some, and
how many there were beside; who needs every one, or picks few of them by a screen, is told of each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from typing import Final, NamedTuple, Protocol

from gateway.model.version import WorkerName
from gateway.observability.events import KIND_OF, EndedRequest, Event, EventKind

QUEUE_EVENTS: Final = 1000
"""Events that wait for one reader; the oldest go first."""

REQUESTS_PER_SECOND: Final = 1000
"""Of so many requests those are told who only watch; after a quiet second of as many at once."""

REFILL_SECONDS: Final = 0.05

RECENT_EVENTS: Final = 500
"""Of each kind so many are kept for who comes later."""

LINGER_SECONDS: Final = 30.0
"""For so long requests are still noted when the last reader has gone: a page that is reloaded misses none."""

ALL_KINDS: Final = frozenset(EventKind)
Told = Event | EndedRequest
Screen = Callable[[Told], bool]


class Reader(Protocol):
    """Who is told of events."""

    def put(self, sequence: int, event: Told) -> None:
        """Take an event; on the path of a request, so this must be quick and must not raise."""

    def miss(self, count: int) -> None:
        """Know that so many requests were not told."""

    def close(self) -> None:
        """Nothing more comes."""


class Taken(NamedTuple):
    """What a reader has not seen yet.

    Args:
        events: With their sequence numbers, the oldest first.
        missed: How many more there were since it looked last.
    """

    events: list[tuple[int, Event]]
    missed: int


class Subscription:
    """A bounded queue of events; a slow reader loses the oldest and is told how many (design 3.7).

    Args:
        wake: Called when something has come.
        screen: Tells, of an event or of a request that ended, whether it is wanted at all.
    """

    def __init__(
        self, wake: Callable[[], None], *, size: int = QUEUE_EVENTS, screen: Screen | None = None
    ) -> None:
        self._waiting: deque[tuple[int, Told]] = deque(maxlen=size)
        self._wake = wake
        self._screen = screen
        self._missed = 0
        self.closed = False

    def put(self, sequence: int, event: Told) -> None:
        """Add an event, pushing the oldest out when full."""
        if self._screen is not None and not self._screen(event):
            return
        if len(self._waiting) == self._waiting.maxlen:
            self._missed += 1
        self._waiting.append((sequence, event))
        self._wake()

    def miss(self, count: int) -> None:
        """Count requests that were not told."""
        self._missed += count
        self._wake()

    def close(self) -> None:
        """Let the reader know that nothing more comes."""
        self.closed = True
        self._wake()

    def take(self) -> Taken:
        """Return and forget what has come since the last call."""
        waiting = list(self._waiting)
        self._waiting.clear()
        missed, self._missed = self._missed, 0
        return Taken([(sequence, made(event)) for sequence, event in waiting], missed)


class EventBus:
    """The one dispatcher of all events.

    Args:
        later: Calls a function after some seconds: ``loop.call_later``.
        first: The first event's number; numbers that go on over a restart let a reader say what it saw last.

    Attributes:
        request_readers: Who wants requests; the data plane asks for it before it tells of one.
        on_change: Called whenever a reader came or went.
    """

    def __init__(self, *, later: Callable[[float, Callable[[], None]], object], first: int = 1) -> None:
        self._later = later
        self._next = first
        self._readers: dict[Reader, _Wish] = {}
        self._recent: dict[EventKind, deque[tuple[int, Told]]] = {
            kind: deque(maxlen=RECENT_EVENTS) for kind in EventKind
        }
        self._memory = _Memory(self._recent[EventKind.REQUEST])
        self._of_all: tuple[Reader, ...] = ()
        self._of_some: tuple[Reader, ...] = ()
        self._room = REQUESTS_PER_SECOND
        self._passed_over = 0
        self.request_readers: tuple[Reader, ...] = ()
        self.on_change: Callable[[], None] = _nothing

    def subscribe(
        self,
        reader: Reader,
        kinds: Collection[EventKind] = ALL_KINDS,
        worker: WorkerName | None = None,
        *,
        asks: bool = True,
        every: bool = True,
    ) -> None:
        """Tell a reader of events of some kinds, until ``unsubscribe``.

        Args:
            worker: The only one the reader asks for, where it asks for one: what only its processes can tell is
                asked of them alone. Events of others still come; a screen keeps them out.
            asks: Whether anything is asked of processes for this reader; without, it gets what comes anyway.
            every: Whether it is told of every request, in a flood too; who only watches needs not be.
        """
        self._readers[reader] = _Wish(frozenset(kinds), worker, asks, every)
        self._changed()

    def unsubscribe(self, reader: Reader) -> None:
        """Forget a reader; one that is forgotten already does not matter."""
        wish = self._readers.pop(reader, None)
        if wish is None:
            return
        if EventKind.REQUEST in wish.kinds and not self._of(EventKind.REQUEST):
            self._later(LINGER_SECONDS, self._forget_requests)
        self._changed()

    def close(self) -> None:
        """End all readers: the gateway stops."""
        for reader in list(self._readers):
            reader.close()
        self._readers.clear()
        self.request_readers = self._of_all = self._of_some = ()

    def publish(self, event: Event) -> None:
        """Tell of anything but a request."""
        kind = KIND_OF[type(event)]
        sequence = self._next
        self._next = sequence + 1
        self._recent[kind].append((sequence, event))
        for reader in self._of(kind):
            reader.put(sequence, event)

    def wants_request(self) -> bool:
        """Return whether a request that ended now would be told to anybody; one that would not is counted.

        Who publishes asks ``request_readers`` first, then this, and only then makes what is to be told.
        """
        if self._of_all or self._room:
            return True
        self._passed_over += 1
        return False

    def publish_request(self, request: EndedRequest) -> None:
        """Tell of a request, on its path."""
        sequence = self._next
        self._next = sequence + 1
        for reader in self._of_all:
            reader.put(sequence, request)
        if not self._room:
            self._passed_over += 1
            return
        if self._room == REQUESTS_PER_SECOND:
            self._later(REFILL_SECONDS, self._refill)
        self._room -= 1
        for reader in self._of_some:
            reader.put(sequence, request)

    def _refill(self) -> None:
        """Make room for what may be told until the next time, and tell what was passed over."""
        self._room = min(REQUESTS_PER_SECOND, self._room + round(REQUESTS_PER_SECOND * REFILL_SECONDS))
        missed, self._passed_over = self._passed_over, 0
        if missed:
            for reader in self._of_some:
                reader.miss(missed)
        if self._room < REQUESTS_PER_SECOND:
            self._later(REFILL_SECONDS, self._refill)

    def recent(
        self, kinds: Collection[EventKind], screen: Screen, *, last: int, after: int = 0
    ) -> list[tuple[int, Event]]:
        """Return the newest ``last`` events that pass and have a number above ``after``, the oldest first."""
        known = [
            (sequence, event)
            for kind in kinds
            for sequence, event in self._recent[kind]
            if sequence > after and screen(event)
        ]
        known.sort(key=lambda numbered: numbered[0])
        return [(sequence, made(event)) for sequence, event in known[len(known) - min(last, len(known)) :]]

    def wants(self, kind: EventKind, worker: WorkerName) -> bool:
        """Return whether anybody asks for a kind of events of a Worker."""
        return any(
            wish.asks and kind in wish.kinds and wish.worker in (None, worker) for wish in self._readers.values()
        )

    def _of(self, kind: EventKind) -> tuple[Reader, ...]:
        return tuple(reader for reader, wish in self._readers.items() if kind in wish.kinds)

    def _changed(self) -> None:
        readers = self._of(EventKind.REQUEST)
        self._of_all = tuple(reader for reader in readers if self._readers[reader].every)
        others = tuple(reader for reader in readers if not self._readers[reader].every)
        if readers or self.request_readers:
            self._of_some = (self._memory, *others)
        self.request_readers = (*self._of_all, *self._of_some)
        self.on_change()

    def _forget_requests(self) -> None:
        if not self._of(EventKind.REQUEST):
            self.request_readers = self._of_some = ()
            self._recent[EventKind.REQUEST].clear()


def made(event: Told) -> Event:
    """Return the event that a request stands for; any other is one."""
    return event if isinstance(event, Event) else event.event()


class _Wish(NamedTuple):
    """What a reader asked for."""

    kinds: frozenset[EventKind]
    worker: WorkerName | None
    asks: bool
    every: bool


class _Memory:
    """Notes requests for who comes later."""

    def __init__(self, recent: deque[tuple[int, Told]]) -> None:
        self._recent = recent

    def put(self, sequence: int, event: Told) -> None:
        self._recent.append((sequence, event))

    def miss(self, count: int) -> None:
        """Nobody asks it for all."""

    def close(self) -> None:
        """Nothing waits for it."""


def _nothing() -> None:
    """Nobody wants to know."""
