"""Workers beyond their versions: which exist, their unversioned state, who binds whom, their end (R5, R6)."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from gateway.control.catalog import Catalog, WorkerRecord
from gateway.control.deployments import UploadPlane
from gateway.control.refusals import (
    DeploymentActive,
    DeploymentNotFound,
    VersionInUse,
    WorkerExists,
    WorkerFromFile,
    WorkerInUse,
    WorkerNotFound,
)
from gateway.control.upload_checks import check_worker_name
from gateway.model.deployment import Deployment
from gateway.model.version import Version, VersionId, WorkerName
from gateway.model.worker import WorkerState
from gateway.model.worker_code import Binding, WorkerdRuntime


class WorkerStore(Protocol):
    """Where Workers are remembered."""

    async def save_worker(self, state: WorkerState) -> None: ...  # noqa: D102
    async def delete_worker(self, name: WorkerName) -> None: ...  # noqa: D102
    async def remove_version(self, version_id: VersionId) -> None: ...  # noqa: D102


class Use(NamedTuple):
    """One Worker's binding to another, of the version uploaded last or of one that is deployed."""

    worker: WorkerName
    binding: Binding


def moment_text(moment: datetime) -> str:
    """Return a time as the API writes it: fixed width, six digits and ``Z``, for clients compare it as text."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Workers:
    """What can be asked of and done to whole Workers.

    Args:
        from_file: Whether the configuration file defines a Worker.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        catalog: Catalog,
        store: WorkerStore,
        plane: UploadPlane,
        *,
        from_file: Callable[[WorkerName], bool],
        clock: Callable[[], float],
    ) -> None:
        self.catalog = catalog
        self._store = store
        self._plane = plane
        self._from_file = from_file
        self._clock = clock
        self._locks: defaultdict[WorkerName, asyncio.Lock] = defaultdict(asyncio.Lock)

    def all(self) -> list[WorkerRecord]:
        """Return the Workers that exist, by name."""
        return sorted((one for one in self.catalog.workers.values() if one.exists), key=lambda one: one.name)

    def find(self, reference: str) -> WorkerRecord:
        """Return the Worker that a name or a tag (the id of newer clients) names.

        Raises:
            WorkerNotFound: 10007.
        """
        record = self.catalog.workers.get(WorkerName(reference))
        if record is not None and record.exists:
            return record
        for one in self.all():
            if self.state_of(one).tag == reference:
                return one
        raise WorkerNotFound(reference)

    def exists(self, name: str) -> bool:
        """Tell whether there is a Worker of that name."""
        record = self.catalog.workers.get(WorkerName(name))
        return record is not None and record.exists

    def state_named(self, name: str) -> WorkerState | None:
        """Return the stored state of the Worker of that name."""
        record = self.catalog.workers.get(WorkerName(name))
        return record.state if record is not None else None

    def lock(self, name: WorkerName) -> asyncio.Lock:
        """Return what a change of a Worker holds, so that concurrent uploads get distinct numbers."""
        return self._locks[name]

    @contextlib.asynccontextmanager
    async def held(self, record: WorkerRecord) -> AsyncIterator[None]:
        """Hold a Worker that exists.

        Raises:
            WorkerNotFound: It was deleted while this waited.
        """
        async with self.lock(record.name):
            if self.catalog.workers.get(record.name) is not record:
                raise WorkerNotFound(record.name)
            yield

    def now(self) -> str:
        """Return the time as the API writes it."""
        return moment_text(datetime.fromtimestamp(self._clock(), UTC))

    def state_of(self, record: WorkerRecord) -> WorkerState:
        """Return a Worker's state; one that only a configuration file has told of gets a fresh one."""
        if record.state is not None:
            return record.state
        first = next(iter(record.versions.values()), None)
        born = moment_text(first.created_on) if first is not None else self.now()
        # Derived from the name, so that it is the same each time it is asked for and after a restart.
        return WorkerState(record.name, uuid.uuid5(uuid.NAMESPACE_OID, f"worker {record.name}").hex, born, born)

    def namespace_keys(self, but: WorkerName) -> frozenset[str]:
        """Return the unique keys of all other Workers' namespaces."""
        return frozenset(
            namespace.unique_key
            for record in self.catalog.workers.values()
            if record.state is not None and record.name != but
            for namespace in record.state.namespaces
        )

    def users_of(self, name: WorkerName) -> list[Use]:
        """Return the bindings by which other Workers use one, each Worker and binding once."""
        uses = (use for use in self._uses() if use.worker != name and target(use.binding) == name)
        return list({(use.worker, use.binding.name): use for use in uses}.values())

    def _uses(self) -> Iterator[Use]:
        for record in self.all():
            for version in in_use(record):
                yield from (Use(record.name, binding) for binding in bindings_of(version))

    async def edit(self, record: WorkerRecord, change: Callable[[WorkerState], WorkerState]) -> WorkerState:
        """Replace a Worker's state by what ``change`` makes of it, remember it, and act by it.

        Raises:
            StateUnavailable: It cannot be remembered; nothing was changed.
        """
        async with self.held(record):
            state = replace(change(self.state_of(record)), modified_on=self.now())
            await self._store.save_worker(state)
            record.state = state
        self._plane.refresh()
        return state

    async def create(self, name: WorkerName, change: Callable[[WorkerState], WorkerState]) -> WorkerRecord:
        """Make a Worker that has no version yet.

        Raises:
            WorkerExists: There is one of that name. InvalidUpload: None can have that name.
        """
        check_worker_name(name)
        async with self.lock(name):
            existing = self.catalog.workers.get(name)
            if existing is not None and existing.exists:
                raise WorkerExists(name)
            state = change(self.fresh_state(name))
            await self._store.save_worker(state)
            record = self.catalog.record(name)
            record.state = state
        self._plane.refresh()
        return record

    def fresh_state(self, name: WorkerName) -> WorkerState:
        """Return the state of a Worker to which nothing has happened yet."""
        now = self.now()
        return WorkerState(name, uuid.uuid4().hex, now, now)

    async def delete(self, record: WorkerRecord, *, force: bool) -> None:
        """Delete a Worker with its versions, deployments and objects.

        Raises:
            WorkerFromFile: The configuration file defines it. WorkerInUse: Others bind it, and it was not forced.
            StateUnavailable: It cannot be forgotten; nothing was changed.
        """
        name = record.name
        if self._from_file(name):
            raise WorkerFromFile(name)
        users = sorted({use.worker for use in self.users_of(name)})
        if users and not force:
            raise WorkerInUse(name, users)
        async with self.held(record):
            await self._store.delete_worker(name)
            self.catalog.forget(name)
            await self._plane.remove_worker(name)

    async def delete_deployment(self, record: WorkerRecord, deployment_id: str) -> None:
        """Let a deployment no longer be shown; the object table still judges by it.

        Raises:
            DeploymentNotFound: There is none. DeploymentActive: It is the active one (R16).
        """
        deployment = next((one for one in self.shown_deployments(record) if one.id == deployment_id), None)
        if deployment is None:
            raise DeploymentNotFound(record.name, deployment_id)
        if deployment is record.active:
            raise DeploymentActive(deployment_id)
        await self.edit(
            record, lambda state: replace(state, deleted_deployments=(*state.deleted_deployments, deployment_id))
        )

    def shown_deployments(self, record: WorkerRecord) -> list[Deployment]:
        """Return the deployments that were not deleted, the newest first."""
        hidden = set(record.state.deleted_deployments) if record.state is not None else set()
        return [one for one in reversed(record.deployments) if one.id not in hidden]

    async def delete_version(self, record: WorkerRecord, version: Version) -> None:
        """Forget a version that was never deployed.

        Raises:
            VersionInUse: A deployment names it.
        """
        async with self.held(record):
            for deployment in record.deployments:
                if version.id in deployment.version_ids:
                    raise VersionInUse(version.id, deployment.id)
            await self._store.remove_version(version.id)
            del record.versions[version.id]
        self._plane.refresh()


def in_use(record: WorkerRecord) -> Iterator[Version]:
    """Yield the version uploaded last, and those that are deployed."""
    deployed = record.active.version_ids if record.active is not None else frozenset()
    for version in record.versions.values():
        if version is record.latest or version.id in deployed:
            yield version


def bindings_of(version: Version | None) -> tuple[Binding, ...]:
    """Return a version's bindings; one that is no uploaded code has none."""
    return version.runtime.bindings if version is not None and isinstance(version.runtime, WorkerdRuntime) else ()


def target(binding: Binding) -> str | None:
    """Return the other Worker that a binding names, if it is of a kind that does."""
    option = {"service": "service", "durable_object_namespace": "script_name"}.get(binding.kind)
    return binding.options.get(option) if option is not None else None
