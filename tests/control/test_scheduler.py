"""Crons fire at their minute, once each, on the version that is drawn; the clock goes only when told to."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from gateway.control.catalog import Catalog, WorkerRecord
from gateway.control.scheduler import Scheduler, crons_of
from gateway.errors import BadRequest, GatewayError, InvalidCron, NotFound
from gateway.model.deployment import Deployment
from gateway.model.version import Version
from gateway.model.worker import Schedule, WorkerState
from tests.model.examples import API, SHOP, A, B, X, deployment, version

START = datetime(2026, 11, 23, 6, 50, 30, tzinfo=UTC)


class Stop(Exception):
    """Ends an endless run."""


@dataclass
class Time:
    """A clock that goes only while somebody sleeps; ``extra`` is how much too long each sleep takes."""

    now: float = START.timestamp()
    extra: Iterator[float] = field(default_factory=lambda: iter(()))
    end: float = START.timestamp() + 600

    async def sleep(self, seconds: float) -> None:
        self.now += seconds + next(self.extra, 0.0)
        for _ in range(5):
            await asyncio.sleep(0)  # what was fired may run
        if self.now > self.end:
            raise Stop


@dataclass
class Fires:
    """Notes what is fired."""

    fired: list[tuple[str, str, str]] = field(default_factory=list)
    outcome: str = "ok"
    trouble: Exception | None = None
    hold: asyncio.Event | None = None

    async def __call__(self, version: Version, cron: str, scheduled_time: datetime) -> str:
        self.fired.append((version.label, cron, scheduled_time.strftime("%H:%M:%S")))
        if self.hold is not None:
            await self.hold.wait()
        if self.trouble is not None:
            raise self.trouble
        return self.outcome


def catalog(*crons: str, deployed: Iterable[Deployment] | None = None) -> Catalog:
    """Return ``shop`` with crons; v2 has 20%, v1 the rest."""
    versions = [version(A, 1, tag="v1"), version(B, 2, tag="v2"), version(X, 1, tag="x", worker=API)]
    schedules = tuple(Schedule(cron, "", "") for cron in crons)
    states = [WorkerState(SHOP, "0" * 32, "", "", schedules=schedules)]
    return Catalog(versions, [deployment((B, 20), (A, 80))] if deployed is None else deployed, states)


def shop(catalog: Catalog) -> WorkerRecord:
    return catalog.record(SHOP)


def scheduler(catalog: Catalog, fires: Fires, time: Time | None = None, *draws: float) -> Scheduler:
    """Return a scheduler; without draws every draw is 0.5."""
    time = time or Time()
    drawn = iter(draws)
    return Scheduler(catalog, fires, clock=lambda: time.now, sleep=time.sleep, draw=lambda: next(drawn, 0.5))


async def run(scheduler: Scheduler) -> None:
    with pytest.raises(ExceptionGroup) as ended:
        await scheduler.run()
    assert ended.group_contains(Stop)


async def test_each_cron_fires_once_at_its_minute() -> None:
    """Issue B, bindings: cron triggers run by the gateway, each event drawn once."""
    fires = Fires()
    await run(scheduler(catalog("*/5 * * * *", "53 * * * *"), fires))

    assert fires.fired == [
        ("v1", "53 * * * *", "06:53:00"),
        ("v1", "*/5 * * * *", "06:55:00"),
        ("v1", "*/5 * * * *", "07:00:00"),
    ]


async def test_the_same_expression_twice_is_one_cron() -> None:
    """Cloudflare keeps crons by expression."""
    fires = Fires()
    await run(scheduler(catalog("55 * * * *", "55 * * * *"), fires))

    assert len(fires.fired) == 1


async def test_a_worker_without_deployment_is_left_alone() -> None:
    """There is no version that could run."""
    fires = Fires()
    await run(scheduler(catalog("* * * * *", deployed=[]), fires))

    assert fires.fired == []


async def test_times_that_passed_in_a_long_sleep_are_not_made_up() -> None:
    """A laptop that was closed must not fire a night's crons at once."""
    fires = Fires()
    time = Time(extra=iter([0.0, 200.0]))
    await run(scheduler(catalog("* * * * *"), fires, time))

    assert [at for _, _, at in fires.fired][:2] == ["06:51:00", "06:56:00"]


