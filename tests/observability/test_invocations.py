"""Requests and lines of versions that workerd does not run, for the tails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.model.version import Version, VersionId, WorkerName
from gateway.observability.event_bus import EventBus
from gateway.observability.invocations import BATCH_EVENTS, Invocations
from gateway.observability.request_items import item_of_line, item_of_request
from gateway.observability.tail import TailHub, TailSubscription
from gateway.observability.tail_filters import TailFilter
from tests.model.examples import API, SHOP, A, version
from tests.observability.examples import LINE, REQUEST
from tests.observability.traces_of_workerd import workerd_version

ALL = TailFilter()


@dataclass
class Edge:
    """A hub, a bus, and what joins them; timers go off when told to."""

    found: Version
    timers: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        later = lambda _seconds, call: self.timers.append(call)  # noqa: E731
        self.bus = EventBus(later=later)
        self.hub = TailHub(
            self.bus,
            draw=lambda: 0.0,
            clock=lambda: 2.0,
            later=lambda _seconds, call: call(),
            on_change=lambda _worker, _listening: self.invocations.follow(),
        )
        self.invocations = Invocations(
            self.hub,
            self.bus,
            version_of={A: self.found}.get,
            tags_of=lambda _worker: ("team:a",),
            later=later,
        )

    def happen(self, *events: Any) -> None:
        for event in events:
            if type(event) is type(REQUEST):
                self.bus.publish_request(event)
            else:
                self.bus.publish(event)
        for call in self.timers:
            call()
        self.timers.clear()

    async def told(self, reader: TailSubscription) -> list[dict[str, Any]]:
        return await reader.next()


async def test_requests_and_lines_become_invocations() -> None:
    """R112: one shape, whatever runs the version."""
    edge = Edge(version(A, tag="v1"))
    reader = edge.hub.subscribe(SHOP, ALL)
    edge.happen(REQUEST, LINE)
    request, line = await edge.told(reader)

    assert request["event"]["request"]["url"] == "http://shop.localhost/cart/REDACTED?a=b"
    assert (request["event"]["response"], request["wallTime"]) == ({"status": 200}, 1)
    assert (request["scriptVersion"], request["scriptTags"]) == ({"id": A, "tag": "v1"}, ["team:a"])
    assert (line["event"], line["logs"][0]["message"]) == (None, ["hello Needle"])


async def test_workerd_tells_of_its_own() -> None:
    """Else each invocation would come twice."""
    edge = Edge(workerd_version())
    reader = edge.hub.subscribe(SHOP, ALL)
    edge.happen(REQUEST, LINE)
    edge.hub.publish(SHOP, {"scriptName": SHOP, "event": None, "executionModel": "durableObject"})

    assert len(await edge.told(reader)) == 1


def test_nothing_is_made_while_nobody_tails() -> None:
    """Issue C: no reader, no cost."""
    edge = Edge(version(A))
    assert edge.bus.request_readers == ()
    reader = edge.hub.subscribe(API, ALL)
    edge.happen(REQUEST, LINE)
    edge.hub.unsubscribe(reader)

    assert not edge.invocations._listening
    assert edge.invocations._reader.take().events == []


async def test_more_than_can_be_told_is_told_as_lost() -> None:
    """Design 3.7: a flood never slows a request; wrangler's ``overload`` tells how many are not there."""
    edge = Edge(version(A))
    reader = edge.hub.subscribe(SHOP, ALL)
    edge.happen(*[LINE] * (BATCH_EVENTS + 7))
    items = await edge.told(reader)

    assert items[-1]["event"]["message"].startswith("7 events were dropped")


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        ("ok", "ok"), ("worker_threw", "exception"), ("upstream_failed", "internalError"),
        ("upstream_timed_out", "exceededWallTime"), ("answer_cut", "responseStreamDisconnected"),
        ("client_gone", "canceled"), ("refused", "canceled"), ("something new", "unknown"),
    ],
)  # fmt: skip
def test_outcomes_are_cloudflares(outcome: str, told: str) -> None:
    """R114."""
    assert item_of_request(REQUEST._replace(outcome=outcome), version(A))["outcome"] == told


def test_an_item_has_the_fields_of_one() -> None:
    """R112."""
    wanted = {
        "scriptName", "scriptVersion", "event", "eventTimestamp", "logs", "exceptions", "outcome", "entrypoint",
        "executionModel", "cpuTime", "wallTime", "truncated", "scriptTags",
    }  # fmt: skip
    for item in (item_of_request(REQUEST, version(A)), item_of_line(LINE, version(A))):
        assert wanted <= set(item)


def test_the_names_are_those_of_the_model() -> None:
    """A version that was deleted meanwhile is told no more."""
    edge = Edge(version(A))
    edge.hub.subscribe(WorkerName("shop"), ALL)
    edge.happen(LINE._replace(version_id=VersionId("gone")))

    assert edge.timers == []
