"""Turns uploads into versions: resolves and checks them, has their code checked, stores them, deploys where asked.

Everything is checked before anything is stored. A version upload never deploys; a deploy makes version, deployment
and the Worker's new state active in one step, or leaves nothing behind.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import structlog

from gateway.control.bindings import SECRET_KINDS, Inheritance, own_class, resolve
from gateway.control.catalog import FULL, WorkerRecord
from gateway.control.deployments import MESSAGE_BYTES, Deployments, UploadPlane, WantedShare
from gateway.control.exports import Export
from gateway.control.lifecycle import Lifecycle, Lifecycles
from gateway.control.migrations import Migrations
from gateway.control.refusals import LatestNotDeployed, NotServed, NoVersions
from gateway.control.upload_checks import check_alias, check_modules, check_worker_name
from gateway.control.workers import Workers, bindings_of
from gateway.errors import StateUnavailable
from gateway.model.deployment import CodeUpdate, Deployment
from gateway.model.version import Version, VersionId, WorkerName
from gateway.model.worker import WorkerState
from gateway.model.worker_code import Module, WorkerdRuntime

log = structlog.get_logger("gateway.uploads")

TAG_BYTES: Final = 100
AUTOMATIC_MESSAGE: Final = "Automatic deployment on upload."


class VersionStore(Protocol):
    """Where versions are remembered."""

    async def add_versions(self, versions: Sequence[Version]) -> None: ...  # noqa: D102
    async def remove_version(self, version_id: VersionId) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Upload:
    """What someone wants a version to be.

    Args:
        bindings: As the API wrote them; ``inherit`` among them.
        keep_bindings: Kinds to keep from the version before where they are not named.
        migrations: Durable Object migrations that come with it; only a deploy may bring them (R52).
        exports: Declarative Durable Object classes, or None where the upload says nothing of them.
    """

    main_module: str
    modules: tuple[Module, ...]
    bindings: tuple[object, ...] = ()
    keep_bindings: frozenset[str] = SECRET_KINDS
    strict_inherit: bool = False
    compatibility_date: str = ""
    compatibility_flags: tuple[str, ...] = ()
    migrations: Migrations | None = None
    exports: tuple[Export, ...] | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Who made a version, how, and what they say of it."""

    triggered_by: str
    source: str = "api"
    author: str = ""
    message: str = ""
    tag: str = ""
    alias: str = ""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A new version, its deployment where it was deployed too, and what its maker should know."""

    version: Version
    warnings: tuple[str, ...] = ()
    deployment: Deployment | None = None
    exports: Mapping[str, Any] | None = None


class Uploads:
    """The one place that makes versions out of uploads.

    Args:
        new_id: Makes the id of a Worker's version by its number.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        workers: Workers,
        deployments: Deployments,
        store: VersionStore,
        plane: UploadPlane,
        *,
        new_id: Callable[[WorkerName, int], str],
        clock: Callable[[], float],
    ) -> None:
        self._workers = workers
        self._lifecycles = Lifecycles(workers)
        self._catalog = workers.catalog
        self._deployments = deployments
        self._store = store
        self._plane = plane
        self._new_id = new_id
        self._clock = clock

    async def upload(self, record: WorkerRecord, upload: Upload, origin: Origin) -> Uploaded:
        """Make a version that serves nothing yet.

        Raises:
            MigrationInVersion: 10211. ExportNotProvisioned: 100406. InvalidCode: 10021.
            Refusal: Anything else that cannot be; nothing was stored.
        """
        async with self._workers.held(record):
            state = self._workers.state_of(record)
            self._lifecycles.refuse_changes(state, upload.migrations, upload.exports, upload.bindings)
            version = self._version(record, state, self._runtime(record, upload), origin)
            self._lifecycles.check_bound_by_version(bindings_of(version), state)
            warnings = await self._plane.check_code(version, state.namespaces)
            await self._add(record, version)
        self._plane.refresh()
        return Uploaded(version, tuple(warnings))

    async def deploy(
        self,
        name: WorkerName,
        upload: Upload,
        origin: Origin,
        *,
        settings: Mapping[str, Any] | None = None,
        code_update: CodeUpdate | None = None,
    ) -> Uploaded:
        """Make a version and give it all traffic, with the migrations and settings that come with it.

        Raises:
            Refusal, InvalidCode, DeploymentError, StateUnavailable: Nothing was changed.
        """
        check_worker_name(name)
        async with self._locked(name, upload), self._record_of(name) as record:
            fresh = not record.exists
            before = self._workers.fresh_state(name) if fresh else self._workers.state_of(record)
            lifecycle = self._lifecycles.after(before, upload.migrations, upload.exports)
            state = replace(
                lifecycle.state, settings={**before.settings, **(settings or {})}, modified_on=self._workers.now()
            )
            version = self._version(record, state, self._runtime(record, upload), origin)
            self._lifecycles.check_bound(bindings_of(version), name, lifecycle)
            warnings = await self._plane.check_code(version, state.namespaces)
            giver = None
            if lifecycle.giver is not None:
                giver = (self._catalog.find(lifecycle.giver.name), lifecycle.giver)
            deployment = await self._add_and_deploy(
                record, version, origin, worker_state=state, giver=giver, code_update=code_update
            )
            return Uploaded(version, tuple(warnings), deployment, lifecycle.summary)

    async def revise(
        self,
        record: WorkerRecord,
        change: Callable[[WorkerdRuntime], WorkerdRuntime],
        origin: Origin,
        *,
        deploy: bool,
        refusal: type[LatestNotDeployed] = LatestNotDeployed,
    ) -> Uploaded:
        """Make a version out of the latest one: other secrets, bindings or compatibility.

        Args:
            deploy: Whether it gets all traffic, as the latest version must have now.

        Raises:
            NoVersions: 10222. LatestNotDeployed: 10215, or ``refusal`` (R96). NotServed: It is no uploaded code.
        """
        async with self._workers.held(record):
            latest = record.latest
            if latest is None:
                raise NoVersions(record.name)
            if not isinstance(latest.runtime, WorkerdRuntime):
                raise NotServed(
                    f"changing version {latest.label} of Worker {record.name}, which is no uploaded code,",
                    remedy="Change it in the configuration file.",
                )
            if deploy and not serves_all(record, latest):
                raise refusal
            state = self._workers.state_of(record)
            version = self._version(record, state, change(latest.runtime), origin)
            # What it bound already may be gone by now: that must not keep anyone from changing a secret.
            added = [one for one in bindings_of(version) if one not in latest.runtime.bindings]
            self._lifecycles.check_bound(added, record.name, Lifecycle(state))
            warnings = await self._plane.check_code(version, state.namespaces)
            if deploy:
                deployment = await self._add_and_deploy(record, version, origin)
                return Uploaded(version, tuple(warnings), deployment)
            await self._add(record, version)
        self._plane.refresh()
        return Uploaded(version, tuple(warnings))

    # What an upload leads to.

    def _runtime(self, record: WorkerRecord, upload: Upload) -> WorkerdRuntime:
        check_modules(upload.main_module, upload.modules)
        inheritance = Inheritance(
            bindings_of(record.latest),
            lambda version_id: bindings_of(record.versions.get(VersionId(version_id))),
            upload.keep_bindings,
            upload.strict_inherit,
        )
        return WorkerdRuntime(
            upload.main_module,
            upload.modules,
            tuple(own_class(binding, record.name) for binding in resolve(upload.bindings, inheritance)),
            upload.compatibility_date,
            upload.compatibility_flags,
        )

    def _version(
        self, record: WorkerRecord, state: WorkerState, runtime: WorkerdRuntime, origin: Origin
    ) -> Version:
        check_alias(origin.alias, record.name)
        number = record.next_number
        return Version(
            id=VersionId(self._new_id(record.name, number)),
            worker=record.name,
            number=number,
            runtime=runtime,
            created_on=record.next_moment(self._clock()),
            tag=cut(origin.tag, TAG_BYTES),
            message=cut(origin.message, MESSAGE_BYTES),
            source=origin.source,
            author=origin.author,
            triggered_by=origin.triggered_by,
            alias=origin.alias,
            migration_tag=state.migration_tag,
        )

    # Storing.

    async def _add(self, record: WorkerRecord, version: Version) -> None:
        await self._store.add_versions([version])
        record.versions[version.id] = version
        log.info("version.uploaded", worker=record.name, version=version.id, number=version.number)

    async def _add_and_deploy(
        self,
        record: WorkerRecord,
        version: Version,
        origin: Origin,
        *,
        worker_state: WorkerState | None = None,
        giver: tuple[WorkerRecord, WorkerState] | None = None,
        code_update: CodeUpdate | None = None,
    ) -> Deployment:
        """Store a version and deploy it; where that fails the version goes again."""
        await self._add(record, version)
        try:
            created = await self._deployments.create(
                record,
                [WantedShare(version.id, FULL)],
                message=origin.message or (AUTOMATIC_MESSAGE if origin.triggered_by == "upload" else ""),
                code_update=code_update,
                source=origin.source,
                triggered_by=origin.triggered_by,
                author=origin.author,
                worker_state=worker_state,
                giver=giver,
            )
        except Exception:  # whatever it was: it goes on to the uploader
            await self._take_back(record, version)
            raise
        return created.deployment

    async def _take_back(self, record: WorkerRecord, version: Version) -> None:
        """Forget a version whose deployment failed.

        A store that cannot be written keeps it, so it stays in the catalog too: its number is taken.
        """
        if any(version.id in deployment.version_ids for deployment in record.deployments):
            return  # what failed came after the commit
        try:
            await self._store.remove_version(version.id)
        except StateUnavailable as error:
            log.error("version.left_behind", worker=record.name, version=version.id, error=error.message)
        else:
            del record.versions[version.id]
        self._plane.refresh()

    # Whose Worker it is.

    @contextlib.asynccontextmanager
    async def _locked(self, name: WorkerName, upload: Upload) -> AsyncIterator[None]:
        """Hold the Worker, and those it takes classes from, in one order for all, so that none waits in a ring."""
        steps = upload.migrations.steps if upload.migrations is not None else ()
        givers = {WorkerName(move.from_worker) for step in steps for move in step.transferred}
        async with contextlib.AsyncExitStack() as locks:
            for one in sorted({name, *givers}):
                await locks.enter_async_context(self._workers.lock(one))
            yield

    @contextlib.asynccontextmanager
    async def _record_of(self, name: WorkerName) -> AsyncIterator[WorkerRecord]:
        """Yield a Worker's record; one that was made for an upload which failed goes again."""
        known = name in self._catalog.workers
        record = self._catalog.record(name)
        try:
            yield record
        finally:
            if not known and not record.exists:
                self._catalog.forget(name)


def serves_all(record: WorkerRecord, version: Version) -> bool:
    """Tell whether a version has all traffic."""
    active = record.active
    return active is not None and any(
        share.version_id == version.id and share.percentage == FULL for share in active.versions
    )


def cut(text: str, limit_bytes: int) -> str:
    """Return text cut to so many bytes, never within a character."""
    return text.encode()[:limit_bytes].decode(errors="ignore")
