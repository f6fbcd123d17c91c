"""What faults do to processes and objects (``proxy.suffering.Deeds``)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from gateway.errors import GatewayError
from gateway.model.durable_object import ObjectKey, ObjectReset, native_object_id
from gateway.model.version import UrlRuntime, VersionId, WorkerName
from gateway.moving import Facts, ObjectMoves
from gateway.proxy.edge import Edge
from gateway.runtime.supervisor import Supervisor
from gateway.runtime.workerd.control import resident
from gateway.runtime.workerd.fleet import Fleet
from gateway.runtime.workerd.storage import StoredObject
from gateway.store.objects import ObjectTable
from gateway.store.store import Displaced

log = structlog.get_logger("gateway.faults")


class FaultDeeds:
    """See the module's first line.

    Args:
        on_reset: Told of the objects on workerd that were reset.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        fleet: Fleet,
        facts: Facts,
        moves: ObjectMoves,
        objects: ObjectTable,
        edge: Edge,
        on_reset: Callable[[WorkerName, Sequence[Displaced]], None],
    ) -> None:
        self._supervisor = supervisor
        self._fleet = fleet
        self._facts = facts
        self._moves = moves
        self._objects = objects
        self._edge = edge
        self._on_reset = on_reset

    async def crash(self, version_id: VersionId) -> None:
        """End a version's process as a crash does."""
        runner = self._supervisor.runners.get(version_id)
        if runner is None:
            return
        if isinstance(runner.version.runtime, UrlRuntime):
            log.warning("fault.not_possible", kind="crash", version=version_id, why="its process is not ours")
        await runner.kill()

    async def reset_object(self, worker: WorkerName, class_name: str, name: str) -> None:
        """Take an object's memory away; storage and version stay (R56), its WebSockets are closed (R57)."""
        unique_key = self._moves.key_of(worker, class_name)
        if unique_key is not None:
            one = StoredObject(unique_key, native_object_id(unique_key, name))
            await self._reset_on_workerd(worker, one)
            return
        held = self._objects.peek(ObjectKey(worker, class_name, name))
        if held is None:
            log.warning("fault.not_possible", kind="object_reset", worker=worker, why=f"no class {class_name}")
            return
        reset = ObjectReset(held.key, held.running, held.running, held.deployment_number)
        await self._edge.tell_reset(reset).wait()

    async def _reset_on_workerd(self, worker: WorkerName, one: StoredObject) -> None:
        async with self._fleet.locks[worker]:
            owners = self._facts.owners(worker)
            owner = owners.owner(one.id) if owners is not None else None
            if owner is None or not self._fleet.keeps_objects(owner):
                return
            _, process = self._fleet.running[owner]
            # One that is not in memory has nothing to lose, and would be started only to be ended.
            if one not in await asyncio.to_thread(resident, process.pid):
                return
            try:
                await self._fleet.control(owner).abort(one)
            except GatewayError as error:
                log.warning("fault.not_possible", kind="object_reset", worker=worker, why=error.message)
                return
        self._on_reset(worker, [Displaced(one.key, one.id, owner, owner)])
