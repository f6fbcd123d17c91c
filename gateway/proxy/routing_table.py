"""All that a request's fate depends on, as one immutable snapshot: read once a request, replaced, never edited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.model.version import VersionId, WorkerName
from gateway.observability.metrics import VersionMetrics
from gateway.proxy.headers import DecisionHeaders
from gateway.proxy.pool import Pool
from gateway.routing.object_names import ObjectBinding
from gateway.routing.plan import RoutingPlan
from gateway.routing.routes import RouteTable


@dataclass(frozen=True, slots=True)
class LiveVersion:
    """A version that requests can be sent to, under the active deployment."""

    pool: Pool
    headers: DecisionHeaders
    metrics: VersionMetrics


@dataclass(frozen=True, slots=True)
class LiveWorker:
    """A Worker with its plan and its versions.

    Args:
        plan: ``None`` while nothing is deployed; only version URLs work then.
        prefixes: First 8 characters of a version id -> the version (R89).
    """

    name: WorkerName
    plan: RoutingPlan | None
    versions: Mapping[VersionId, LiveVersion]
    prefixes: Mapping[str, VersionId]
    bindings: tuple[ObjectBinding, ...]


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """All Workers and their routes."""

    routes: RouteTable
    workers: Mapping[WorkerName, LiveWorker]


EMPTY_TABLE = RoutingTable(RouteTable(()), {})
