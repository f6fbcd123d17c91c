"""The control plane without its gateway: a plane that starts nothing, a store that may fail, live Workers."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gateway.control.catalog import Catalog, WorkerRecord
from gateway.control.deployments import Created, Deployments, WantedShare
from gateway.errors import StateUnavailable
from gateway.model.deployment import Deployment
from gateway.model.version import Version, VersionId, WorkerName
from gateway.model.worker import WorkerState
from gateway.routing.object_names import ObjectBinding
from gateway.routing.plan import RoutingPlan, plan_for
from gateway.routing.routes import RouteTable, implied_route, parse_route
from gateway.routing.version_urls import version_hosts
from gateway.runtime.runner import Endpoint, VersionState
from gateway.settings import RoutingSettings
from gateway.store.store import RunningRow
from tests.model.examples import API, SHOP, A, B, C, X, version

CLOCK = 1_800_000_000.0
VERSIONS = (version(A, 1, tag="v1"), version(B, 2, tag="v2"), version(C, 3), version(X, 1, tag="v1", worker=API))


@dataclass
class FakePlane:
    """Notes what a deployment asks of the running gateway, in order."""

    calls: list[str] = field(default_factory=list)
    warnings: tuple[str, ...] = ()
    prepared: list[VersionId] = field(default_factory=list)
    trouble: Exception | None = None

    async def prepare(self, versions: Iterable[Version], states: Sequence[WorkerState] = ()) -> Sequence[str]:
        self.calls.append("prepare")
        self.prepared += [one.id for one in versions]
        if self.trouble is not None:
            raise self.trouble
        return self.warnings

    @asynccontextmanager
    async def deploying(self, deployment: Deployment) -> AsyncIterator[Sequence[RunningRow]]:
        self.calls.append(f"move {deployment.number}")
        yield ()

    def refresh(self) -> None:
        self.calls.append("refresh")

    def follow_up(self, deployment: Deployment) -> None:
        self.calls.append(f"follow up {deployment.number}")

    def reseed(self, seed: int | None) -> Callable[[], None]:
        self.calls.append(f"seed {seed}")
        return lambda: self.calls.append("seed as before")


@dataclass
class FakeStore:
    """Remembers deployments in a list, unless it is full."""

    plane: FakePlane
    deployments: list[Deployment] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    states: list[WorkerState] = field(default_factory=list)
    full: bool = False

    async def add_deployment(
        self,
        deployment: Deployment,
        notes: Sequence[tuple[str, str]] = (),
        workers: Sequence[WorkerState] = (),
        moved: Sequence[RunningRow] = (),
    ) -> None:
        self.plane.calls.append("store")
        if self.full:
            raise StateUnavailable(Path("state"), sqlite3.OperationalError("database or disk is full"))
        self.deployments.append(deployment)
        self.notes.update(notes)
        self.states += workers


@dataclass
class FakeObjects:
    """Notes what a deployment asks of the object table; ``waiting`` tells whether first accesses wait."""

    plane: FakePlane
    waiting: bool = False
    full: bool = False

    async def begin_activation(self, worker: WorkerName) -> None:
        self.plane.calls.append(f"begin {worker}")
        if self.full:
            raise StateUnavailable(Path("state"), sqlite3.OperationalError("database or disk is full"))
        self.waiting = True

    def activate(self, deployment: Deployment) -> None:
        self.plane.calls.append(f"activate {deployment.number}")

    async def count_moving(self, deployment: Deployment) -> int | None:
        return 7 if deployment.number else None

    def end_activation(self, worker: WorkerName) -> None:
        self.plane.calls.append(f"end {worker}")
        self.waiting = False


class Control:
    """``Deployments`` on a catalog of ``shop`` (v1, v2, and one without tag) and ``api``."""

    def __init__(self, settings: RoutingSettings | None = None, versions: Iterable[Version] = VERSIONS) -> None:
        self.catalog = Catalog(versions, [])
        self.plane = FakePlane()
        self.store = FakeStore(self.plane)
        self.objects = FakeObjects(self.plane)
        self.deployments = Deployments(
            self.store,
            self.objects,
            self.plane,
            settings or RoutingSettings(),
            new_id=lambda worker, number: f"{worker}-{number}",
            clock=lambda: CLOCK,
        )

    @property
    def shop(self) -> WorkerRecord:
        """The Worker ``shop``."""
        return self.catalog.record(SHOP)

    async def deploy(self, *wanted: tuple[str, float | None], dry_run: bool = False) -> Created:
        """Deploy versions of ``shop`` by reference and percentage."""
        shares = [WantedShare(reference, percentage) for reference, percentage in wanted]
        return await self.deployments.create(self.shop, shares, dry_run=dry_run)


HERE = Endpoint("127.0.0.1", 9102)


@dataclass
class FakeUpstream:
    """A version that runs, as far as anyone can tell."""

    version: Version
    state: VersionState = VersionState.RUNNING
    endpoint: Endpoint | None = HERE
    trouble: str = ""
    last_lines: Sequence[str] = ("listening",)

    def wake(self) -> None:
        """It never sleeps."""

    async def settled(self) -> None:
        """It never starts."""


@dataclass(frozen=True)
class LiveWorker:
    """What an explanation needs of a live Worker."""

    plan: RoutingPlan | None
    bindings: tuple[ObjectBinding, ...] = ()


@dataclass(frozen=True)
class LiveTable:
    """What an explanation needs of the live routing table."""

    routes: RouteTable
    workers: Mapping[WorkerName, LiveWorker]
    version_hosts: Mapping[str, tuple[WorkerName, VersionId]]


def live_table(
    catalog: Catalog, patterns: Mapping[WorkerName, Sequence[str]], bindings: tuple[ObjectBinding, ...] = ()
) -> LiveTable:
    """Return the table that a gateway would route by; ``bindings`` are those of ``shop``."""
    workers = {}
    routes = []
    hosts: dict[str, tuple[WorkerName, VersionId]] = {}
    for name, listed in patterns.items():
        record = catalog.record(name)
        plan = plan_for(record.active, record.versions.values()) if record.active else None
        workers[name] = LiveWorker(plan, bindings if name == SHOP else ())
        hosts |= {host: (name, one) for host, one in version_hosts(name, record.versions.values(), ["localhost"])}
        routes += [implied_route(name), *(parse_route(name, pattern) for pattern in listed)]
    return LiveTable(RouteTable(routes), workers, hosts)
