"""The bus: nobody listens and nothing is made; a slow reader loses the oldest and is told how many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from gateway.model.version import WorkerName
from gateway.observability.event_bus import (
    ALL_KINDS,
    LINGER_SECONDS,
    RECENT_EVENTS,
    REFILL_SECONDS,
    REQUESTS_PER_SECOND,
    EventBus,
    Subscription,
    Told,
)
from gateway.observability.events import EventKind, RequestEvent
from tests.observability.examples import DEPLOYED, EACH, FAILED, LINE, REQUEST, STARTED


@dataclass
class Ended:
    """A request that ended, and counts how often its event is made."""

    status: int = 200
    made: int = 0
    worker: str = "shop"
    version_id: str = REQUEST.version_id
    ray: str = "ray-LCL"
    method: str = "GET"
    outcome: str = "ok"
    duration_us: int = 1

    def event(self) -> RequestEvent:
        """Return its event."""
        self.made += 1
        return REQUEST._replace(status=self.status)


@dataclass
class Bus:
    """A bus whose timers go off when told to."""

    timers: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    changes: list[None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bus = EventBus(later=lambda seconds, call: self.timers.append((seconds, call)), first=100)
        self.bus.on_change = lambda: self.changes.append(None)

    def go_off(self) -> None:
        """Let all timers go off that are set now."""
        timers, self.timers = self.timers, []
        for _, call in timers:
            call()

    def flood(self, count: int) -> int:
        """Let requests end as the data plane does; return of how many anything was made."""
        told = 0
        for _ in range(count):
            if self.bus.wants_request():
                self.bus.publish_request(REQUEST)
                told += 1
        return told

    def recent(self, *kinds: EventKind, last: int = 1000, after: int = 0) -> list[object]:
        found = self.bus.recent(kinds or ALL_KINDS, lambda _event: True, last=last, after=after)
        return [event for _, event in found]


def subscription(size: int = 10, screen: Callable[[Told], bool] | None = None) -> Subscription:
    return Subscription(lambda: None, size=size, screen=screen)


def test_nobody_wants_requests_until_somebody_does() -> None:
    """Issue C, events: no reader, no cost beyond the counters; the data plane asks ``request_readers`` first."""
    edge = Bus()
    assert edge.bus.request_readers == ()
    edge.bus.subscribe(subscription(), {EventKind.DEPLOYMENT})
    assert edge.bus.request_readers == ()
    edge.bus.subscribe(subscription())

    assert edge.bus.request_readers


def test_an_event_is_made_when_it_is_read_and_never_for_one_that_was_pushed_out() -> None:
    """Issue C: a slow reader is told how many it missed, and never slows a request."""
    edge, reader = Bus(), subscription(size=2)
    edge.bus.subscribe(reader)
    requests = [Ended(status) for status in (200, 201, 202)]
    for request in requests:
        edge.bus.publish_request(request)
    assert [one.made for one in requests] == [0, 0, 0]

    taken = reader.take()

    assert [event.status for _, event in taken.events if isinstance(event, RequestEvent)] == [201, 202]
    assert ([one.made for one in requests], taken.missed) == ([0, 1, 1], 1)
    assert reader.take() == ([], 0)


def test_every_reader_has_a_queue_of_its_own() -> None:
    """Design 3.7: tail, dashboard and the like."""
    edge, fast, slow = Bus(), subscription(), subscription(size=1)
    for reader in (fast, slow):
        edge.bus.subscribe(reader)
    for _ in range(3):
        edge.bus.publish(DEPLOYED)
    edge.bus.unsubscribe(fast)
    edge.bus.unsubscribe(fast)
    edge.bus.publish(DEPLOYED)

    assert (len(fast.take().events), slow.take().missed) == (3, 3)


def test_what_a_screen_keeps_out_pushes_nothing_out() -> None:
    """A reader of errors keeps up with any traffic that goes well."""
    edge, reader = Bus(), subscription(size=1, screen=lambda event: getattr(event, "status", 0) >= 500)
    edge.bus.subscribe(reader, every=True)
    edge.bus.publish_request(FAILED)
    for _ in range(100):
        edge.bus.publish_request(Ended())
    taken = reader.take()

    assert ([event for _, event in taken.events], taken.missed) == ([FAILED], 0)


def test_of_a_flood_some_are_told_and_how_many_there_were_beside() -> None:
    """Issue C: with dashboard and tail open the data plane loses under 10 % of its speed at 20,000 a second."""
    edge, reader = Bus(), subscription(size=10_000)
    edge.bus.subscribe(reader, every=False)
    assert edge.flood(REQUESTS_PER_SECOND + 500) == REQUESTS_PER_SECOND
    edge.go_off()
    first = reader.take()
    assert edge.flood(500) == REQUESTS_PER_SECOND * REFILL_SECONDS
    edge.go_off()
    second = reader.take()

    assert (len(first.events), first.missed) == (REQUESTS_PER_SECOND, 500)
    assert len(second.events) + second.missed == 500


def test_after_a_quiet_while_a_burst_is_told_whole() -> None:
    """A script that sends a thousand requests at once finds them all."""
    edge, reader = Bus(), subscription(size=10_000)
    edge.bus.subscribe(reader, every=False)
    edge.flood(5_000)
    while edge.timers:
        edge.go_off()
    reader.take()

    assert edge.flood(REQUESTS_PER_SECOND) == REQUESTS_PER_SECOND
    assert reader.take().missed == 0


def test_who_needs_every_request_gets_it_in_a_flood_too() -> None:
    """Logpush, and whoever looks for few of many; who only watches is told of some all the same."""
    edge, all_of_them, some = Bus(), subscription(size=10_000), subscription(size=10_000)
    edge.bus.subscribe(all_of_them, every=True)
    edge.bus.subscribe(some, every=False)
    edge.flood(5_000)
    edge.go_off()
    watched = some.take()

    assert len(all_of_them.take().events) == 5_000
    assert (len(watched.events), watched.missed) == (REQUESTS_PER_SECOND, 5_000 - REQUESTS_PER_SECOND)


def test_kinds_that_were_not_asked_for_do_not_come() -> None:
    """Contract, ``kinds``."""
    edge, reader = Bus(), subscription()
    edge.bus.subscribe(reader, {EventKind.CONSOLE, EventKind.VERSION})
    for event in EACH:
        if not isinstance(event, RequestEvent):
            edge.bus.publish(event)

    assert [event for _, event in reader.take().events] == [LINE, STARTED]


def test_numbers_rise_and_are_the_same_for_all() -> None:
    """Contract, ``id``: a reader that comes back says which it saw last."""
    edge, one, other = Bus(), subscription(), subscription()
    for reader in (one, other):
        edge.bus.subscribe(reader)
    edge.bus.publish_request(REQUEST)
    edge.bus.publish(DEPLOYED)
    numbers = [[sequence for sequence, _ in reader.take().events] for reader in (one, other)]

    assert numbers == [[100, 101]] * 2


def test_who_comes_later_gets_what_is_kept() -> None:
    """Contract, ``last``: up to N recent events, the oldest first; a flood of one kind leaves the others."""
    edge = Bus()
    edge.bus.publish(DEPLOYED)
    for number in range(RECENT_EVENTS + 10):
        edge.bus.publish(LINE._replace(message=str(number)))

    assert edge.recent(EventKind.DEPLOYMENT) == [DEPLOYED]
    assert len(edge.recent(EventKind.CONSOLE)) == RECENT_EVENTS
    assert [getattr(event, "message", "") for event in edge.recent(last=2)] == ["508", "509"]
    assert edge.recent(after=100 + RECENT_EVENTS + 9) == [LINE._replace(message="509")]
    assert edge.recent(last=0) == []


def test_requests_are_kept_while_somebody_listens_and_a_little_longer() -> None:
    """A page that is reloaded misses none; half a minute later requests cost nothing again."""
    edge, reader = Bus(), subscription()
    edge.bus.subscribe(reader)
    edge.bus.publish_request(REQUEST)
    edge.bus.unsubscribe(reader)
    edge.bus.publish_request(REQUEST)
    assert len(edge.recent(EventKind.REQUEST)) == 2
    assert LINGER_SECONDS in [seconds for seconds, _ in edge.timers]

    edge.go_off()

    assert (edge.bus.request_readers, edge.recent(EventKind.REQUEST)) == ((), [])


def test_who_came_back_in_time_keeps_them() -> None:
    """The timer of the reader that went finds another one."""
    edge, reader = Bus(), subscription()
    edge.bus.subscribe(reader)
    edge.bus.unsubscribe(reader)
    edge.bus.subscribe(reader)
    edge.bus.publish_request(REQUEST)
    edge.go_off()

    assert edge.recent(EventKind.REQUEST) == [REQUEST]


@pytest.mark.parametrize(("asked", "shop", "api"), [(None, True, True), ("shop", True, False)])
def test_processes_are_asked_only_where_somebody_wants_to_hear(asked: str | None, shop: bool, api: bool) -> None:
    """Console output of workerd is only told by its processes while somebody wants it."""
    edge, reader = Bus(), subscription()
    edge.bus.subscribe(reader, {EventKind.CONSOLE}, WorkerName(asked) if asked else None)
    wanted = [edge.bus.wants(EventKind.CONSOLE, WorkerName(name)) for name in ("shop", "api")]
    edge.bus.unsubscribe(reader)

    assert (wanted, len(edge.changes)) == ([shop, api], 2)
    assert not edge.bus.wants(EventKind.CONSOLE, WorkerName("shop"))


def test_a_gateway_that_stops_ends_its_readers() -> None:
    """Else its own end would wait for them."""
    woken: list[None] = []
    edge, reader = Bus(), Subscription(lambda: woken.append(None))
    edge.bus.subscribe(reader)
    edge.bus.close()

    assert (reader.closed, len(woken), edge.bus.request_readers) == (True, 1, ())
