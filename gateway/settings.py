"""What the configuration says, parsed once into frozen values; nobody reads files or the environment later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.errors import ConfigError
from gateway.model.deployment import IMMEDIATE, CodeUpdate
from gateway.model.durable_object import AssignmentRule
from gateway.model.fault import Fault
from gateway.model.skew_rules import SkewRules
from gateway.model.version import VersionDefinition, VersionId, WorkerName
from gateway.model.worker_code import Binding
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
class ConfigPlace:
    """Where something stands in a configuration file, for errors that show only later."""

    path: Path
    line: int
    key: str

    def wrong(self, problem: str, remedy: str) -> ConfigError:
        """Return the error of this place."""
        return ConfigError(self.path, self.line, self.key, problem, remedy=remedy)


@dataclass(frozen=True, slots=True)
class WorkerdSource:
    """Code that lies ready to be run.

    Args:
        main: Path of the entry module.
        modules: Globs, relative to the folder of ``main``, for the modules beside it.
    """

    main: str
    modules: tuple[str, ...] = ()
    bindings: tuple[Binding, ...] = ()
    compatibility_date: str = ""
    compatibility_flags: tuple[str, ...] = ()

    @property
    def has_objects(self) -> bool:
        """Whether it binds Durable Objects."""
        return any(binding.kind == "durable_object_namespace" for binding in self.bindings)


def mixed_objects(other: str) -> tuple[str, str]:
    """Return problem and remedy of a version with Durable Objects beside one that does not run on workerd.

    Args:
        other: Tag of that one.
    """
    return (
        f"its Durable Objects live on workerd, but those of version {other} would live in a process of its own",
        "Run all versions of a Worker that has Durable Objects in the same way.",
    )


@dataclass(frozen=True, slots=True)
class WranglerSource:
    """Code that wrangler bundles, with the bindings of its configuration file.

    Args:
        config: Path of a ``wrangler.toml``, ``.json`` or ``.jsonc``.
    """

    config: str


@dataclass(frozen=True, slots=True)
class VersionSource:
    """A version whose code must be read before it is complete: its id follows from the content.

    Args:
        id: As given; else a provisional one, which only tells it from others of the file.
        id_given: Whether ``id`` stands in the file.
        position: Index among the versions of its Worker.
    """

    worker: WorkerName
    tag: str
    code: WorkerdSource | WranglerSource
    place: ConfigPlace
    id: VersionId
    id_given: bool
    position: int
    message: str = ""


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
        versions: Those that are complete.
        sources: Those whose code must be read first (``gateway.sources``); none once it was.
        deployment: Empty where the file leaves it to the API.
        code_update: What deployments say of objects that move, unless they say it themselves (R60).
        skew: In the place of the gateway's, where the Worker has its own.
    """

    name: WorkerName
    routes: tuple[Route, ...] = ()
    versions: tuple[VersionDefinition, ...] = ()
    deployment: tuple[ShareSetting, ...] = ()
    assignment: AssignmentRule = AssignmentRule.STICKY
    code_update: CodeUpdate = IMMEDIATE
    bindings: tuple[ObjectBinding, ...] = ()
    sources: tuple[VersionSource, ...] = ()
    skew: SkewRules | None = None

    @property
    def listed(self) -> tuple[VersionDefinition | VersionSource, ...]:
        """All versions, in the order of the file."""
        merged: list[VersionDefinition | VersionSource] = list(self.versions)
        for source in self.sources:
            merged.insert(source.position, source)
        return tuple(merged)


@dataclass(frozen=True, slots=True)
class Settings:
    """All of a configuration file and the command line.

    Args:
        workerd: The binary to run versions on; else it is looked for.
        cf: Members of ``request.cf`` beside those that the gateway knows, or in their place.
        skew: How skew is looked for in the traffic of Workers without rules of their own.
        faults: What goes wrong on purpose.
    """

    path: Path | None = None
    listen: Address = Address("127.0.0.1", 8787)
    control: ControlSettings = ControlSettings()
    state: Path = Path(".gateway")
    seed: int | None = None
    log_level: str = "info"
    workerd: Path | None = None
    proxy: ProxySettings = ProxySettings()
    routing: RoutingSettings = RoutingSettings()
    cf: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    workers: tuple[WorkerSettings, ...] = field(default=())
    skew: SkewRules = field(default_factory=SkewRules)
    faults: tuple[Fault, ...] = ()

    def skew_rules(self, worker: str) -> SkewRules:
        """Return how skew is looked for in a Worker's traffic."""
        own = next((one.skew for one in self.workers if one.name == worker), None)
        return own if own is not None else self.skew

    @property
    def looks_for_skew(self) -> bool:
        """Whether any Worker's traffic is looked at."""
        return self.skew.enabled or any(one.skew is not None and one.skew.enabled for one in self.workers)
