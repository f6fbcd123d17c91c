"""The hub: who listens gets what the filter lets pass, and its time; who is slow loses some, and is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gateway.model.version import WorkerName
from gateway.observability.event_bus import EventBus
from gateway.observability.events import RequestEvent
from gateway.observability.tail import HOLD_SECONDS, KNOWN_TIMES, TailHub, TailSubscription
from gateway.observability.tail_filters import TailFilter, parse_filters
from gateway.observability.trace_items import TraceItem, trace_item
from tests.model.examples import API, SHOP, A
from tests.observability.traces_of_workerd import log, raw, request, workerd_version

ALL = TailFilter()


def item(event: Any = None, **changes: Any) -> TraceItem:
    found = trace_item(raw(event or {"rpcMethod": "x"}, **changes), workerd_version(), received_ms=1.0)
    assert found is not None
    return found


def ended(ray: str, duration_us: int) -> RequestEvent:
    """Return what the recorder tells of a request."""
    return RequestEvent(
        1.0, ray, "shop", A, "percentage", "GET", "shop.localhost", "/", 200, "ok", duration_us, 0, 5, 1.0, ""
    )


@dataclass
class Edge:
    """A hub with a clock that stands still and timers that go off when told to."""

    timers: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    changes: list[tuple[str, bool]] = field(default_factory=list)
    draws: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bus = EventBus(later=lambda _seconds, call: call())
        self.hub = TailHub(
            self.bus,
            draw=lambda: self.draws.pop(0),
            clock=lambda: 2.0,
            later=lambda seconds, call: self.timers.append((seconds, call)),
            on_change=lambda worker, listening: self.changes.append((worker, listening)),
        )

    def go_off(self) -> None:
        for _, call in self.timers:
            call()
        self.timers.clear()


async def now(subscription: TailSubscription) -> list[TraceItem]:
    """Return what waits already; nothing where nothing does."""
    try:
        async with asyncio.timeout(0):
            return await subscription.next()
    except TimeoutError:
        return []


async def test_nothing_is_kept_for_nobody() -> None:
    """Issue B, tail: ``publish`` costs nothing when nobody listens."""
    edge = Edge()
    edge.hub.publish(SHOP, item())

    assert not edge.hub.listening(SHOP)
    assert edge.bus.request_readers == ()


async def test_processes_can_be_told_whether_to_send() -> None:
    """The first reader of a Worker and the end of the last one are told; others are not."""
    edge = Edge()
    first, second = edge.hub.subscribe(SHOP, ALL), edge.hub.subscribe(SHOP, ALL)
    other = edge.hub.subscribe(API, ALL)
    edge.hub.unsubscribe(first)
    edge.hub.unsubscribe(first)
    edge.hub.unsubscribe(second)

    assert edge.changes == [("shop", True), ("api", True), ("shop", False)]
    assert (edge.hub.listening(SHOP), edge.hub.listening(API)) == (False, True)
    assert edge.bus.request_readers
    edge.hub.unsubscribe(other)
    assert edge.bus.request_readers == ()


async def test_each_reader_gets_what_its_filter_lets_pass() -> None:
    """wrangler-api, section 10: filters are the tail's own."""
    edge = Edge()
    everything = edge.hub.subscribe(SHOP, ALL)
    needles = edge.hub.subscribe(SHOP, parse_filters([{"query": "needle"}], ""))
    elsewhere = edge.hub.subscribe(API, ALL)
    edge.hub.publish(SHOP, item(logs=[log("hay")]))
    edge.hub.publish(SHOP, item(logs=[log("needle")]))

    assert [len(await now(one)) for one in (everything, needles, elsewhere)] == [2, 1, 0]


async def test_filters_see_what_readers_do_not() -> None:
    """R113: redaction is the last thing that happens to an event."""
    edge = Edge()
    reader = edge.hub.subscribe(SHOP, parse_filters([{"header": {"key": "cookie", "query": "sid"}}], ""))
    edge.hub.publish(SHOP, item(request(cookie="sid=1")))

    assert (await now(reader))[0]["event"]["request"]["headers"] == {"cookie": "REDACTED"}


