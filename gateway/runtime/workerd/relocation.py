"""Moves objects between the versions of a Worker in two phases (runtime.md, section 5).

``prepare``: calls to objects that move wait, in every process. ``carry``: the old owners end these objects, their
files are renamed, the new owners take their alarms. Then the caller commits the new owners to the database (the
journal of a move is the column ``running`` of the object table), and ``commit`` lets the calls go on. Up to that
write everything can be undone, and the next start undoes what a killed gateway left (``repair.py``). Alarms stand
on both sides until then, and none can fire: an object that an alarm starts meanwhile waits for the end of the
move, and does nothing where it no longer belongs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import structlog

from gateway.errors import GatewayError
from gateway.model.version import VersionId, WorkerName
from gateway.runtime.workerd.control import resident, until_closed
from gateway.runtime.workerd.fleet import Fleet
from gateway.runtime.workerd.storage import Move, StoredObject
from gateway.runtime.workerd.tables import OwnerTable

log = structlog.get_logger("gateway.objects")

ALARM_MARGIN_MS: Final = 250
"""A due alarm is set so much later: it must not fire before the object that was started to set it has ended."""


class Relocation:
    """One move of one Worker's objects; the Worker's lock is held from before ``prepare`` to after the end."""

    def __init__(self, fleet: Fleet, worker: WorkerName) -> None:
        self._fleet = fleet
        self._worker = worker
        self._storage = fleet.storage(worker)
        self._live = {
            version_id: process.pid
            for version_id, (version, process) in fleet.running.items()
            if version.worker == worker and fleet.keeps_objects(version_id)
        }
        self._sockets: set[StoredObject] = set()
        self._carried: Sequence[Move] = ()

    async def prepare(self, table: OwnerTable) -> list[tuple[StoredObject, str | None]]:
        """Let calls to objects whose owner changes wait; return the objects used since the last time.

        Raises:
            ProcessFailed: A process does not answer; ``cancel`` the move.
        """
        message = self._fleet.table_json(table)
        answers = await asyncio.gather(*(self._fleet.control(one).prepare(message) for one in self._live))
        touched = []
        for seen, sockets in answers:
            touched += seen
            self._sockets |= sockets
        return touched

    async def carry(self, moves: Sequence[Move]) -> None:
        """End the objects, move their files, hand their alarms over.

        Raises:
            ProcessFailed, OSError: It did not work out; ``undo``.
        """
        objects = await asyncio.to_thread(_objects, moves)
        await self._release(objects)
        alarms = await asyncio.to_thread(self._alarms, moves)
        self._carried = moves
        await asyncio.to_thread(self._storage.carry, moves)
        # One that was started meanwhile ends by itself, but has opened a file that is another version's by now.
        await self._until_closed(objects)
        soon = int(time.time() * 1000) + ALARM_MARGIN_MS
        await asyncio.gather(
            *(
                self.adopt(version_id, {one: max(time_ms, soon) for one, time_ms in here.items()})
                for version_id, here in alarms.items()
            )
        )

    async def _release(self, objects: set[StoredObject]) -> None:
        await asyncio.gather(*(self._release_from(version_id, objects) for version_id in self._live))

    async def _release_from(self, version_id: VersionId, objects: set[StoredObject]) -> None:
        """End those of ``objects`` that are in a process's memory: strays too, whose files are about to go."""
        pid = self._live[version_id]
        leaving = objects & (self._sockets | await asyncio.to_thread(resident, pid))
        if leaving:
            await self._fleet.control(version_id).release(sorted(leaving))
            await until_closed(pid, leaving)

    async def _until_closed(self, objects: set[StoredObject]) -> None:
        await asyncio.gather(*(until_closed(pid, objects) for pid in self._live.values()))

    def _alarms(self, moves: Iterable[Move]) -> dict[VersionId, dict[StoredObject, int]]:
        """Return the alarms that go along, by new owner.

        They stay scheduled at the old owners too: there they find an object without an alarm of its own, and
        workerd drops them.
        """
        seen: dict[tuple[VersionId, str], Mapping[bytes, int]] = {}
        found: dict[VersionId, dict[StoredObject, int]] = {}
        for move in moves:
            place = (move.from_version, move.object.key)
            if place not in seen:
                seen[place] = self._storage.alarms(*place)
            time_ms = seen[place].get(move.object.id)
            if time_ms is not None:
                found.setdefault(move.to_version, {})[move.object] = time_ms
        return found

    async def adopt(self, version_id: VersionId, alarms: Mapping[StoredObject, int]) -> None:
        """Schedule alarms, in milliseconds, at a version that runs or does not.

        Raises:
            ProcessFailed: Its process did not take them.
        """
        if version_id in self._live:
            await self._fleet.control(version_id).adopt(alarms)
            return
        for key in {one.key for one in alarms}:
            here = {one.id: time_ms for one, time_ms in alarms.items() if one.key == key}
            await asyncio.to_thread(self._storage.set_alarms, version_id, key, here)

    async def commit(self) -> None:
        """Let the calls that waited go on, to the new owners; a process that fails now is started anew."""
        await self._tell_all("commit")

    async def undo(self) -> None:
        """Bring everything back to where it was before ``prepare``."""
        try:
            if self._carried:
                await self._release({move.object for move in self._carried})
                back = [Move(move.object, move.to_version, move.from_version) for move in self._carried]
                await asyncio.to_thread(self._storage.carry, back)
        except (GatewayError, OSError) as error:
            # The object table still names the old owners: the next start puts the files back.
            log.error("objects.not_moved_back", worker=self._worker, error=str(error))
        finally:
            await self._tell_all("cancel")

    async def _tell_all(self, what: str) -> None:
        results = await asyncio.gather(
            *(getattr(self._fleet.control(one), what)() for one in self._live), return_exceptions=True
        )
        for version_id, result in zip(self._live, results, strict=True):
            if isinstance(result, GatewayError):
                log.error("version.not_told", worker=self._worker, version=version_id, error=result.message)
                await self._fleet.restart(version_id)
            elif isinstance(result, BaseException):
                raise result


def _objects(moves: Iterable[Move]) -> set[StoredObject]:
    return {move.object for move in moves}
