"""One record an invocation: from traces where workerd tells, from requests where it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from gateway.model.version import Version, VersionId, WorkerName
from gateway.observability.event_bus import EventBus
from gateway.observability.events import RequestEvent
from gateway.observability.logpush.records import Record
from gateway.observability.logpush.source import QUEUE_REQUESTS, TRACE_SECONDS, InvocationSource, Pushed
from gateway.observability.tail import TailHub
from gateway.observability.trace_items import trace_item
from tests.control.parts import CLOCK
from tests.model.examples import SHOP, A, B, version
from tests.observability.examples import DEPLOYED, REQUEST
from tests.observability.traces_of_workerd import RECEIVED_MS, raw, request, workerd_version

ON_WORKERD = REQUEST._replace(version_id=A, ray="a-LCL")
COMMAND = REQUEST._replace(version_id=B, ray="b-LCL")


@dataclass
class Stage:
    """A source with all it listens to; A runs on workerd, B is a command."""

    pushed: Pushed = field(default_factory=lambda: {SHOP: frozenset({A})})
    now: float = CLOCK
    later: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        versions: dict[VersionId, Version] = {A: workerd_version(), B: version(B, tag="v2")}
        self.bus = EventBus(later=lambda _seconds, call: self.later.append(call))
        self.hub = TailHub(
            self.bus,
            draw=lambda: 0.0,
            clock=lambda: self.now,
            later=lambda _seconds, call: self.later.append(call),
        )
        self.source = InvocationSource(
            self.bus,
            self.hub,
            pushed=lambda: self.pushed,
            version_of=versions.get,
            tags_of=lambda _worker: (),
            clock=lambda: self.now,
        )
        self.source.start()

    def trace(self, ray: str) -> None:
        """Let workerd tell of an invocation."""
        item = trace_item(raw(request(cf_ray=ray)), workerd_version(), received_ms=RECEIVED_MS)
        assert item is not None
        self.hub.publish(SHOP, item)

    def told(self, event: RequestEvent) -> None:
        """Let a request end."""
        self.bus.publish_request(event)

    def taken(self) -> list[Record]:
        """Return all that has come, once all that waits has had its turn."""
        later, self.later = self.later, []
        for call in later:
            call()
        return self.source.take(1_000_000).records


def test_what_workerd_tells_is_not_told_twice() -> None:
    """Issue C, Logpush: one record a request; the trace, with the time that the gateway measured (R112)."""
    stage = Stage()
    stage.trace("a-LCL")
    stage.told(ON_WORKERD._replace(duration_us=5_000))
    stage.told(COMMAND)
    records = stage.taken()
    stage.now += TRACE_SECONDS + 1

    assert sorted((one["ScriptVersion"]["id"], one["WallTimeMs"]) for one in records) == [(A, 5), (B, 1)]
    assert stage.taken() == []


@pytest.mark.parametrize("late", [False, True])
def test_a_request_without_a_trace_stands_for_it(late: bool) -> None:
    """Issue C, Logpush: a version that fell tells nothing; a trace that comes all the same adds nothing."""
    stage = Stage()
    stage.told(ON_WORKERD._replace(outcome="upstream_failed", status=502))
    first = stage.taken()
    if late:
        stage.now += TRACE_SECONDS
        first += stage.taken()
    stage.trace("a-LCL")
    stage.told(COMMAND)
    then = stage.taken()
    stage.now += TRACE_SECONDS
    records = [*first, *then, *stage.taken()]

    assert [one["Outcome"] for one in records if one["ScriptVersion"]["id"] == A] == [
        "internalError" if late else "ok"
    ]


def test_only_workers_that_ask_for_it_are_told_of() -> None:
    """Cloudflare docs, Workers Logpush: a Worker says ``logpush = true``."""
    stage = Stage()
    stage.pushed = {WorkerName("other"): frozenset()}
    stage.source.follow()
    stage.told(COMMAND)
    stage.trace("a-LCL")
    assert stage.taken() == []
    assert not stage.hub.is_used

    stage.pushed = {SHOP: frozenset({A})}
    stage.bus.publish(DEPLOYED)
    stage.told(COMMAND)
    assert len(stage.taken()) == 1
    assert stage.hub.listening(SHOP)


def test_a_source_that_is_stopped_costs_nothing() -> None:
    """Issue C, Logpush: no cost without jobs."""
    stage = Stage()
    stage.told(COMMAND)
    stage.source.stop()
    stage.told(COMMAND)

    assert stage.taken() == []
    assert not stage.hub.is_used
    assert not stage.bus._readers


def test_what_waits_is_bounded() -> None:
    """Issue C, Logpush: bounded memory, drops are counted, and taken in slices."""
    stage = Stage()
    for _ in range(QUEUE_REQUESTS + 5):
        stage.told(COMMAND)
    for call in stage.later:
        call()
    first = stage.source.take(10)

    assert (len(first.records), first.dropped, first.more) == (10, 5, True)
    assert stage.source.take(QUEUE_REQUESTS).more is False
