"""Hands the objects of a class from one Worker to another: a ``transferred_classes`` migration.

The files move before the deployment that brings the migration is final, while the giver's processes are down; at a
start, what lies under another Worker than the database says is brought to that one, so an end in between loses
nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import NamedTuple

import structlog

from gateway.control.catalog import Catalog
from gateway.errors import StateUnavailable
from gateway.model.version import VersionId, WorkerName
from gateway.model.worker import WorkerState
from gateway.runtime.workerd.fleet import Fleet
from gateway.runtime.workerd.relocation import Relocation
from gateway.runtime.workerd.storage import StoredObject
from gateway.store.sqlite import SqliteStore

log = structlog.get_logger("gateway.objects")

OwnerOf = Callable[[bytes], VersionId]


class HandedOver(NamedTuple):
    """An object that changed its Worker: namespace, id, name if known, and the version that has it now."""

    key: str
    id: bytes
    name: str | None
    version_id: VersionId


class HandingOver:
    """Moves whole namespaces between Workers."""

    def __init__(self, fleet: Fleet, catalog: Catalog, store: SqliteStore) -> None:
        self._fleet = fleet
        self._catalog = catalog
        self._store = store

    def givers(self, coming: WorkerState) -> dict[str, WorkerName]:
        """Return the unique keys that a coming state takes from other Workers, each with its Worker now."""
        keys = {one.unique_key for one in coming.namespaces}
        return {
            one.unique_key: record.name
            for record in self._catalog.workers.values()
            if record.state is not None and record.name != coming.name
            for one in record.state.namespaces
            if one.unique_key in keys
        }

    @contextlib.asynccontextmanager
    async def taking(self, coming: WorkerState, owner_of: OwnerOf) -> AsyncIterator[list[HandedOver]]:
        """Bring the objects here while the body makes it final; what it raises sends them back.

        The giver's requests wait meanwhile. Once it is final nothing is raised: the objects are here.
        """
        givers = self.givers(coming)
        async with contextlib.AsyncExitStack() as held:
            for giver in sorted(set(givers.values())):
                await held.enter_async_context(self._fleet.locks[giver])
                await asyncio.gather(*(self._fleet.restart(one) for one in self._running(giver)))
            back: dict[bytes, VersionId] = {}
            try:
                taken = []
                for key, giver in givers.items():
                    taken += await self._take(key, giver, coming.name, owner_of, back)
                yield taken
            except BaseException:
                for key, giver in givers.items():
                    await self._take(key, coming.name, giver, back.__getitem__, {})
                raise
            for key, giver in givers.items():
                await self._forget(giver, key)
        # They call the giver's versions, by the tables that they started with.
        users = {one for giver in set(givers.values()) for one in self._fleet.binding(giver)}
        await asyncio.gather(*(self._fleet.restart(one) for one in sorted(users)))

    async def _forget(self, giver: WorkerName, key: str) -> None:
        """Forget what the database knows of a class under a Worker that has it no more; if not now, at a start."""
        try:
            await self._store.delete_class(giver, key)
        except StateUnavailable as error:
            log.error("objects.not_forgotten", worker=giver, class_key=key, error=error.message)

    def _running(self, worker: WorkerName) -> list[VersionId]:
        return [one for one, (version, _) in self._fleet.running.items() if version.worker == worker]

    async def _take(
        self, key: str, giver: WorkerName, taker: WorkerName, owner_of: OwnerOf, back: dict[bytes, VersionId]
    ) -> list[HandedOver]:
        names = await self._names(giver, key)
        relocation = Relocation(self._fleet, taker)
        taken = []
        for version_id, ids in await asyncio.to_thread(self._lying, giver, key):
            alarms = await asyncio.to_thread(self._fleet.storage(giver).alarms, version_id, key)
            # Known before the first file moves: whatever fails from here on, all of them can be sent back.
            back.update(dict.fromkeys(ids, version_id))
            by_owner: dict[VersionId, list[bytes]] = {}
            for id_ in ids:
                by_owner.setdefault(owner_of(id_), []).append(id_)
            for owner, owned in by_owner.items():
                await asyncio.to_thread(
                    self._fleet.storage(giver).give, version_id, key, owned, self._fleet.storage(taker), owner
                )
                await relocation.adopt(
                    owner, {StoredObject(key, id_): alarms[id_] for id_ in owned if id_ in alarms}
                )
                taken += [HandedOver(key, id_, names.get(id_), owner) for id_ in owned]
        return taken

    def _lying(self, worker: WorkerName, key: str) -> list[tuple[VersionId, set[bytes]]]:
        storage = self._fleet.storage(worker)
        return [(version_id, storage.ids(version_id, key)) for version_id in storage.versions()]

    async def _names(self, worker: WorkerName, key: str) -> dict[bytes, str | None]:
        class_key = await self._store.find_class_key(worker, key)
        names: dict[bytes, str | None] = {}
        last = b""
        while class_key is not None and (rows := await self._store.objects_page(class_key, "", last, 5_000)):
            names.update((row.id, row.name) for row in rows)
            last = rows[-1].id
        return names

    async def reclaim(self, owner_of: Callable[[WorkerName, str, bytes], VersionId | None]) -> None:
        """Bring objects that lie under another Worker than their namespace's to where they belong, at a start."""
        owners = dict(self._namespaces())
        await self._forget_left(owners)
        for worker in await asyncio.to_thread(self._folders):
            for key in await asyncio.to_thread(self._keys, worker):
                owner = owners.get(key)
                if owner is not None and owner != worker:
                    await self._take(key, worker, owner, _certain(owner_of, owner, key), {})

    async def _forget_left(self, owners: Mapping[str, WorkerName]) -> None:
        for worker, key in self._store.load_class_names():
            record = self._catalog.workers.get(worker)
            # Without a state it was never uploaded: what looks like a key is a class's name in the configuration.
            if record is not None and record.state is not None and owners.get(key, worker) != worker:
                await self._forget(worker, key)

    def _namespaces(self) -> Iterator[tuple[str, WorkerName]]:
        for record in self._catalog.workers.values():
            if record.state is not None:
                yield from ((one.unique_key, record.name) for one in record.state.namespaces)

    def _folders(self) -> list[WorkerName]:
        with contextlib.suppress(FileNotFoundError):
            return [WorkerName(path.name) for path in self._fleet.objects.iterdir() if path.is_dir()]
        return []

    def _keys(self, worker: WorkerName) -> list[str]:
        storage = self._fleet.storage(worker)
        return sorted({key for version_id in storage.versions() for key in storage.keys(version_id)})


def _certain(
    owner_of: Callable[[WorkerName, str, bytes], VersionId | None], worker: WorkerName, key: str
) -> OwnerOf:
    def owner(id_: bytes) -> VersionId:
        found = owner_of(worker, key, id_)
        assert found is not None  # noqa: S101 - a Worker with a namespace has been deployed
        return found

    return owner
