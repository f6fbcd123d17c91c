"""Makes deployments: checks them, gets versions running, makes them active in one step (R10-R15, R93-R95)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from gateway.control.catalog import FULL, WorkerRecord
from gateway.errors import (
    BadRequest,
    DeploymentError,
    ExportsDiffer,
    MigrationBetween,
    TooManyVersions,
    VersionNotDeployable,
)
from gateway.model.deployment import CodeUpdate, Cohort, Deployment, DeploymentId, VersionShare
from gateway.model.version import Version, WorkerName
from gateway.model.worker import EXPORTS_TAG, Namespace, WorkerState
from gateway.model.worker_code import WorkerdRuntime
from gateway.routing.changes import change_between, deployment_warnings
from gateway.routing.percentages import split_of
from gateway.settings import RoutingSettings
from gateway.store.store import RunningRow

log = structlog.get_logger("gateway.deployments")

DEPLOYABLE_VERSIONS: Final = 100
"""R12: only the last 100 uploaded versions can be put in a deployment."""

MESSAGE_BYTES: Final = 1000
"""R99: a deployment's message is cut at this length."""


class DeploymentStore(Protocol):
    """Where deployments are remembered."""

    async def add_deployment(
        self,
        deployment: Deployment,
        notes: Sequence[tuple[str, str]] = (),
        workers: Sequence[WorkerState] = (),
        moved: Sequence[RunningRow] = (),
    ) -> None:
        """Remember a deployment, its notes, new states of Workers and the objects that moved, all or nothing."""


class ObjectActivation(Protocol):
    """What the object table must do around a deployment."""

    async def begin_activation(self, worker: WorkerName) -> None: ...  # noqa: D102
    def activate(self, deployment: Deployment) -> None: ...  # noqa: D102
    def end_activation(self, worker: WorkerName) -> None: ...  # noqa: D102
    async def count_moving(self, deployment: Deployment) -> int | None: ...  # noqa: D102


class Plane(Protocol):
    """What the running gateway must do around a deployment."""

    async def prepare(self, versions: Iterable[Version], states: Sequence[WorkerState] = ()) -> Sequence[str]:
        """Get versions running; return what the user should know of those that do not.

        Args:
            states: Of Workers, from the coming deployment on; their versions run with these namespaces.
        """

    def deploying(self, deployment: Deployment) -> AbstractAsyncContextManager[Sequence[RunningRow]]:
        """Move the Worker's objects to where a deployment wants them, while the body makes it final.

        Yields what of the objects must be remembered in the same step; what the body raises undoes the moves.
        """

    def refresh(self) -> None:
        """Route by the catalog as it is now."""

    def follow_up(self, deployment: Deployment) -> None:
        """Reset objects that moved and retire versions that nobody needs, in the background."""


class UploadPlane(Protocol):
    """What the running gateway must do around uploads and changes of a Worker's state."""

    async def check_code(self, version: Version, namespaces: Sequence[Namespace]) -> Sequence[str]:
        """Start a version's code once, and return what its maker should know.

        Raises:
            InvalidCode: It does not start (10021). RuntimeUnavailable: There is no workerd.
        """

    def refresh(self) -> None:
        """Route and run by the catalog as it is now: a version came, routes or switches changed."""

    async def remove_worker(self, name: WorkerName) -> None:
        """Stop a Worker's versions and delete its objects; the catalog has forgotten it already."""


@dataclass(frozen=True, slots=True)
class WantedShare:
    """A version as someone named it, and its percentage; ``None`` for an equal part of the rest (R45)."""

    reference: str
    percentage: float | None


@dataclass(frozen=True, slots=True)
class Created:
    """A deployment, and what its maker should know.

    Args:
        moved_percentage: Share of all affinity keys whose version changes, 0-100.
        moved_objects: Known objects whose version would change, where only that was asked (``dry_run``).
    """

    deployment: Deployment
    warnings: tuple[str, ...]
    moved_percentage: float
    moved_objects: int | None = None


