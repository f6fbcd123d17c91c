"""Versions, deployments, keys and names that the tests of several parts share; nothing here decides anything."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache

from gateway.model.deployment import CodeUpdate, Cohort, Deployment, DeploymentId, VersionShare
from gateway.model.durable_object import AssignedObject, ObjectKey
from gateway.model.version import Runtime, UrlRuntime, Version, VersionId, WorkerName
from gateway.routing.affinity import point_of_key, worker_seed
from gateway.routing.decide import Draw
from gateway.routing.durable_objects import point_of_object
from gateway.routing.plan import RoutingPlan, plan_for

SHOP = WorkerName("shop")
API = WorkerName("api")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)

A = VersionId("aaaaaaaa-1111-4111-8111-111111111111")
B = VersionId("bbbbbbbb-2222-4222-8222-222222222222")
C = VersionId("cccccccc-3333-4333-8333-333333333333")
X = VersionId("dddddddd-4444-4444-8444-444444444444")
DIGIT_FIRST = VersionId("1bbbbbbb-2222-4222-8222-222222222222")

ELSEWHERE = UrlRuntime("http://127.0.0.1:9102")
IMMEDIATE = CodeUpdate()

CLOSE = 0.01
"""How near to the wanted point a key or name must fall; no border of the examples lies nearer."""

TRIES = 500_000
"""Fifty times as many as it takes on average to come that near."""


def version(
    version_id: VersionId,
    number: int = 1,
    *,
    tag: str = "",
    worker: WorkerName = SHOP,
    runtime: Runtime = ELSEWHERE,
) -> Version:
    """Return a version that nobody starts."""
    return Version(version_id, worker, number, runtime, NOW, tag)


def shares(*listed: tuple[VersionId, float]) -> tuple[VersionShare, ...]:
    """Return the shares of a deployment, in order."""
    return tuple(VersionShare(version_id, percentage) for version_id, percentage in listed)


def deployment(
    *listed: tuple[VersionId, float],
    number: int = 1,
    worker: WorkerName = SHOP,
    cohorts: Iterable[Cohort] = (),
    code_update: CodeUpdate = IMMEDIATE,
    created_on: datetime = NOW,
) -> Deployment:
    """Return a deployment of versions and percentages in the order given."""
    return Deployment(
        DeploymentId(f"{worker}-deployment-{number}"),
        worker,
        number,
        shares(*listed),
        created_on,
        cohorts=tuple(cohorts),
        code_update=code_update,
    )


def plan(
    *listed: tuple[VersionId, float],
    worker: WorkerName = SHOP,
    uploaded: Iterable[VersionId] = (),
    cohorts: Iterable[Cohort] = (),
    trust_cohort: bool = False,
    key_per_worker: bool = True,
) -> RoutingPlan:
    """Return a deployment laid out for decisions; ``uploaded`` are versions that are not deployed."""
    return plan_for(
        deployment(*listed, worker=worker, cohorts=cohorts),
        [version(version_id, worker=worker) for version_id in uploaded],
        trust_cohort=trust_cohort,
        key_per_worker=key_per_worker,
    )


@cache
def key_at(point: float, worker: WorkerName = SHOP) -> str:
    """Return an affinity key whose point under ``worker`` lies within ``CLOSE`` above ``point``."""
    seed = worker_seed(worker)
    return next(key for n in range(TRIES) if point <= point_of_key(key := f"key-{n}", seed) < point + CLOSE)


@cache
def object_at(point: float, class_name: str = "Cart", worker: WorkerName = SHOP) -> ObjectKey:
    """Return an object whose point lies within ``CLOSE`` above ``point``."""
    keys = (ObjectKey(worker, class_name, f"object-{n}") for n in range(TRIES))
    return next(key for key in keys if point <= point_of_object(key.id) < point + CLOSE)


def assigned(key: ObjectKey, version_id: VersionId, running: VersionId | None = None) -> AssignedObject:
    """Return what the table says of an object on ``version_id``."""
    return AssignedObject(key, point_of_object(key.id), version_id, running or version_id, 1)


def draws(*points: float) -> Draw:
    """Return a draw that yields these points; one more is an error, so it shows who draws how often."""
    return iter(points).__next__


def no_draw() -> float:
    """Fail: the decision under test must not depend on chance."""
    raise AssertionError("a point was drawn although a signal decides")
