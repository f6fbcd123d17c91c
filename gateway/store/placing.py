"""Objects on workerd: learnt from their processes and from the disk, placed anew at each deployment.

The data plane never sees these objects; the processes route calls among themselves by the tables that follow from
here. ``running`` of a row is the journal of every move: it changes in the database at the moment that a move
becomes final, and at a start each object's files are brought to where it says.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable
from typing import Final

from gateway.model.deployment import Deployment
from gateway.model.durable_object import AssignmentRule
from gateway.model.version import VersionId, WorkerName
from gateway.routing.durable_objects import (
    Assignment,
    DeploymentStep,
    PinInterval,
    assign,
    follow_pinned,
    point_of_object,
    step_of,
)
from gateway.store.objects import ClassTable, ObjectTable, WorkerObjects, storable, wait_limit
from gateway.store.store import Displaced, Placement, RunningRow, Waiting

ROWS_AT_ONCE: Final = 2_000
"""Rows judged before others get their turn on the loop."""

Resident = Callable[[VersionId, str, bytes], bool]
"""Tells whether an object (version, unique key, id) is in memory."""


class Placing:
    """The part of the object table that is about workerd."""

    def __init__(self, objects: ObjectTable) -> None:
        self._objects = objects

    def classes(self, worker: WorkerName) -> list[ClassTable]:
        """Return the classes of a Worker that run on workerd."""
        known = self._objects.worker(worker)
        return [table for table in known.classes.values() if table.unique_key] if known else []

    def learn(
        self, worker: WorkerName, key: str, id_: bytes, name: str | None, now: float, at: VersionId | None = None
    ) -> bool:
        """Note a use of an object; return whether it was unknown.

        Args:
            key: Unique key of its namespace.
            at: Version whose folder it was found in; without one it is assigned as at any first use.
        """
        known = self._objects.worker(worker)
        table = next((one for one in self.classes(worker) if one.unique_key == key), None)
        if known is None or table is None or not known.steps:
            return False
        text = None if name is None else storable(name)
        row = table.rows.get(id_)
        if row is not None:
            table.last_used[row] = now
            table.dirty[id_] = text or table.dirty.get(id_)
            return False
        held = assign(point_of_object(id_), known.steps[-1])
        number = known.number_of[at or held.version_id]
        table.add(id_, number, held.deployment_number, number, 0, now, now)
        table.dirty[id_] = text
        return True

    def running(self, worker: WorkerName, key: str, id_: bytes) -> VersionId | None:
        """Return the version an object runs, or ``None`` where it is not known."""
        known = self._objects.worker(worker)
        for table in self.classes(worker):
            if known is not None and table.unique_key == key and id_ in table.rows:
                return known.version_of[table.running[table.rows[id_]]]
        return None

    async def placement(
        self, worker: WorkerName, deployment: Deployment | None, resident: Resident, now: float
    ) -> Placement:
        """Return where all known objects shall run, under a coming deployment or as things stand."""
        placement = Placement([], {}, [])
        known = self._objects.worker(worker)
        if known is None:
            return placement
        added = [] if deployment is None else [(step_of(deployment), wait_limit(deployment))]
        for table in self.classes(worker):
            judge = _Judge(known, table, added, resident, now)
            for count, id_ in enumerate(list(table.rows), 1):
                judge.place(id_, placement)
                if count % ROWS_AT_ONCE == 0:
                    await asyncio.sleep(0)
        return placement

    def rows(self, worker: WorkerName, moves: Iterable[Displaced]) -> list[RunningRow]:
        """Return moves as the database takes them."""
        known = self._objects.worker(worker)
        keys = {table.unique_key: table.key for table in self.classes(worker)}
        if known is None:
            return []
        return [RunningRow(known.number_of[move.to_version], keys[move.key], move.id) for move in moves]

    async def settle(self, worker: WorkerName, moves: Iterable[Displaced], now: float) -> None:
        """Note that moves are final."""
        tables = {table.unique_key: table for table in self.classes(worker)}
        for count, move in enumerate(moves, 1):
            self._objects.settle_move(worker, tables[move.key], move.id, move.to_version, now)
            if count % ROWS_AT_ONCE == 0:
                await asyncio.sleep(0)


class _Judge:
    """Says where objects of one class shall run."""

    def __init__(
        self,
        known: WorkerObjects,
        table: ClassTable,
        added: list[tuple[DeploymentStep, float]],
        resident: Resident,
        now: float,
    ) -> None:
        self._known = known
        self._table = table
        self._steps = [*zip(known.steps, known.wait_limits, strict=True), *added]
        self._split = self._steps[-1][0].split if self._steps else None
        self._resident = resident
        self._now = now

    def place(self, id_: bytes, placement: Placement) -> None:
        """Add an object's move or exception, if it has one."""
        known, table = self._known, self._table
        row = table.rows[id_]
        point = point_of_object(id_)
        running = known.version_of[table.running[row]]
        assigned, wait_ends_at = self._assigned(id_, row, point, running)
        here = running
        if assigned != running:
            move = Displaced(table.unique_key, id_, running, assigned)
            if self._now < wait_ends_at and self._resident(running, table.unique_key, id_):
                placement.waiting.append(Waiting(move, wait_ends_at))
            else:
                placement.moves.append(move)
                here = assigned
        if self._split is not None and self._split.at(point).version_id != here:
            placement.exceptions[id_] = here

    def _assigned(self, id_: bytes, row: int, point: float, running: VersionId) -> tuple[VersionId, float]:
        """Return the version an object shall have, and until when it may wait for it; never waiting is 0."""
        known, table = self._known, self._table
        held = Assignment(known.version_of[table.version[row]], table.deployment[row])
        later = self._steps[table.judged[row] :]
        pin = table.pins.get(id_)
        pins = () if pin is None else (PinInterval(known.version_of[pin], 0, None),)
        wait = table.wait_ends_at.get(id_, math.inf)
        for step, limit in later:
            if known.rule is AssignmentRule.HASH or pins or held.version_id not in step.deployed:
                held = follow_pinned(point, held, (step,), known.rule, pins)
            if running != held.version_id or limit == 0.0:
                wait = min(wait, limit)
        return held.version_id, 0.0 if wait == math.inf else wait