class Deployments:
    """The one place that changes what serves a Worker."""

    def __init__(
        self,
        store: DeploymentStore,
        objects: ObjectActivation,
        plane: Plane,
        settings: RoutingSettings,
        *,
        new_id: Callable[[WorkerName, int], str],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._objects = objects
        self._plane = plane
        self.settings = settings
        self._new_id = new_id
        self._clock = clock
        self._lock = asyncio.Lock()

    async def create(
        self,
        record: WorkerRecord,
        wanted: Sequence[WantedShare],
        *,
        message: str = "",
        cohorts: Mapping[str, Mapping[str, float]] | None = None,
        code_update: CodeUpdate | None = None,
        source: str = "api",
        triggered_by: str = "deployment",
        author: str = "",
        notes: Sequence[tuple[str, str]] = (),
        worker_state: WorkerState | None = None,
        giver: tuple[WorkerRecord, WorkerState] | None = None,
        dry_run: bool = False,
    ) -> Created:
        """Make a deployment and make it active; once this returns every later request follows it.

        Args:
            worker_state: The Worker's state from this deployment on, where it brings a migration (R52).
            giver: The Worker that gives classes away in this migration, and its state from then on.

        Raises:
            DeploymentError, NotFound, AmbiguousReference: A rule is broken; nothing was changed.
            StateUnavailable: It cannot be remembered; nothing was changed.
        """
        async with self._lock:
            deployment = self._checked(
                record, wanted, message, cohorts or {}, code_update, source, triggered_by, author
            )
            check_migrations(record, deployment, worker_state or record.state)
            check_objects_can_move(record, deployment)
            before = record.active
            warnings = list(deployment_warnings(before, deployment))
            moved = (
                change_between(split_of(before.versions), split_of(deployment.versions)).moved if before else 0.0
            )
            if dry_run:
                return Created(deployment, tuple(warnings), moved, await self._objects.count_moving(deployment))
            versions = [record.versions[version_id] for version_id in sorted(deployment.version_ids)]
            changed = [(record, worker_state)] if worker_state is not None else []
            changed += [giver] if giver is not None else []
            warnings += await self._plane.prepare(versions, [state for _, state in changed])
            await self._make_active(record, deployment, notes, changed)
            return Created(deployment, tuple(warnings), moved)

    async def rollback(self, record: WorkerRecord, reference: str | None, message: str) -> Created:
        """Give one version all traffic again (R93); without a reference, the last stable one (R95)."""
        target = record.find(reference).id if reference else record.stable_version()
        return await self.create(record, [WantedShare(target, FULL)], message=message, triggered_by="rollback")

    async def _make_active(
        self,
        record: WorkerRecord,
        deployment: Deployment,
        notes: Sequence[tuple[str, str]],
        changed: Sequence[tuple[WorkerRecord, WorkerState]],
    ) -> None:
        """Commit, then switch.

        Between the last write under the old deployment and the first decision under the new one nothing awaits but
        the commit itself, and first accesses of objects wait for it (design 5).
        """
        await self._objects.begin_activation(record.name)
        try:
            async with self._plane.deploying(deployment) as moved:
                await self._store.add_deployment(deployment, notes, [state for _, state in changed], moved)
                record.deployments.append(deployment)
                for one, state in changed:
                    one.state = state
                self._objects.activate(deployment)
                self._plane.refresh()
        finally:
            self._objects.end_activation(record.name)
        log.info(
            "deployment.created",
            worker=record.name,
            deployment=deployment.id,
            number=deployment.number,
            versions={record.versions[s.version_id].label: s.percentage for s in deployment.versions},
            triggered_by=deployment.triggered_by,
        )
        self._plane.follow_up(deployment)

    def _checked(
        self,
        record: WorkerRecord,
        wanted: Sequence[WantedShare],
        message: str,
        cohorts: Mapping[str, Mapping[str, float]],
        code_update: CodeUpdate | None,
        source: str,
        triggered_by: str,
        author: str,
    ) -> Deployment:
        limit = self.settings.max_versions
        if len(wanted) > limit:
            raise TooManyVersions(len(wanted), limit)
        if cohorts and not self.settings.cohorts:
            raise DeploymentError(
                "cohorts are a draft of Cloudflare's and switched off", remedy="Set drafts.cohorts: true."
            )
        shares = _shares(record, wanted)
        groups = tuple(
            Cohort(name, _shares(record, [WantedShare(ref, share) for ref, share in versions.items()]))
            for name, versions in cohorts.items()
        )
        number = len(record.deployments) + 1
        deployment = Deployment(
            id=DeploymentId(self._new_id(record.name, number)),
            worker=record.name,
            number=number,
            versions=shares,
            created_on=record.next_moment(self._clock()),
            source=source,
            author=author,
            message=message.encode()[:MESSAGE_BYTES].decode(errors="ignore"),
            triggered_by=triggered_by,
            cohorts=groups,
            code_update=code_update or CodeUpdate(),
        )
        deployable = {version.id for version in record.deployable(DEPLOYABLE_VERSIONS)}
        for version_id in sorted(deployment.version_ids - deployable):
            raise VersionNotDeployable(version_id, DEPLOYABLE_VERSIONS)
        return deployment


def check_migrations(record: WorkerRecord, deployment: Deployment, state: WorkerState | None) -> None:
    """Check that no Durable Object migration lies between a version and the Worker as it is (R53, R94).

    Raises:
        ExportsDiffer: In a split (R19). MigrationBetween: Else.
    """
    tag = state.migration_tag if state is not None else ""
    for version_id in sorted(deployment.version_ids):
        version = record.versions[version_id]
        if isinstance(version.runtime, WorkerdRuntime) and version.migration_tag != tag:
            if tag.startswith(EXPORTS_TAG) and len(deployment.version_ids) > 1:
                raise ExportsDiffer(version.label)
            raise MigrationBetween(version.label, version.migration_tag, tag)


def check_objects_can_move(record: WorkerRecord, deployment: Deployment) -> None:
    """Check that no object on workerd could be assigned to a version that workerd does not run.

    Raises:
        DeploymentError: It could.
    """
    versions = [record.versions[version_id] for version_id in sorted(deployment.version_ids)]
    elsewhere = [version for version in versions if not isinstance(version.runtime, WorkerdRuntime)]
    natives = [
        version
        for version in versions
        if isinstance(version.runtime, WorkerdRuntime) and version.runtime.durable_object_classes
    ]
    if natives and elsewhere:
        raise DeploymentError(
            f"version {natives[0].label} has Durable Objects on workerd, which version {elsewhere[0].label} "
            "(a url or a command) cannot run",
            remedy="Deploy one of them at 100%.",
        )


def _shares(record: WorkerRecord, wanted: Sequence[WantedShare]) -> tuple[VersionShare, ...]:
    """Return the shares; versions without a percentage share the rest equally (R45)."""
    given = sum(share.percentage for share in wanted if share.percentage is not None)
    open_shares = sum(share.percentage is None for share in wanted)
    if open_shares and given > FULL:
        raise BadRequest(
            f"the given percentages add up to {given:g}%, which leaves nothing for the others",
            remedy="Lower them, or give every version its percentage.",
        )
    rest = (FULL - given) / open_shares if open_shares else 0.0
    return tuple(
        VersionShare(record.find(share.reference).id, rest if share.percentage is None else share.percentage)
        for share in wanted
    )
