"""A whole control plane on a real store, served on a free port; the data plane and the versions are missing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request

from gateway.control.api.crons import cron_routes
from gateway.control.api.events import ListeningParts, event_routes
from gateway.control.api.faults import fault_routes
from gateway.control.api.metering import MeteringParts, metering_routes
from gateway.control.api.scenarios import scenario_routes
from gateway.control.api.server import ApiParts, GatewayStatus, WorkerStatus, make_app
from gateway.control.api.skew import SkewParts, skew_routes
from gateway.control.catalog import Catalog
from gateway.control.deployments import Deployments, WantedShare
from gateway.control.explaining import Explainer
from gateway.control.faults import Faults
from gateway.control.scheduler import Scheduler
from gateway.model.durable_object import AssignmentRule, ObjectKey
from gateway.model.skew_rules import SkewRules
from gateway.model.version import CommandRuntime, Version, VersionId, WorkerName
from gateway.model.worker import Schedule, WorkerState
from gateway.observability.event_bus import EventBus
from gateway.observability.metrics import Recorder
from gateway.observability.process_meter import ProcessFigures
from gateway.observability.tail import TailHub
from gateway.routing.object_names import parse_binding
from gateway.settings import Address, RoutingSettings
from gateway.skew.watching import SkewWatch
from gateway.staging.scenarios import Scenarios, StageParts
from gateway.store.objects import ObjectTable
from gateway.store.sqlite import SqliteStore
from gateway.store.store import ObjectView
from tests.control.parts import CLOCK, FakePlane, FakeUpstream, LiveTable, live_table
from tests.model.examples import API, SHOP, A, B, C, X, version

SECRET = "hunter2-do-not-tell"
VERSIONS = (
    version(A, 1, tag="v1"),
    version(B, 2, tag="v2", runtime=CommandRuntime(("python", "-m", "app"), env=(("TOKEN", SECRET),))),
    version(C, 3),
    version(X, 1, tag="v1", worker=API),
)

CRONS = WorkerState(SHOP, "0" * 32, "", "", schedules=(Schedule("0 17 * * sun", "", ""),))


async def fire(_version: Version, _cron: str, _scheduled_time: datetime) -> str:
    """Run an event whose handler throws."""
    return "exception"


Client = TestClient[Request, Application]


@dataclass
class ControlPlane:
    """What a test may look at behind the API."""

    client: Client
    catalog: Catalog
    objects: ObjectTable
    store: SqliteStore
    plane: FakePlane
    recorder: Recorder
    bus: EventBus
    tails: TailHub
    skew: SkewWatch

    def use(self, *names: str, now: float = CLOCK) -> list[VersionId]:
        """Use carts, as the data plane does."""
        found = [self.objects.use(ObjectKey(SHOP, "Cart", name), now) for name in names]
        return [use.assigned for use in found if use is not None]


@asynccontextmanager
async def control_plane(
    folder: Path, *, settings: RoutingSettings | None = None, deployed: bool = True
) -> AsyncIterator[ControlPlane]:
    """Serve the API; ``shop`` has v1 at 80% and v2 at 20%, carts and a cron; ``api`` has nothing deployed.

    Worker ``gone`` stands in the catalog only, as one that was taken out of the configuration.
    """
    store = SqliteStore(folder)
    await store.add_versions(VERSIONS)
    catalog, objects, plane = Catalog(VERSIONS, [], [CRONS]), ObjectTable(store), FakePlane()
    for name, classes in ((SHOP, ["Cart"]), (API, [])):
        objects.set_worker(name, AssignmentRule.STICKY, classes)
        objects.add_versions(name, catalog.record(name).versions.values())
        objects.set_runnable(name, frozenset(catalog.record(name).versions))
    bindings = (parse_binding("Cart", "path:/cart/{name}"),)

    def table() -> LiveTable:
        return live_table(catalog, {SHOP: ["*/*"], API: []}, bindings)

    def status() -> GatewayStatus:
        workers = (
            WorkerStatus(SHOP, ("*/*", "shop.localhost/*"), AssignmentRule.STICKY),
            WorkerStatus(API, ("api.localhost/*",), AssignmentRule.HASH),
        )
        return GatewayStatus("http://127.0.0.1:1", "http://127.0.0.1:2", 123, 42, str(folder), None, 8787, workers)

    recorder = Recorder(lambda: CLOCK)
    recorder.metrics_of(A).add("percentage", 200, "ok", 120, 0, 5)
    bus = EventBus(later=asyncio.get_running_loop().call_later)
    tails = TailHub(bus, draw=lambda: 0.0, clock=lambda: CLOCK, later=lambda _seconds, call: call())

    skew = SkewWatch(
        bus, lambda _worker: SkewRules(), later=asyncio.get_running_loop().call_later, clock=lambda: CLOCK
    )

    async def processes() -> Mapping[VersionId, ProcessFigures]:
        return {A: ProcessFigures(1.25, 45_000_000)}

    async def learn_objects(worker: WorkerName) -> None:
        plane.calls.append(f"learn {worker}")

    async def storage_bytes(_worker: WorkerName, view: ObjectView) -> int | None:
        return 4096 if view.resets else None

    deployments = Deployments(
        store,
        objects,
        plane,
        settings or RoutingSettings(),
        new_id=lambda worker, number: f"{worker}-{number}",
        clock=lambda: CLOCK,
    )

    async def moves_told() -> None:
        plane.calls.append("moves told")

    faults = Faults(lambda: 0.0, lambda: None)
    scenarios = Scenarios(
        StageParts(
            catalog=catalog,
            deployments=deployments,
            faults=faults,
            bus=bus,
            edge_address=lambda: Address("127.0.0.1", 1),
            reseed=plane.reseed,
            rules_of=lambda _worker: SkewRules(),
            moves_told=moves_told,
        )
    )
    upstreams = {one.id: FakeUpstream(one) for one in VERSIONS[:2]}
    metering = MeteringParts(
        recorder, catalog, upstreams, lambda: {A: 2}, lambda: {A: 1}, processes, clock=lambda: CLOCK
    )
    parts = ApiParts(
        catalog=catalog,
        deployments=deployments,
        explainer=Explainer(table, objects.peek, 42),
        objects=objects,
        upstreams=upstreams,
        status=status,
        clock=lambda: CLOCK,
        learn_objects=learn_objects,
        storage_bytes=storage_bytes,
        after_pin=lambda worker: plane.calls.append(f"after pin {worker}"),
        allowed_hosts=("gateway.test",),
    )
    scheduler = Scheduler(catalog, fire, clock=lambda: CLOCK, sleep=asyncio.sleep, draw=lambda: 0.5)
    crons = cron_routes(catalog, scheduler, lambda: CLOCK)
    try:
        if deployed:
            await deployments.create(catalog.record(SHOP), [WantedShare("v2", 20), WantedShare("v1", 80)])
        more = [
            *crons,
            *metering_routes(metering),
            *event_routes(ListeningParts(bus, tails, catalog, lambda: 0.5)),
            *fault_routes(faults, catalog),
            *scenario_routes(scenarios.play),
            *skew_routes(SkewParts(skew.report, skew.forget, lambda: True, catalog, lambda: CLOCK)),
        ]
        async with TestClient(TestServer(make_app(parts, more))) as client:
            yield ControlPlane(client, catalog, objects, store, plane, recorder, bus, tails, skew)
            tails.close()
            bus.close()
        await objects.flush()
    finally:
        await store.close()
