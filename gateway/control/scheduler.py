"""Runs the cron triggers of all Workers: each event once, on a version that the percentages draw (OURS)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import structlog

from gateway.control.catalog import Catalog, WorkerRecord
from gateway.control.crons import parse_cron
from gateway.errors import BadRequest, GatewayError, NotFound
from gateway.model.version import Version
from gateway.routing.percentages import FULL, split_of

log = structlog.get_logger("gateway.crons")

MINUTE: Final = timedelta(minutes=1)
FAILED: Final = "internalError"
"""Cloudflare's outcome where the platform, not the code, failed (R114)."""


class Fire(Protocol):
    """Runs one scheduled event on a version."""

    async def __call__(self, version: Version, cron: str, scheduled_time: datetime, /) -> str:
        """Return the outcome as workerd tells it: ``ok``, ``exception``, ... (R114).

        Raises:
            GatewayError: The version could not be asked.
        """


@dataclass(frozen=True, slots=True)
class Fired:
    """One scheduled event, and what became of it."""

    cron: str
    version: Version
    scheduled_time: datetime
    outcome: str


class Scheduler:
    """Fires crons when they are due; times that passed while the machine slept are not made up.

    Args:
        clock: Seconds since the epoch.
        sleep: Waits for some seconds.
        draw: Random numbers on [0, 1), one an event.
    """

    def __init__(
        self,
        catalog: Catalog,
        fire: Fire,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        draw: Callable[[], float],
    ) -> None:
        self._catalog = catalog
        self._fire = fire
        self._clock = clock
        self._sleep = sleep
        self._draw = draw

    async def run(self) -> None:
        """Fire what is due, minute by minute, until cancelled; an event that runs on holds up no other."""
        async with asyncio.TaskGroup() as group:
            while True:
                minute = _minute_of(self._now()) + MINUTE
                await self._sleep_until(minute)
                if self._now() - minute >= MINUTE:
                    continue
                for record, cron in self._due(minute):
                    group.create_task(self._fire_one(record, cron, minute))

    async def trigger(self, record: WorkerRecord, cron: str | None) -> Fired:
        """Fire one cron now, as if it were due.

        Args:
            cron: Any expression: the Worker gets it as ``event.cron``; None for its only one.

        Raises:
            InvalidCron: It cannot be read. BadRequest: None was named, and the Worker has not exactly one.
            NotFound: Nothing is deployed.
        """
        if cron is not None:
            parse_cron(cron)
        fired = await self._fire_one(record, cron if cron is not None else _only_cron(record), self._now())
        if fired is None:
            raise NotFound(
                f"Worker {record.name} has no deployment to run a cron on", remedy="Deploy a version first."
            )
        return fired

    def _due(self, minute: datetime) -> Sequence[tuple[WorkerRecord, str]]:
        return [
            (record, cron)
            for record in self._catalog.workers.values()
            for cron in crons_of(record)
            if record.active is not None and parse_cron(cron).is_due(minute)
        ]

    async def _fire_one(self, record: WorkerRecord, cron: str, time: datetime) -> Fired | None:
        version = self._drawn(record)
        if version is None:
            return None
        try:
            outcome = await self._fire(version, cron, time)
        except GatewayError as error:
            outcome = FAILED
            log.warning("cron.not_run", worker=record.name, cron=cron, error=error.message, remedy=error.remedy)
        except Exception:  # the outer rim of an event: a failure nobody thought of must not end all crons
            outcome = FAILED
            log.exception("cron.failed", worker=record.name, cron=cron)
        log.info("cron.fired", worker=record.name, cron=cron, version=version.label, outcome=outcome)
        return Fired(cron, version, time, outcome)

    def _drawn(self, record: WorkerRecord) -> Version | None:
        if record.active is None:
            return None
        return record.versions[split_of(record.active.versions).at(self._draw() * FULL).version_id]

    async def _sleep_until(self, moment: datetime) -> None:
        # A clock and a timer do not agree to the microsecond: who wakes too early would miss the minute.
        while (left := (moment - self._now()).total_seconds()) > 0:
            await self._sleep(left)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def crons_of(record: WorkerRecord) -> list[str]:
    """Return a Worker's cron expressions, each once."""
    schedules = record.state.schedules if record.state is not None else ()
    return list(dict.fromkeys(schedule.cron for schedule in schedules))


def _only_cron(record: WorkerRecord) -> str:
    crons = crons_of(record)
    if len(crons) != 1:
        raise BadRequest(
            f"Worker {record.name} has {len(crons)} crons" + (f": {', '.join(map(repr, crons))}" if crons else ""),
            remedy="Name one: gateway trigger cron '*/5 * * * *'.",
        )
    return crons[0]


def _minute_of(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
