"""Keeps each Durable Object on workerd in exactly one version: at a start, at each deployment, at each pin.

Joins the object table, which knows what should be, with the processes and files, which are what is. A move is
carried out first, in files and processes, then made final by one write to the database, then told (design 5).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Final

import structlog

from gateway.control.catalog import Catalog
from gateway.errors import GatewayError
from gateway.handing_over import HandingOver
from gateway.model.deployment import Deployment
from gateway.model.version import VersionId, WorkerName
from gateway.model.worker import Namespace, WorkerState
from gateway.model.worker_code import WorkerdRuntime
from gateway.routing.percentages import Split, split_of
from gateway.runtime.workerd.control import ProcessFailed
from gateway.runtime.workerd.control import resident as resident_objects
from gateway.runtime.workerd.fleet import Fleet
from gateway.runtime.workerd.relocation import Relocation
from gateway.runtime.workerd.storage import Move, StoredObject
from gateway.runtime.workerd.tables import OwnerTable
from gateway.store.objects import ObjectTable
from gateway.store.placing import Placing, Resident
from gateway.store.sqlite import SqliteStore
from gateway.store.store import Displaced, Placement, RunningRow, Waiting

log = structlog.get_logger("gateway.objects")

COLLECT_SECONDS: Final = 1.0
SETTLE_SECONDS: Final = 0.5
ATTEMPTS: Final = 3
"""A process that falls in the middle of a move spoils it once; then its objects are at rest and move as files."""


class Facts:
    """What the processes are told of Workers: catalog and owners as they are now (``fleet.WorkerFacts``)."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.tables: dict[WorkerName, OwnerTable] = {}
        self.tailed: set[WorkerName] = set()
        self.coming: dict[WorkerName, WorkerState] = {}
        """States that a deployment under way brings: its versions start with their namespaces."""

    def namespaces(self, worker: WorkerName) -> Sequence[Namespace]:
        """Return a Worker's Durable Object namespaces."""
        record = self._catalog.workers.get(worker)
        state = self.coming.get(worker) or (record.state if record else None)
        return state.namespaces if state else ()

    def worker_with(self, unique_key: str) -> WorkerName | None:
        """Return the Worker that has a namespace now."""
        for name in self._catalog.workers:
            if any(one.unique_key == unique_key for one in self.namespaces(name)):
                return name
        return None

    def split(self, worker: WorkerName) -> Split | None:
        """Return the active split of a Worker."""
        record = self._catalog.workers.get(worker)
        return split_of(record.active.versions) if record and record.active else None

    def runs_on_workerd(self, version_id: VersionId) -> bool:
        """Tell whether workerd runs a version."""
        version = self._catalog.version(version_id)
        return version is not None and isinstance(version.runtime, WorkerdRuntime)

    def listening(self, worker: WorkerName) -> bool:
        """Tell whether somebody tails a Worker."""
        return worker in self.tailed

    def owners(self, worker: WorkerName) -> OwnerTable | None:
        """Return who runs each object of a Worker."""
        return self.tables.get(worker)


