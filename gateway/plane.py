"""The running gateway as the control plane sees it: what runs, where objects are, what the edge routes by.

``control.deployments`` and ``control.uploads`` decide what shall be; here it is made so, in an order in which no
request and no object is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Final

from gateway.control.catalog import Catalog
from gateway.control.deployments import DEPLOYABLE_VERSIONS
from gateway.live import LiveTables
from gateway.model.deployment import Deployment
from gateway.model.durable_object import ObjectReset
from gateway.model.version import Version, VersionId, WorkerName
from gateway.model.worker import Namespace, WorkerState
from gateway.model.worker_code import WorkerdRuntime
from gateway.moving import Facts, ObjectMoves
from gateway.proxy.edge import Edge
from gateway.proxy.server import DataPlane
from gateway.routing.routes import implied_route
from gateway.runtime.reset_notice import tell_reset
from gateway.runtime.runner import VersionState
from gateway.runtime.supervisor import Supervisor
from gateway.runtime.workerd.fleet import Fleet
from gateway.runtime.workerd.storage import StoredObject
from gateway.settings import Settings, WorkerSettings
from gateway.store.objects import ObjectTable
from gateway.store.store import ObjectView, RunningRow

SLEEP_AFTER_SECONDS: Final = 60.0
SLEEP_CHECK_SECONDS: Final = 5.0
RETIRE_SECONDS: Final = 30.0
"""R58: in-flight requests of a version that leaves may finish for up to 30 seconds."""


class RunningPlane:
    """See the module's first line; ``Plane`` and ``UploadPlane`` of ``control.deployments`` tell the contract."""

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        objects: ObjectTable,
        facts: Facts,
        fleet: Fleet,
        supervisor: Supervisor,
        moves: ObjectMoves,
        on_deployed: Callable[[Deployment], None],
        propagation_seconds: Callable[[], float],
    ) -> None:
        self._catalog = catalog
        self._objects = objects
        self._facts = facts
        self._fleet = fleet
        self._supervisor = supervisor
        self._moves = moves
        self._on_deployed = on_deployed
        self._propagation_seconds = propagation_seconds
        # Versions of a deployment under way: nobody wants them yet, but they must not be retired.
        self._preparing: set[VersionId] = set()
        self._edge: Edge
        self._data_plane: DataPlane
        self._tables: LiveTables
        self.use_settings(settings)

    def attach(self, edge: Edge, data_plane: DataPlane, tables: LiveTables) -> None:
        """Know the data plane, which itself must be told of resets by us."""
        self._edge, self._data_plane, self._tables = edge, data_plane, tables

    def use_settings(self, settings: Settings) -> None:
        """Follow another configuration from the next ``refresh`` on."""
        self.settings = settings
        self._workers = {worker.name: worker for worker in settings.workers}

    async def prepare(self, versions: Iterable[Version], states: Sequence[WorkerState] = ()) -> Sequence[str]:
        """Get versions running; return what the user should know of those that do not."""
        versions = list(versions)
        self._preparing = {version.id for version in versions}
        self._facts.coming = {state.name: state for state in states}
        await self._supervisor.renew(version for version in versions if not self._is_deployed(version))
        self._supervisor.ensure(versions)
        self.refresh()
        on_workerd = [version for version in versions if isinstance(version.runtime, WorkerdRuntime)]
        # At start nothing waits, requests wait for their version instead; but objects can only move between
        # versions that run, or sleep.
        waiting = versions if self._data_plane.serving else on_workerd
        await self._supervisor.settle([version.id for version in waiting], self.settings.proxy.start_seconds)
        runners = self._supervisor.runners
        return [
            f"Version {version.label} does not run: {runners[version.id].trouble or 'it is still starting'}."
            for version in waiting
            if runners[version.id].state is not VersionState.RUNNING
        ]

    def _is_deployed(self, version: Version) -> bool:
        active = self._catalog.record(version.worker).active
        return active is not None and version.id in active.version_ids

    @contextlib.asynccontextmanager
    async def deploying(self, deployment: Deployment) -> AsyncIterator[Sequence[RunningRow]]:
        """Move the Worker's objects to where a deployment wants them, while the body makes it final."""
        try:
            async with self._moves.deploying(deployment) as moved:
                yield moved
        except BaseException:
            self._edge.spawn(self.retire_unneeded())
            raise
        finally:
            self._facts.coming = {}
            self._preparing = set()

    def refresh(self) -> None:
        """Route and run by the catalog as it is now; the table is built anew and swapped whole."""
        workers = self.all_workers()
        for worker in workers:
            self.set_up_objects(worker)
        asleep = [
            version
            for worker in workers
            for version in self._catalog.record(worker.name).deployable(DEPLOYABLE_VERSIONS)
        ]
        self._supervisor.ensure(self.wanted_versions(), asleep=asleep)
        for worker in workers:
            running = frozenset(
                one for one, runner in self._supervisor.runners.items() if runner.version.worker == worker.name
            )
            self._objects.set_runnable(worker.name, running)
        self._data_plane.use(self._tables.build(workers, self.settings.routing))

    def all_workers(self) -> list[WorkerSettings]:
        """Return the Workers of the file, then those that were uploaded and stand in no file."""
        uploaded = [
            WorkerSettings(name, (implied_route(name),))
            for name, record in self._catalog.workers.items()
            if record.state is not None and name not in self._workers
        ]
        return [*self._workers.values(), *uploaded]

    def is_from_file(self, name: WorkerName) -> bool:
        """Tell whether the configuration file names a Worker."""
        return name in self._workers

    def follow_up(self, deployment: Deployment) -> None:
        """Reset objects that moved and retire versions that nobody needs, in the background."""
        self._on_deployed(deployment)
        self._edge.spawn(self._reset_open_objects(deployment.worker))
        self._edge.spawn(self._settle_and_retire(deployment))

    async def _settle_and_retire(self, deployment: Deployment) -> None:
        await self._moves.delete_retired(deployment.worker)
        if self._moves.has_objects(deployment.worker):
            await self._moves.settle_later(deployment.worker)
            await self.retire_unneeded()
        else:
            await self.retire_unneeded(deployment.code_update.max_delay_seconds)

    async def after_pin(self, worker: WorkerName) -> None:
        """Let objects follow a pin that was set or taken away."""
        await self._reset_open_objects(worker)
        if self._moves.has_objects(worker):
            await self._moves.settle_later(worker)

    async def check_code(self, version: Version, namespaces: Sequence[Namespace]) -> Sequence[str]:
        """Start a version's code once; see ``UploadPlane``."""
        return await self._fleet.check(version, namespaces)

    async def remove_worker(self, name: WorkerName) -> None:
        """Stop a Worker's versions and delete its objects; the catalog has forgotten it already."""
        gone = [one for one, runner in self._supervisor.runners.items() if runner.version.worker == name]
        ending = self._supervisor.release(gone)
        self._objects.forget_worker(name)
        self.refresh()
        self._data_plane.forget(gone)
        await asyncio.gather(*(runner.stop() for runner in ending))
        await self._moves.delete_worker(name)

    async def _reset_open_objects(self, worker: WorkerName) -> None:
        """Close the WebSockets of objects that moved (R57); other objects are judged when they are next used."""
        open_objects = {key for key in self._edge.tunnels.values() if key is not None and key.worker == worker}
        for key in sorted(open_objects):
            reset = self._objects.reset_if_moved(key, time.time())
            if reset is not None:
                await self._edge.tell_reset(reset).wait()

    async def tell_version(self, reset: ObjectReset) -> None:
        """Tell the version that lost an object (design 5)."""
        runner = self._supervisor.runners.get(reset.from_version)
        if runner is not None and runner.endpoint is not None:
            await tell_reset(runner.endpoint, reset)

    def wanted_versions(self) -> list[Version]:
        """Return all versions that should run: those of the file, and those of the active deployments."""
        wanted: dict[VersionId, Version] = {}
        for worker in self.all_workers():
            record = self._catalog.record(worker.name)
            ids = [definition.id for definition in worker.versions]
            ids += sorted(record.active.version_ids) if record.active else []
            ids += sorted(self._moves.needed_versions(worker.name))
            wanted.update((version_id, record.versions[version_id]) for version_id in ids)
        return list(wanted.values())

    async def retire_unneeded(self, delay_seconds: float = 0.0) -> None:
        """End the versions that nobody needs any more, once their requests are answered.

        Args:
            delay_seconds: For so long objects whose update is deferred may still run on them (R60).
        """
        await asyncio.sleep(max(delay_seconds, self._propagation_seconds()))
        leaving = self._unneeded()
        if not leaving:
            return
        await self._data_plane.idle(leaving, RETIRE_SECONDS)
        leaving = self._unneeded() & leaving
        keep = self._may_sleep() & leaving
        await asyncio.gather(*(self._supervisor.sleep(version_id) for version_id in keep))
        leaving -= keep
        ending = self._supervisor.release(leaving)
        self.refresh()
        self._data_plane.forget(leaving)
        await asyncio.gather(*(runner.stop() for runner in ending))

    def _unneeded(self) -> set[VersionId]:
        wanted = {version.id for version in self.wanted_versions()}
        return set(self._supervisor.runners) - wanted - self._preparing

    def _may_sleep(self) -> set[VersionId]:
        """Return the versions on workerd whose version URLs work though they are not deployed."""
        return {
            version.id
            for worker in self.all_workers()
            for version in self._catalog.record(worker.name).deployable(DEPLOYABLE_VERSIONS)
            if isinstance(version.runtime, WorkerdRuntime)
        }

    async def let_idle_sleep(self) -> None:
        """End processes that only ran for a version URL, once nobody has asked for a while; for ever."""
        while True:
            await asyncio.sleep(SLEEP_CHECK_SECONDS)
            since = self._edge.now - SLEEP_AFTER_SECONDS
            for version_id in self._unneeded() & self._may_sleep():
                if not self._data_plane.is_used(version_id, since):
                    await self._supervisor.sleep(version_id)

    def set_up_objects(self, worker: WorkerSettings) -> None:
        """Let the object table know a Worker as it is now."""
        record = self._catalog.record(worker.name)
        fresh = worker.name not in self._objects.workers
        self._objects.set_worker(
            worker.name, worker.assignment, {binding.class_name for binding in worker.bindings}
        )
        namespaces = record.state.namespaces if record.state else ()
        self._objects.set_namespaces(worker.name, worker.assignment, namespaces)
        self._objects.add_versions(worker.name, record.versions.values())
        if fresh:
            for deployment in record.deployments:
                self._objects.activate(deployment)

    async def storage_bytes(self, worker: WorkerName, view: ObjectView) -> int | None:
        """Return what an object's files take on disk; ``None`` where the gateway does not keep them."""
        key = self._moves.key_of(worker, view.class_name)
        if key is None:
            return None
        one = StoredObject(key, bytes.fromhex(view.id))
        return await asyncio.to_thread(self._fleet.storage(worker).size_bytes, view.running, one)
