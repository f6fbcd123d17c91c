"""What happens in the gateway, as it reaches counters, events and tails."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from gateway.control.catalog import Catalog
from gateway.model.deployment import Cohort, Deployment, DeploymentId, VersionShare
from gateway.model.version import Version, WorkerName
from gateway.observability.event_bus import ALL_KINDS, Subscription
from gateway.observability.events import DeployedShare, DeploymentEvent, EventKind, ResetEvent
from gateway.observability.tail_filters import TailFilter
from gateway.observing import Observing
from gateway.runtime.runner import VersionState
from gateway.store.store import Displaced
from tests.model.examples import API, NOW, SHOP, A, B, X, version
from tests.observability.traces_of_workerd import workerd_version

CLOCK = 1_800_000_000.0
COMMAND = version(A, 1, tag="v1")


class Watch:
    """An ``Observing``, who is told of what it wants to hear, and what it tells."""

    def __init__(self, *versions: Version) -> None:
        self.spawned: list[Coroutine[Any, Any, None]] = []
        self.listened: list[frozenset[WorkerName]] = []
        self.observing = Observing(
            Catalog(versions or (COMMAND, version(B, 2, tag="v2"), version(X, 1, worker=API)), []),
            draw=lambda: 0.5,
            spawn=self.spawned.append,
            listen=self.listened.append,
            clock=lambda: CLOCK,
        )

    def told(self) -> list[Any]:
        return [event for _, event in self.observing.bus.recent(ALL_KINDS, lambda _event: True, last=1_000)]


def test_states_are_told_by_the_names_of_the_contract() -> None:
    """Contract, ``version``: ``started`` where the runtime says ``running``."""
    watch = Watch()
    for state in VersionState:
        watch.observing.state_changed(COMMAND, state, "", 7 if state is VersionState.RUNNING else 0)

    assert [event.state for event in watch.told()] == ["asleep", "starting", "started", "crashed", "stopped"]
    assert [event.pid for event in watch.told()] == [0, 0, 7, 0, 0]


def test_a_deployment_is_told_and_begins_a_new_count() -> None:
    """Issue C, metrics: since the deployment began."""
    watch = Watch()
    recorder = watch.observing.recorder
    recorder.metrics_of(A).add("percentage", 200, "ok", 10, 0, 0)
    shares = (VersionShare(A, 90), VersionShare(B, 10))
    watch.observing.deployed(Deployment(DeploymentId("d"), SHOP, 1, shares, NOW, message="more"))

    assert watch.told() == [
        DeploymentEvent(
            CLOCK, SHOP, 1, "d", (DeployedShare(A, "v1", 90), DeployedShare(B, "v2", 10)), "deployment", "more"
        )
    ]
    assert recorder.metrics_of(A).windows.since_deployment.requests == 0


def test_a_version_that_only_a_cohort_meets_is_told_too() -> None:
    """R14: it is deployed; who follows the event must not take its pages for those of a version that is gone."""
    watch = Watch()
    cohorts = (Cohort("beta", (VersionShare(B, 100),)),)
    watch.observing.deployed(Deployment(DeploymentId("d"), SHOP, 1, (VersionShare(A, 100),), NOW, cohorts=cohorts))
    (told,) = watch.told()

    assert told.versions == (DeployedShare(A, "v1", 100), DeployedShare(B, "v2", 0))


async def test_objects_that_moved_are_told_while_requests_go_on() -> None:
    """A deployment can move a million objects."""
    watch = Watch()
    moves = [Displaced("key", bytes([number % 256]) * 32, A, B) for number in range(1_200)]
    watch.observing.moved(SHOP, moves)
    (telling,) = watch.spawned
    task = asyncio.get_running_loop().create_task(telling)
    await asyncio.sleep(0)
    assert not task.done()
    await watch.observing.moves_told()
    await task

    last = watch.told()[-1]
    assert isinstance(last, ResetEvent)
    assert (last.id, last.from_version, last.to_version) == ((bytes([1_199 % 256]) * 32).hex(), A, B)


def test_processes_are_asked_only_for_what_somebody_wants() -> None:
    """Issue C: no reader, no cost: workerd tells of every invocation only where somebody listens."""
    watch = Watch()
    everything, shop = Subscription(lambda: None), Subscription(lambda: None)
    bus = watch.observing.bus
    bus.subscribe(Subscription(lambda: None), {EventKind.REQUEST})
    bus.subscribe(shop, {EventKind.CONSOLE}, SHOP)
    bus.subscribe(everything)
    bus.unsubscribe(shop)
    bus.unsubscribe(everything)
    tail = watch.observing.tails.subscribe(API, TailFilter())
    watch.observing.tails.unsubscribe(tail)

    assert watch.listened == [{SHOP}, {SHOP, API}, frozenset(), {API}, frozenset()]


@pytest.mark.parametrize(
    ("one", "listening", "running", "told"),
    [
        (COMMAND, True, True, 1),
        (COMMAND, False, True, 1),
        (workerd_version(), False, True, 1),
        (workerd_version(), True, True, 0),
        (workerd_version(), True, False, 1),
    ],
    ids=["command", "command, unheard", "workerd, unheard", "workerd, as a trace", "workerd, at its start"],
)
def test_a_line_is_told_once(one: Version, listening: bool, running: bool, told: int) -> None:
    """What workerd prints while it runs comes again as a trace; what it prints before does not."""
    watch = Watch(one)
    if listening:
        watch.observing.bus.subscribe(Subscription(lambda: None))
    if running:
        watch.observing.state_changed(one, VersionState.RUNNING, "", 7)
    watch.observing.line_printed(one, "hello")

    lines = [event for event in watch.told() if getattr(event, "message", "") == "hello"]
    assert len(lines) == told