async def test_who_wakes_a_little_late_or_early_fires_all_the_same() -> None:
    """Clock and timer do not agree to the microsecond."""
    fires = Fires()
    time = Time(extra=iter([-0.01, 0.02, 30.0]))
    await run(scheduler(catalog("* * * * *"), fires, time))

    assert [at for _, _, at in fires.fired][:3] == ["06:51:00", "06:52:00", "06:53:00"]


async def test_an_event_that_runs_on_holds_up_no_other() -> None:
    """Each invocation is its own, as in production."""
    fires = Fires(hold=asyncio.Event())
    await run(scheduler(catalog("* * * * *"), fires))

    assert len(fires.fired) > 3


@pytest.mark.parametrize("trouble", [GatewayError("it does not run"), OSError("gone"), KeyError("bug")])
async def test_a_failure_ends_one_event_only(trouble: Exception) -> None:
    """House rule 8: the outer rim logs, and goes on."""
    fires = Fires(trouble=trouble)
    await run(scheduler(catalog("* * * * *"), fires))

    assert len(fires.fired) > 3


async def test_each_event_is_drawn_by_the_percentages() -> None:
    """OURS: scheduled events are drawn by percentages, one draw an event; ranges in listed order (R39)."""
    shop_catalog, fires = catalog("1 * * * *"), Fires()
    one = scheduler(shop_catalog, fires, None, *(n / 100 for n in range(100)))
    for _ in range(100):
        await one.trigger(shop(shop_catalog), None)

    assert Counter(label for label, _, _ in fires.fired) == {"v2": 20, "v1": 80}
    assert [label for label, _, _ in fires.fired][:20] == ["v2"] * 20


async def test_trigger_answers_what_became_of_it() -> None:
    """``gateway trigger cron`` fires one now."""
    shop_catalog, fires = catalog("1 * * * *"), Fires(outcome="exception")
    fired = await scheduler(shop_catalog, fires).trigger(shop(shop_catalog), None)

    assert (fired.cron, fired.version.id, fired.outcome) == ("1 * * * *", A, "exception")
    assert fires.fired == [("v1", "1 * * * *", "06:50:30")]


async def test_any_expression_can_be_triggered() -> None:
    """As by ``wrangler dev``: the Worker gets it as ``event.cron``, whether it is scheduled or not."""
    shop_catalog, fires = catalog(), Fires()
    fired = await scheduler(shop_catalog, fires).trigger(shop(shop_catalog), "0 17 * * sun")

    assert fired.cron == "0 17 * * sun"


async def test_an_event_that_could_not_be_run_is_told_as_such() -> None:
    """R114: ``internalError``."""
    shop_catalog = catalog("1 * * * *")
    fired = await scheduler(shop_catalog, Fires(trouble=GatewayError("down"))).trigger(shop(shop_catalog), None)

    assert fired.outcome == "internalError"


@pytest.mark.parametrize(
    ("crons", "named", "deployed", "error", "told"),
    [
        (("1 * * * *",), "nonsense", True, InvalidCron, "nonsense"),
        ((), None, True, BadRequest, "0 crons"),
        (("1 * * * *", "2 * * * *"), None, True, BadRequest, "'2 * * * *'"),
        (("1 * * * *",), None, False, NotFound, "no deployment"),
    ],
)
async def test_what_cannot_be_triggered(
    crons: tuple[str, ...], named: str | None, deployed: bool, error: type[GatewayError], told: str
) -> None:
    """House rule 8: it says what is missing, and what to do."""
    shop_catalog = catalog(*crons, deployed=None if deployed else [])
    with pytest.raises(error) as refused:
        await scheduler(shop_catalog, Fires()).trigger(shop(shop_catalog), named)

    assert told in refused.value.message
    assert refused.value.remedy


def test_a_worker_that_only_a_file_has_told_of_has_no_crons() -> None:
    """Triggers are state, not code (R5)."""
    assert crons_of(catalog().record(API)) == []
