"""What the configuration says, parsed once into frozen values; nobody reads files or the environment later."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from gateway.model.deployment import IMMEDIATE, CodeUpdate
from gateway.model.durable_object import AssignmentRule
from gateway.model.version import VersionDefinition, VersionId, WorkerName
from gateway.routing.object_names import ObjectBinding
from gateway.routing.routes import Route


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens; port 0 takes a free one."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """How long the data plane waits, how much it holds, and what it says of this edge.

    Args:
        head_seconds: A request's head must be complete in this time, then 408 (design 3.1).
        body_idle_seconds: A body must go on within this time, then 408.
        body_min_bytes_per_second: A body slower than this over ``body_idle_seconds`` is cut too; 0 never cuts.
        idle_seconds: A connection without a request is closed after this time.
        send_seconds: A client that takes nothing of an answer for this time is cut.
        half_closed_seconds: How long an answer may pause once the client has ended its side; a client that has
            gone looks the same as one that only ended its side, and the version must not work for nobody.
        connect_seconds: Time to connect to a version.
        answer_seconds: A version must begin its answer in this time, then 504.
        pool_idle_seconds: Below the 5 s after which workerd and Node close an idle connection themselves.
        start_seconds: How long a request waits for a version that is still starting.
        drain_seconds: How long requests may finish once the gateway stops.
    """

    decision_headers: bool = True
    country: str = "XX"
    colo: str = "LCL"
    head_bytes: int = 65_536
    target_bytes: int = 16_384
    head_seconds: float = 10.0
    body_idle_seconds: float = 30.0
    body_min_bytes_per_second: float = 16.0
    idle_seconds: float = 75.0
    send_seconds: float = 60.0
    half_closed_seconds: float = 1.0
    connect_seconds: float = 5.0
    answer_seconds: float = 30.0
    pool_idle_seconds: float = 4.0
    pool_connections: int = 256
    start_seconds: float = 15.0
    drain_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class RoutingSettings:
    """Choices where Cloudflare's pages are silent or only drafts.

    Args:
        max_versions: Versions a deployment may hold (R11).
        key_per_worker: Whether one affinity key falls on different points for different Workers.
        cohorts: Whether deployments may have cohorts (section J, a draft).
        trust_client_cohort_header: Whether clients may set ``Cloudflare-Workers-Cohort`` (R75).
    """

    max_versions: int = 2
    key_per_worker: bool = True
    cohorts: bool = False
    trust_client_cohort_header: bool = False


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """Where the API listens, and the host names beside loopback that it answers to."""

    listen: Address = Address("127.0.0.1", 8788)
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ShareSetting:
    """One version of a configured deployment, by tag."""

    tag: str
    version_id: VersionId
    percentage: float


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """One Worker of the configuration.

    Args:
        deployment: Empty where the file leaves it to the API.
        code_update: What deployments say of objects that move, unless they say it themselves (R60).
    """

    name: WorkerName
    routes: tuple[Route, ...] = ()
    versions: tuple[VersionDefinition, ...] = ()
    deployment: tuple[ShareSetting, ...] = ()
    assignment: AssignmentRule = AssignmentRule.STICKY
    code_update: CodeUpdate = IMMEDIATE
    bindings: tuple[ObjectBinding, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """All of a configuration file and the command line."""

    path: Path | None = None
    listen: Address = Address("127.0.0.1", 8787)
    control: ControlSettings = ControlSettings()
    state: Path = Path(".gateway")
    seed: int | None = None
    log_level: str = "info"
    proxy: ProxySettings = ProxySettings()
    routing: RoutingSettings = RoutingSettings()
    workers: tuple[WorkerSettings, ...] = field(default=())
