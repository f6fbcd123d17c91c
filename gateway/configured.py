"""Brings versions and deployments to what the configuration says."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime

import structlog

from gateway.control.catalog import Catalog, WorkerRecord
from gateway.control.deployments import Deployments, WantedShare
from gateway.control.migrations import Migrated, create_class
from gateway.control.workers import Workers
from gateway.errors import GatewayError
from gateway.model.version import Version
from gateway.model.worker_code import WorkerdRuntime
from gateway.routing.overrides import can_be_overridden
from gateway.settings import WorkerSettings
from gateway.store.sqlite import SqliteStore

log = structlog.get_logger("gateway")


class ConfiguredWorkers:
    """The Workers of the configuration, as they get into catalog and store."""

    def __init__(self, catalog: Catalog, store: SqliteStore, workers: Workers, deployments: Deployments) -> None:
        self._catalog = catalog
        self._store = store
        self._workers = workers
        self._deployments = deployments

    async def add_new_versions(self, worker: WorkerSettings) -> None:
        """Store the versions of a Worker that are not there yet.

        Raises:
            GatewayError: One of them is, with another definition.
        """
        record = self._catalog.record(worker.name)
        first = record.next_number
        migration_tag = record.state.migration_tag if record.state else ""
        defined = [definition for definition in worker.versions if definition.id not in record.versions]
        now = datetime.now(UTC)
        versions = [
            Version(
                new.id,
                worker.name,
                number,
                new.runtime,
                now,
                new.tag,
                new.message,
                migration_tag=migration_tag,
            )
            for number, new in enumerate(defined, first)
        ]
        for definition in worker.versions:
            known = record.versions.get(definition.id)
            if known is not None and known.runtime != definition.runtime:
                raise GatewayError(
                    f"version {definition.id} ({definition.tag}) of {worker.name} has another definition already",
                    remedy="A version never changes (R1): give it a new id, or leave the id out.",
                )
        await self._provide_namespaces(record, versions)
        if versions:
            await self._store.add_versions(versions)
            record.versions.update((version.id, version) for version in versions)
        if not can_be_overridden(worker.name):
            log.warning("worker.cannot_be_overridden", worker=worker.name, rule="R33")

    async def _provide_namespaces(self, record: WorkerRecord, versions: Iterable[Version]) -> None:
        """Make a namespace for each class that the file's versions bind: a file has no migrations."""
        migrated = Migrated(self._workers.state_of(record), taken=self._workers.namespace_keys(but=record.name))
        bound = [
            class_name
            for version in versions
            if isinstance(version.runtime, WorkerdRuntime)
            for class_name in version.runtime.durable_object_classes
        ]
        for class_name in dict.fromkeys(bound):
            if migrated.state.namespace_of(class_name) is None:
                migrated = create_class(migrated, class_name, sqlite=True)
        if migrated.state.namespaces != self._workers.state_of(record).namespaces:
            await self._store.save_worker(migrated.state)
            record.state = migrated.state

    async def deploy_from_file(self, worker: WorkerSettings) -> None:
        """Apply the file's deployment when it changed since it was applied last; else stored state wins."""
        if not worker.deployment:
            return
        key = f"file-deployment:{worker.name}"
        now = json.dumps([[share.version_id, share.percentage] for share in worker.deployment])
        if await self._store.note(key) == now:
            return
        created = await self._deployments.create(
            self._catalog.record(worker.name),
            [WantedShare(share.version_id, share.percentage) for share in worker.deployment],
            code_update=worker.code_update,
            source="config",
            triggered_by="config",
            notes=[(key, now)],
        )
        for warning in created.warnings:
            log.warning("deployment.warning", worker=worker.name, warning=warning)