class ObjectMoves:
    """Moves objects between versions; see the module's first lines.

    Args:
        fault: Called with the name of each step of a move: tests end the gateway there.
        on_moved: Told of the objects that run another version from now on.
    """

    def __init__(
        self,
        fleet: Fleet,
        facts: Facts,
        catalog: Catalog,
        objects: ObjectTable,
        store: SqliteStore,
        *,
        clock: Callable[[], float] = time.time,
        fault: Callable[[str], None] = lambda _step: None,
        on_moved: Callable[[WorkerName, Sequence[Displaced]], None] = lambda _worker, _moves: None,
    ) -> None:
        self._fleet = fleet
        self._facts = facts
        self._catalog = catalog
        self._objects = objects
        self._placing = Placing(objects)
        self._settling: set[WorkerName] = set()
        self._handing_over = HandingOver(fleet, catalog, store)
        self._store = store
        self._clock = clock
        self._fault = fault
        self._on_moved = on_moved

    # At a deployment.

    @contextlib.asynccontextmanager
    async def deploying(self, deployment: Deployment) -> AsyncIterator[Sequence[RunningRow]]:
        """Move objects to where a deployment wants them; the body makes it final, with the rows it is given.

        What the body raises undoes the move.

        Raises:
            ProcessFailed: Objects cannot be moved; nothing was changed.
        """
        worker = deployment.worker
        coming = self._facts.coming.get(worker)
        if coming is not None and self._handing_over.givers(coming):
            async with self._taking(deployment, coming) as moved:
                yield moved
            return
        async with self._moving(deployment) as moved:
            yield moved

    @contextlib.asynccontextmanager
    async def _taking(self, deployment: Deployment, coming: WorkerState) -> AsyncIterator[Sequence[RunningRow]]:
        """Move objects, those too that another Worker hands over."""
        worker, split = deployment.worker, split_of(deployment.versions)
        owner_of = OwnerTable(split).owner
        async with self._handing_over.taking(coming, owner_of) as taken:
            async with self._moving(deployment) as moved:
                yield moved
            now = self._clock()
            for one in taken:
                self._placing.learn(worker, one.key, one.id, one.name, now, at=one.version_id)

    @contextlib.asynccontextmanager
    async def _moving(self, deployment: Deployment) -> AsyncIterator[Sequence[RunningRow]]:
        worker = deployment.worker
        # A later deployment may bring the first class: its process started with the owners of the one before.
        brings_first_class = worker in self._facts.tables and bool(self._facts.namespaces(worker))
        if not self._placing.classes(worker) and not brings_first_class:
            yield ()
            self._facts.tables[worker] = OwnerTable(split_of(deployment.versions))
            await self._fleet.tell(worker)
            return
        split = split_of(deployment.versions)
        async with self._fleet.locks[worker]:
            relocation, placement = await self._carried(worker, split, deployment)
            try:
                yield self._placing.rows(worker, placement.moves)
            except BaseException:
                await relocation.undo()
                raise
            self._fault("written")
            await self._finish(relocation, worker, split, placement)

    async def _carried(
        self, worker: WorkerName, split: Split, deployment: Deployment | None
    ) -> tuple[Relocation, Placement]:
        """Return a move that only waits to be made final."""
        for attempt in range(1, ATTEMPTS + 1):
            relocation = Relocation(self._fleet, worker)
            try:
                placement = await self._prepared(relocation, worker, split, deployment)
                self._fault("prepared")
                await self._objects.flush()
                self._fault("journalled")
                await relocation.carry(await asyncio.to_thread(_moves, placement.moves))
                self._fault("carried")
            except BaseException as error:
                await relocation.undo()
                if not isinstance(error, ProcessFailed | OSError):
                    raise
                log.error("objects.not_moved", worker=worker, attempt=attempt, error=str(error))
                if attempt == ATTEMPTS:
                    raise error if isinstance(error, ProcessFailed) else _cannot_move(error) from error
            else:
                return relocation, placement
        raise AssertionError("the last attempt raises or returns")

    async def _prepared(
        self, relocation: Relocation, worker: WorkerName, split: Split, deployment: Deployment | None
    ) -> Placement:
        """Let calls to the objects that move wait, those included that were first used just now."""
        await self._learn_from_disk(worker)
        resident = await self._resident(worker)
        while True:
            placement = self._staying(
                worker, await self._placing.placement(worker, deployment, resident, self._clock())
            )
            touched = await relocation.prepare(OwnerTable(split, placement.exceptions))
            if not self._learn(worker, touched):
                return placement

    def _staying(self, worker: WorkerName, placement: Placement) -> Placement:
        """Leave out the objects of classes that the coming deployment deletes: they end with their version."""
        keys = {namespace.unique_key for namespace in self._facts.namespaces(worker)}
        return placement._replace(
            moves=[one for one in placement.moves if one.key in keys],
            waiting=[one for one in placement.waiting if one.move.key in keys],
        )

    async def _resident(self, worker: WorkerName) -> Resident:
        found = {
            version_id: await asyncio.to_thread(resident_objects, process.pid)
            for version_id, (version, process) in list(self._fleet.running.items())
            if version.worker == worker
        }
        return lambda version_id, key, id_: StoredObject(key, id_) in found.get(version_id, ())

    async def _learn_from_disk(self, worker: WorkerName) -> None:
        """Learn of the objects that a process used before it fell and could tell."""
        for version_id in [one for one, name in self._fleet.unseen.items() if name == worker]:
            self._fleet.unseen.pop(version_id, None)
            table = self._facts.owners(worker)
            for one in await asyncio.to_thread(self._lying, worker, version_id):
                # Else it is a stray: what a call by `ctx.exports` or a left alarm leaves where the object is not.
                if table is not None and table.owner(one.id) == version_id:
                    self._placing.learn(worker, one.key, one.id, None, self._clock(), at=version_id)

    def _lying(self, worker: WorkerName, version_id: VersionId) -> list[StoredObject]:
        storage = self._fleet.storage(worker)
        keys = {table.unique_key for table in self._placing.classes(worker)}
        return [
            StoredObject(key, id_)
            for key in storage.keys(version_id)
            if key in keys
            for id_ in storage.ids(version_id, key)
        ]

    def _learn(self, worker: WorkerName, touched: Iterable[tuple[StoredObject, str | None]]) -> bool:
        now, unknown = self._clock(), False
        for one, name in touched:
            unknown |= self._placing.learn(worker, one.key, one.id, name, now)
        return unknown

    async def _finish(
        self, relocation: Relocation, worker: WorkerName, split: Split, placement: Placement
    ) -> None:
        await self._placing.settle(worker, placement.moves, self._clock())
        self._facts.tables[worker] = OwnerTable(split, placement.exceptions)
        await relocation.commit()
        self._fault("committed")
        await self._fleet.tell(worker)
        if placement.moves:
            self._on_moved(worker, placement.moves)
            log.info("objects.moved", worker=worker, count=len(placement.moves), waiting=len(placement.waiting))

    # Between deployments.

    async def settle(self, worker: WorkerName) -> Sequence[Waiting]:
        """Move objects whose wait is over (R61) or that were pinned; return those that still wait.

        Raises:
            ProcessFailed, StateUnavailable: Nothing was changed.
        """
        split = self._facts.split(worker)
        if split is None or not self._placing.classes(worker):
            return ()
        async with self._fleet.locks[worker]:
            resident = await self._resident(worker)
            placement = await self._placing.placement(worker, None, resident, self._clock())
            if not placement.moves:
                return placement.waiting
            relocation, placement = await self._carried(worker, split, None)
            try:
                await self._store.write_running(self._placing.rows(worker, placement.moves))
            except BaseException:
                await relocation.undo()
                raise
            self._fault("written")
            await self._finish(relocation, worker, split, placement)
        return placement.waiting

    async def settle_later(self, worker: WorkerName) -> None:
        """Move each object whose update is deferred once it leaves memory, or its time is up (R60, R61)."""
        if worker in self._settling:
            return
        self._settling.add(worker)
        try:
            while True:
                try:
                    waiting = await self.settle(worker)
                except GatewayError as error:
                    log.error("objects.not_moved", worker=worker, error=error.message)
                else:
                    if not waiting:
                        return
                    await self._until_one_may_move(worker, waiting)
                await asyncio.sleep(SETTLE_SECONDS)
        finally:
            self._settling.discard(worker)

    async def _until_one_may_move(self, worker: WorkerName, waiting: Sequence[Waiting]) -> None:
        """Return once one of the objects has left memory or its time is up, or another deployment came."""
        table = self._facts.owners(worker)
        while table is self._facts.owners(worker):
            resident, now = await self._resident(worker), self._clock()
            if any(now >= until or not resident(move.from_version, move.key, move.id) for move, until in waiting):
                return
            await asyncio.sleep(SETTLE_SECONDS)

    async def collect(self) -> None:
        """Learn of the objects that are used, for ever."""
        while True:
            await asyncio.sleep(COLLECT_SECONDS)
            await self.collect_now()

    async def collect_now(self, only: WorkerName | None = None) -> None:
        """Learn of the objects that were used until now, with the names they were called by."""
        if self._fleet.unseen:
            for worker in [only] if only is not None else list(self._catalog.workers):
                async with self._fleet.locks[worker]:
                    await self._learn_from_disk(worker)
        for version_id, (version, _) in list(self._fleet.running.items()):
            worker = version.worker
            if only not in (None, worker) or not self._placing.classes(worker):
                continue
            async with self._fleet.locks[worker]:
                if not self._fleet.keeps_objects(version_id):
                    continue
                try:
                    self._learn(worker, await self._fleet.control(version_id).collect())
                except ProcessFailed as error:
                    log.warning("objects.not_collected", worker=worker, error=error.message)

    def needed_versions(self, worker: WorkerName) -> set[VersionId]:
        """Return the versions that still run objects, deployed or not."""
        table = self._facts.tables.get(worker)
        return set(table.exceptions.values()) if table else set()

    # At a start.

    async def reclaim(self) -> None:
        """Undo or finish what a handing over left between two Workers, before anything is restored."""
        await self._handing_over.reclaim(self._owner_at_rest)

    def _owner_at_rest(self, worker: WorkerName, key: str, id_: bytes) -> VersionId | None:
        known = self._placing.running(worker, key, id_)
        split = self._facts.split(worker)
        return known or (OwnerTable(split).owner(id_) if split is not None else None)

    async def restore(self, worker: WorkerName) -> None:
        """Bring files, alarms and table of a Worker together before any of its processes runs.

        Raises:
            StateUnavailable: The database cannot be written.
        """
        split = self._facts.split(worker)
        if split is None:
            return
        if self._placing.classes(worker):
            async with self._fleet.locks[worker]:
                await self._repair(worker)
                await self._objects.flush()
                relocation, placement = await self._carried(worker, split, None)
                await self._store.write_running(self._placing.rows(worker, placement.moves))
                await self._placing.settle(worker, placement.moves, self._clock())
                self._facts.tables[worker] = OwnerTable(split, placement.exceptions)
                await asyncio.to_thread(self._drop_foreign_alarms, worker)
                await relocation.commit()
        else:
            self._facts.tables[worker] = OwnerTable(split)

    async def _repair(self, worker: WorkerName) -> None:
        """Bring each object's files to the version that the table says it runs: undoes what was not final."""
        storage = self._fleet.storage(worker)
        moves: list[Move] = []
        strays: dict[VersionId, list[StoredObject]] = {}
        lying = [
            (version_id, one)
            for version_id in storage.versions()
            for one in await asyncio.to_thread(self._lying, worker, version_id)
        ]
        for version_id, one in lying:
            running = self._placing.running(worker, one.key, one.id)
            if running is None:
                self._placing.learn(worker, one.key, one.id, None, self._clock(), at=version_id)
            elif running != version_id:
                if await asyncio.to_thread(storage.holds, running, one):
                    strays.setdefault(version_id, []).append(one)
                else:
                    moves.append(Move(one, version_id, running))
        for version_id, here in strays.items():
            await asyncio.to_thread(storage.remove, version_id, here)
        await asyncio.to_thread(storage.carry, moves)
        await asyncio.to_thread(self._drop_foreign_alarms, worker)
        if moves:
            log.warning("objects.repaired", worker=worker, count=len(moves))

    def _drop_foreign_alarms(self, worker: WorkerName) -> None:
        """Delete alarms from where their objects do not run: left by a move, final or not."""
        storage = self._fleet.storage(worker)
        for version_id in storage.versions():
            for key in storage.keys(version_id):
                foreign = [
                    id_
                    for id_ in storage.alarms(version_id, key)
                    if self._placing.running(worker, key, id_) not in (None, version_id)
                ]
                if foreign:
                    storage.delete_alarms(version_id, key, foreign)

    # Migrations.

    def key_of(self, worker: WorkerName, class_name: str) -> str | None:
        """Return the unique key of a class on workerd."""
        tables = self._placing.classes(worker)
        return next((table.unique_key for table in tables if table.class_name == class_name), None)

    def has_objects(self, worker: WorkerName) -> bool:
        """Tell whether a Worker has a Durable Object class on workerd."""
        return bool(self._placing.classes(worker))

    async def delete_retired(self, worker: WorkerName) -> None:
        """Delete the objects of classes that migrations deleted; only after the deployment is acknowledged."""
        record = self._catalog.workers.get(worker)
        retired = set(record.state.retired_keys) if record and record.state else set()
        for key in sorted(retired - self._keys_in_use()):
            await asyncio.to_thread(self._fleet.storage(worker).remove_namespace, key)
            await self._store.delete_class(worker, key)

    def _keys_in_use(self) -> set[str]:
        records = self._catalog.workers.values()
        return {one.unique_key for record in records if record.state for one in record.state.namespaces}

    async def delete_worker(self, worker: WorkerName) -> None:
        """Delete all objects of a Worker, whose processes have ended."""
        self._facts.tables.pop(worker, None)
        self._fleet.forget(worker)
        await asyncio.to_thread(self._fleet.storage(worker).remove_all)


def _moves(displaced: Iterable[Displaced]) -> list[Move]:
    return [Move(StoredObject(one.key, one.id), one.from_version, one.to_version) for one in displaced]


def _cannot_move(error: BaseException) -> ProcessFailed:
    return ProcessFailed(
        f"objects cannot be moved: {error}", remedy="Free disk space and deploy again; nothing was changed."
    )
