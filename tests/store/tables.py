"""A store and an object table on a real folder, with two versions to deploy; a clock that only tests move."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from gateway.model.deployment import CodeUpdate, Deployment
from gateway.model.durable_object import AssignedObject, AssignmentRule, ObjectKey
from gateway.model.version import VersionId, WorkerName
from gateway.store.objects import ObjectTable
from gateway.store.sqlite import SqliteStore
from tests.model.examples import IMMEDIATE, SHOP, A, B, C, deployment, object_at, version

VERSIONS = (version(A, 1, tag="v1"), version(B, 2, tag="v2"), version(C, 3, tag="v3"))
START = 1_000_000.0
"""Seconds since the epoch at which deployment 1 was made."""

EVERY_ID = (b"", b"\xff" * 32)
"""The range that holds every object."""


class Table:
    """An ``ObjectTable`` with the deployments it was told of."""

    def __init__(self, store: SqliteStore, rule: AssignmentRule, worker: WorkerName = SHOP) -> None:
        self.store = store
        self.worker = worker
        self.objects = ObjectTable(store)
        self.objects.set_worker(worker, rule, ["Cart"])
        self.objects.add_versions(worker, VERSIONS)
        self.objects.set_runnable(worker, frozenset({A, B, C}))
        self.deployments: list[Deployment] = []

    async def deploy(
        self,
        *listed: tuple[VersionId, float],
        at: float = START,
        code_update: CodeUpdate = IMMEDIATE,
    ) -> None:
        """Make a deployment active as ``Deployments`` does."""
        made = deployment(
            *listed,
            number=len(self.deployments) + 1,
            worker=self.worker,
            code_update=code_update,
            created_on=datetime.fromtimestamp(at, UTC),
        )
        await self.objects.begin_activation(self.worker)
        try:
            await self.store.add_deployment(made)
            self.objects.activate(made)
            self.deployments.append(made)
        finally:
            self.objects.end_activation(self.worker)

    def use(self, key: ObjectKey, now: float = START) -> AssignedObject:
        """Use an object; it must not have to wait."""
        found = self.objects.use(key, now)
        assert found is not None
        return found

    def versions(self, keys: Iterable[ObjectKey], now: float = START) -> list[VersionId]:
        """Use objects, and return the versions they are assigned."""
        return [self.use(key, now).assigned for key in keys]

    async def past(self, number: int) -> dict[str | None, VersionId]:
        """Return the table as it was under a deployment: name -> version."""
        rows = await self.objects.table_at(self.worker, "Cart", number, search="", after="", limit=10_000)
        return {row.name: version_id for row, version_id in rows}


@asynccontextmanager
async def opened(folder: Path, rule: AssignmentRule = AssignmentRule.STICKY) -> AsyncIterator[Table]:
    """Open a state folder as a starting gateway does, and close it as an ending one does."""
    store = SqliteStore(folder)
    try:
        if not store.load_versions():
            await store.add_versions(VERSIONS)
        table = Table(store, rule)
        for made in store.load_deployments():
            table.objects.activate(made)
            table.deployments.append(made)
        yield table
        await table.objects.flush()
    finally:
        await store.close()


def keys(*points: float) -> list[ObjectKey]:
    """Return objects of class ``Cart`` at these points."""
    return [object_at(point) for point in points]
