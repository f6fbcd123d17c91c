"""All that a request's fate depends on, as one immutable snapshot: read once a request, replaced, never edited."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.model.version import VersionId, WorkerName
from gateway.observability.metrics import VersionMetrics
from gateway.proxy.headers import DecisionHeaders
from gateway.proxy.pool import Pool
from gateway.routing.object_names import ObjectBinding
from gateway.routing.plan import RoutingPlan
from gateway.routing.routes import RouteTable


@dataclass(frozen=True, slots=True)
class LiveVersion:
    """A version that requests can be sent to, under the active deployment.

    Args:
        request_lines: Fields that this version's requests get, each after a CRLF.
        on_workerd: Whether workerd runs it: then an answer may be workerd's own word for an exception.
        tells_version: Whether its code asks for ``ctx.version`` (R109).
    """

    pool: Pool
    headers: DecisionHeaders
    metrics: VersionMetrics
    request_lines: bytes = b""
    on_workerd: bool = False
    tells_version: bool = False


@dataclass(frozen=True, slots=True)
class NativeObjects:
    """A Worker's Durable Objects on workerd: processes find them by themselves, the edge only lets callers in.

    Args:
        keys: Class -> unique key of its namespace.
        owner: Returns the version that runs the object with an id.
        versions: Where each version takes requests for its objects.
    """

    keys: Mapping[str, str]
    owner: Callable[[bytes], VersionId]
    versions: Mapping[VersionId, LiveVersion]


@dataclass(frozen=True, slots=True)
class LiveWorker:
    """A Worker with its plan and its versions.

    Args:
        plan: ``None`` while nothing is deployed; only version URLs work then.
        natives: Its objects on workerd, if it has a class there.
    """

    name: WorkerName
    plan: RoutingPlan | None
    versions: Mapping[VersionId, LiveVersion]
    bindings: tuple[ObjectBinding, ...]
    natives: NativeObjects | None = None


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """All Workers and their routes.

    Args:
        version_hosts: Host -> Worker and version, for version URLs (R89, R90).
    """

    routes: RouteTable
    workers: Mapping[WorkerName, LiveWorker]
    version_hosts: Mapping[str, tuple[WorkerName, VersionId]] = field(default_factory=dict)


EMPTY_TABLE = RoutingTable(RouteTable(()), {})