async def test_a_trace_that_comes_after_its_request_ended_gets_the_time() -> None:
    """Runtime, section 7: wall time by the ray id."""
    edge = Edge()
    reader = edge.hub.subscribe(SHOP, ALL)
    edge.bus.publish_request(ended("1-LCL", 12_600))
    edge.bus.publish_request(ended("", 99_000))
    edge.hub.publish(SHOP, item(request(cf_ray="1-LCL")))
    edge.hub.publish(SHOP, item())

    assert [one["wallTime"] for one in await now(reader)] == [13, 0]


async def test_a_trace_that_comes_before_waits_a_moment() -> None:
    """The two race: the process tells of an invocation while its answer is still on the way out."""
    edge = Edge()
    reader = edge.hub.subscribe(SHOP, ALL)
    edge.hub.publish(SHOP, item(request(cf_ray="1-LCL")))
    assert await now(reader) == []
    edge.bus.publish_request(ended("1-LCL", 7_000))
    found = await now(reader)
    edge.go_off()

    assert [one["wallTime"] for one in found] == [7]
    assert await now(reader) == []


async def test_a_trace_without_its_request_goes_out_all_the_same() -> None:
    """A long answer must not hold up what was logged long ago; nor an event that has no ray."""
    edge = Edge()
    reader = edge.hub.subscribe(SHOP, ALL)
    edge.hub.publish(SHOP, item(request(cf_ray="1-LCL")))
    edge.hub.publish(SHOP, item())
    assert len(await now(reader)) == 1
    assert [seconds for seconds, _ in edge.timers] == [HOLD_SECONDS]
    edge.go_off()

    assert len(await now(reader)) == 1


async def test_two_traces_of_one_ray_are_both_told() -> None:
    """A service binding hands the same request to another Worker's default entrypoint."""
    edge = Edge()
    reader = edge.hub.subscribe(SHOP, ALL)
    for _ in range(2):
        edge.hub.publish(SHOP, item(request(cf_ray="1-LCL")))
    edge.go_off()

    assert len(await now(reader)) == 2


async def test_times_that_nobody_asks_for_are_forgotten() -> None:
    """Bounded, whatever the traffic: only those who listen pay for it."""
    edge = Edge()
    edge.hub.subscribe(SHOP, ALL)
    for number in range(KNOWN_TIMES + 10):
        edge.hub.note_wall_time(str(number), 1.0)

    assert len(edge.hub._times) == KNOWN_TIMES


async def test_a_slow_reader_loses_events_and_is_told() -> None:
    """Design 3.7, wrangler-api section 10: ``overload``, and ``overload-stop`` once it keeps up again."""
    reader = TailSubscription(WorkerName("shop"), ALL, lambda: 2.0, size=2)
    for _ in range(5):
        reader.put(item())
    first = await now(reader)
    reader.put(item())
    second = await now(reader)
    reader.put(item())
    third = await now(reader)

    assert [one["event"].get("type") for one in first] == [None, None, "overload"]
    assert first[-1]["event"]["message"].startswith("3 events were dropped")
    assert [one["event"].get("type") for one in second] == [None, "overload-stop"]
    assert [one["event"].get("type") for one in third] == [None]


async def test_a_tail_that_is_ended_tells_its_reader() -> None:
    """DELETE from elsewhere, or the gateway's own end: an empty list, at once and for good."""
    edge = Edge()
    one, other = edge.hub.subscribe(SHOP, ALL), edge.hub.subscribe(API, ALL)
    waiting = asyncio.create_task(one.next())
    await asyncio.sleep(0)
    edge.hub.publish(API, item())
    edge.hub.close()

    assert await waiting == []
    assert (one.closed, await other.next()) == (True, [])
    assert edge.changes[-2:] == [("shop", False), ("api", False)]


async def test_a_reader_may_ask_for_everything() -> None:
    """Issue C, tail: redaction by default, a switch shows all; each reader for itself."""
    edge = Edge()
    hidden, shown = edge.hub.subscribe(SHOP, ALL), edge.hub.subscribe(SHOP, ALL, redact=False)
    edge.hub.publish(SHOP, item(request(cookie="sid=1")))

    told = [(await now(reader))[0]["event"]["request"]["headers"]["cookie"] for reader in (hidden, shown)]
    assert told == ["REDACTED", "sid=1"]
