"""The table of Durable Objects at its stated size: a million sticky objects, on a real store on disk."""

import asyncio
import gc
import random
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import ObjectTableFigures
from gateway.control.catalog import Catalog
from gateway.control.deployments import Deployments, WantedShare
from gateway.model.deployment import Deployment
from gateway.model.durable_object import AssignmentRule, ObjectKey
from gateway.model.version import UrlRuntime, Version, VersionId, WorkerName
from gateway.model.worker import WorkerState
from gateway.settings import RoutingSettings
from gateway.store.objects import ObjectTable
from gateway.store.sqlite import SqliteStore
from gateway.store.store import RunningRow

OBJECTS = 1_000_000
FLUSH_EVERY = 50_000
WORKER = WorkerName("shop")
V1, V2 = VersionId("aaaaaaaa-0000-4000-8000-000000000000"), VersionId("bbbbbbbb-0000-4000-8000-000000000000")


def measure() -> ObjectTableFigures:
    """Return the memory of ``OBJECTS`` sticky objects and the time of an access and of a new deployment.

    - ``memory_mb``: resident memory after the millionth object (and its write) less before the first, in
    millions of
      bytes
    - ``first_access_us``: wall time of an access that assigns a version, mean over all objects
    - ``later_access_us``: the same of an access to an object that the table knows, in another order
    - ``new_deployment_ms``: wall time until a new deployment is active while the table holds all objects
    """
    with tempfile.TemporaryDirectory(prefix="gateway-bench-objects-") as folder:
        return asyncio.run(_measure(Path(folder)))


class _NoPlane:
    """Stands for the rest of the gateway, which has nothing to do here."""

    async def prepare(self, versions: Iterable[Version], states: Sequence[WorkerState] = ()) -> Sequence[str]:
        return ()

    @asynccontextmanager
    async def deploying(self, deployment: Deployment) -> AsyncIterator[Sequence[RunningRow]]:
        yield ()

    def refresh(self) -> None:
        pass

    def follow_up(self, deployment: Deployment) -> None:
        pass


async def _measure(folder: Path) -> ObjectTableFigures:
    store = SqliteStore(folder)
    now = datetime.now(UTC)
    versions = [
        Version(id_, WORKER, number, UrlRuntime("http://127.0.0.1:1"), now)
        for number, id_ in enumerate((V1, V2), 1)
    ]
    await store.add_versions(versions)
    table = ObjectTable(store)
    table.set_worker(WORKER, AssignmentRule.STICKY, ["Cart"])
    table.add_versions(WORKER, versions)
    catalog = Catalog(versions, [])
    deployments = Deployments(
        store,
        table,
        _NoPlane(),
        RoutingSettings(),
        new_id=lambda _worker, number: f"deployment-{number}",
        clock=time.time,
    )
    record = catalog.find(WORKER)
    await deployments.create(record, [WantedShare(V1, 90), WantedShare(V2, 10)])

    keys = [ObjectKey(WORKER, "Cart", f"user-{number}") for number in range(OBJECTS)]
    gc.collect()
    before = _resident_bytes()
    first = 0.0
    for start in range(0, OBJECTS, FLUSH_EVERY):
        first += _time_of_uses(table, keys[start : start + FLUSH_EVERY])
        await table.flush()
    gc.collect()
    memory = _resident_bytes() - before

    random.Random(1).shuffle(keys)
    later = _time_of_uses(table, keys)
    await table.flush()
    began = time.perf_counter()
    await deployments.create(record, [WantedShare(V1, 50), WantedShare(V2, 50)])
    deployment = time.perf_counter() - began
    await store.close()
    return ObjectTableFigures(
        memory_mb=memory / 1e6,
        first_access_us=first / OBJECTS * 1e6,
        later_access_us=later / OBJECTS * 1e6,
        new_deployment_ms=deployment * 1e3,
    )


def _time_of_uses(table: ObjectTable, keys: Sequence[ObjectKey]) -> float:
    now = time.time()
    began = time.perf_counter()
    for key in keys:
        table.use(key, now)
    return time.perf_counter() - began


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096
