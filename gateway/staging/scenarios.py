"""Plays scenarios on the running gateway, one at a time, and leaves it as it was."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from gateway.control.catalog import Catalog, WorkerRecord
from gateway.control.deployments import Deployments
from gateway.control.faults import Faults, check_named
from gateway.errors import BadRequest, ScenarioBrokenOff, ScenarioUnderWay
from gateway.model.skew_rules import SkewRules
from gateway.observability.event_bus import EventBus
from gateway.scenarios.model import Scenario
from gateway.scenarios.player import Player
from gateway.scenarios.references import faults_of, versions_named
from gateway.scenarios.report import Outcome
from gateway.settings import Address
from gateway.skew.facts import DeploymentSeen
from gateway.skew.reading import deployment_known
from gateway.staging.caller import EdgeCaller
from gateway.staging.stage import LiveStage
from gateway.staging.witness import KINDS, Witness

SEEDS: Final = 2**32


@dataclass(frozen=True, slots=True)
class StageParts:
    """What a scenario is played on; built by ``assembly``.

    Args:
        edge_address: Where the data plane listens.
        reseed: Begins the draws anew; what it returns goes on with those from before.
        rules_of: What the configuration says of skew for a Worker.
        moves_told: Waits until all moves of objects that happened were told.
    """

    catalog: Catalog
    deployments: Deployments
    faults: Faults
    bus: EventBus
    edge_address: Callable[[], Address]
    reseed: Callable[[int | None], Callable[[], None]]
    rules_of: Callable[[str], SkewRules]
    moves_told: Callable[[], Awaitable[None]]


class Scenarios:
    """The one place where scenarios are played."""

    def __init__(self, parts: StageParts) -> None:
        self._parts = parts
        self._playing: tuple[str, asyncio.Task[object]] | None = None
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def play(self, scenario: Scenario) -> Outcome:
        """Play a scenario, and return what came of it once the gateway is as it was.

        Raises:
            ScenarioUnderWay: Another is being played.
            ScenarioBrokenOff: The gateway stops.
            NotFound, AmbiguousReference, BadRequest, InvalidFault: It names what is not there.
        """
        if self._playing is not None:
            raise ScenarioUnderWay(self._playing[0])
        record = self._record(scenario)
        for reference in versions_named(scenario):
            record.find(reference)
        for fault in faults_of(scenario.steps):
            check_named(fault, self._parts.catalog)
        with self._alone(scenario.name):
            try:
                return await self._play(scenario, record)
            except asyncio.CancelledError:
                if self._closing:
                    raise ScenarioBrokenOff(scenario.name) from None
                raise

    async def close(self) -> None:
        """Break off what is being played, and wait until the gateway is as it was."""
        self._closing = True
        if self._playing is not None:
            self._playing[1].cancel()
        await self._idle.wait()

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        self._playing = name, task
        self._idle.clear()
        try:
            yield
        finally:
            self._playing = None
            self._idle.set()

    async def _play(self, scenario: Scenario, record: WorkerRecord) -> Outcome:
        parts = self._parts
        seed = scenario.seed if scenario.seed is not None else secrets.randbelow(SEEDS)
        witness = Witness(parts.rules_of, self._active())
        notes: list[str] = []
        parts.bus.subscribe(witness, KINDS, asks=False)
        put_faults_back = parts.faults.hold()
        go_on = parts.reseed(seed)
        try:
            async with EdgeCaller(parts.edge_address) as caller:
                stage = LiveStage(
                    scenario.name, record, parts.deployments, parts.faults, caller, witness, parts.moves_told
                )
                try:
                    results = await Player(scenario, stage, seed, time.perf_counter).play()
                    skew, moved = await stage.skew(), await stage.moved()
                finally:
                    if scenario.restore:
                        put_faults_back()
                        notes += await stage.restore()
        finally:
            go_on()
            parts.bus.unsubscribe(witness)
        return Outcome(scenario, record.name, seed, results, skew, moved, notes)

    def _active(self) -> list[DeploymentSeen]:
        return [
            deployment_known(record.active, record.versions)
            for record in self._parts.catalog.workers.values()
            if record.active is not None
        ]

    def _record(self, scenario: Scenario) -> WorkerRecord:
        catalog = self._parts.catalog
        if scenario.worker:
            return catalog.find(scenario.worker)
        names = list(catalog.workers)
        if len(names) != 1:
            raise BadRequest(
                f"the scenario names no Worker, and the gateway has {len(names)} ({', '.join(names) or 'none'})",
                remedy="Add one: worker: shop.",
            )
        return catalog.find(names[0])
