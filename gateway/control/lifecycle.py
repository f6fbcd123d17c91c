"""Durable Object classes around an upload: what becomes of them, and whether what it binds is there (R52, R53)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.control.bindings import DURABLE_OBJECT, SERVICE
from gateway.control.exports import Export, reconcile
from gateway.control.migrations import Migrated, Migrations, migrate
from gateway.control.refusals import (
    ClassNotProvisioned,
    ExportNotProvisioned,
    ExportsRefused,
    InvalidUpload,
    MigrationInVersion,
    ServiceNotFound,
)
from gateway.control.workers import Workers
from gateway.model.version import WorkerName
from gateway.model.worker import EXPORTS_TAG, WorkerState
from gateway.model.worker_code import Binding


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """A Worker's state as an upload leaves it.

    Args:
        giver: State of another Worker that hands classes over.
        deleted: Classes that go.
        summary: What wrangler prints of declarative ``exports``.
    """

    state: WorkerState
    giver: WorkerState | None = None
    changed: bool = False
    deleted: frozenset[str] = frozenset()
    summary: Mapping[str, Any] | None = None


class Lifecycles:
    """Applies the Durable Object part of uploads, without storing anything."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers

    def after(
        self, state: WorkerState, migrations: Migrations | None, exports: tuple[Export, ...] | None
    ) -> Lifecycle:
        """Return a Worker's state after an upload with these migrations or exports.

        Raises:
            MigrationTagMismatch, MigrationRefused, ExportsRefused: They do not fit the classes as they are.
        """
        if migrations is not None and exports:
            raise InvalidUpload(
                "metadata has both `migrations` and `exports`", remedy="Declare Durable Object classes in one way."
            )
        if migrations is not None:
            migrated = migrate(state, migrations, self._workers.state_named, self._taken(state))
            return _lifecycle_of(migrated, changed=migrated.state != state)
        if exports or (exports is not None and state.migration_tag.startswith(EXPORTS_TAG)):
            reconciled = reconcile(state, exports, self._users_of(state.name), self._taken(state))
            return _lifecycle_of(reconciled.migrated, changed=reconciled.changed, summary=reconciled.summary)
        return Lifecycle(state)

    def refuse_changes(
        self,
        state: WorkerState,
        migrations: Migrations | None,
        exports: tuple[Export, ...] | None,
        wanted: Iterable[object],
    ) -> None:
        """Refuse a version upload that would change classes (R52).

        Args:
            wanted: The bindings as the API wrote them.

        Raises:
            ExportNotProvisioned: 100406, where a binding needs a class that ``exports`` would make.
            MigrationInVersion: 10211.
        """
        if migrations is not None:
            raise MigrationInVersion
        try:
            changed = self.after(state, None, exports).changed
        except ExportsRefused:
            raise MigrationInVersion from None
        if not changed:
            return
        for item in wanted:
            if isinstance(item, Mapping) and item.get("type") == DURABLE_OBJECT and not item.get("script_name"):
                name = str(item.get("class_name"))
                if state.namespace_of(name) is None:
                    raise ExportNotProvisioned(str(item.get("name")), name)
        raise MigrationInVersion

    def check_bound(self, bindings: Sequence[Binding], worker: WorkerName, lifecycle: Lifecycle) -> None:
        """Check that all that a Worker's version binds is there.

        Raises:
            ClassNotProvisioned: 10061. ServiceNotFound: 10143.
        """
        for binding in own_objects(bindings):
            name = str(binding.options["class_name"])
            if lifecycle.state.namespace_of(name) is None:
                raise (
                    ClassNotProvisioned.deleted(name) if name in lifecycle.deleted else ClassNotProvisioned(name)
                )
        self._check_targets(bindings, worker)

    def check_bound_by_version(self, bindings: Sequence[Binding], state: WorkerState) -> None:
        """Check the same for a version upload, which another code tells (100406).

        Raises:
            ExportNotProvisioned, ClassNotProvisioned, ServiceNotFound: Something is not there.
        """
        for binding in own_objects(bindings):
            name = str(binding.options["class_name"])
            if state.namespace_of(name) is None:
                raise ExportNotProvisioned(binding.name, name)
        self._check_targets(bindings, state.name)

    def _check_targets(self, bindings: Sequence[Binding], worker: WorkerName) -> None:
        """Check that bindings to other Workers lead somewhere."""
        for binding in bindings:
            if binding.kind == SERVICE:
                service = str(binding.options["service"])
                if service != worker and not self._workers.exists(service):
                    raise ServiceNotFound(binding.name, service)
            elif binding.kind == DURABLE_OBJECT and binding.options.get("script_name"):
                self._check_foreign_class(binding)

    def _check_foreign_class(self, binding: Binding) -> None:
        script, name = str(binding.options["script_name"]), str(binding.options["class_name"])
        if not self._workers.exists(script):
            raise ClassNotProvisioned.of_missing_script(name, script)
        other = self._workers.state_named(script)
        if other is None or other.namespace_of(name) is None:
            raise ClassNotProvisioned(name, script)

    def _taken(self, state: WorkerState) -> frozenset[str]:
        return self._workers.namespace_keys(but=state.name)

    def _users_of(self, worker: WorkerName) -> Mapping[str, tuple[str, ...]]:
        """Return the other Workers that bind each of a Worker's classes."""
        found: dict[str, tuple[str, ...]] = {}
        for use in self._workers.users_of(worker):
            name = use.binding.options.get("class_name")
            if name is not None:
                found[name] = (*found.get(name, ()), use.worker)
        return found


def _lifecycle_of(migrated: Migrated, *, changed: bool, summary: Mapping[str, Any] | None = None) -> Lifecycle:
    deleted = frozenset(one.class_name for one in migrated.deleted)
    return Lifecycle(migrated.state, migrated.giver, changed, deleted, summary)


def own_objects(bindings: Iterable[Binding]) -> list[Binding]:
    """Return the bindings to the Worker's own Durable Object classes."""
    return [one for one in bindings if one.kind == DURABLE_OBJECT and not one.options.get("script_name")]
