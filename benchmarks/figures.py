"""What was measured: frozen values, filled in by the scenarios and turned into text by ``report.py``."""

from collections.abc import Mapping
from dataclasses import dataclass, field

DIRECT = "direct"
NGINX = "nginx"
NGINX_LARGE_BUFFERS = "nginx-large-buffers"
HAPROXY = "haproxy"
AIOHTTP = "aiohttp"
GATEWAY = "gateway"
BARE_WORKERD = "bare-workerd"
WRANGLER_DEV = "wrangler-dev"
OWN_PROCESS = "own-process"
OTHER_PROCESS = "other-process"


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """Why a row has no figures.

    Args:
        missing: True where a program is not installed or does not start, False where it ran and answered
            wrongly.
        detail: The last lines of its output.
    """

    why: str
    missing: bool = True
    detail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadRound:
    """One run of wrk against one proxy.

    Args:
        cpu_us_per_request: User and system time of the proxy's process tree; None where no proxy was in
            between.
        busy_share: That CPU time as a share of the round, 0-1; well under 1 means the proxy was not the
            limit.
    """

    requests_per_second: float
    p50_us: float
    p99_us: float
    non_2xx: int
    socket_errors: int
    cpu_us_per_request: float | None
    busy_share: float | None

    @property
    def errors(self) -> int:
        """Answers that were not 2xx or 3xx, and connections that failed."""
        return self.non_2xx + self.socket_errors


@dataclass(frozen=True, slots=True)
class LoadResult:
    """One wrk scenario: the rounds of each proxy, in the order they were run."""

    name: str
    title: str
    note: str
    rows: Mapping[str, tuple[LoadRound, ...] | NotMeasured]


@dataclass(frozen=True, slots=True)
class BodyRound:
    """One round of large bodies through one proxy; ``mb_per_second`` counts millions of bytes."""

    mb_per_second: float
    cpu_ms_per_100_mb: float | None


@dataclass(frozen=True, slots=True)
class BodyRow:
    """What one proxy did with large bodies.

    Args:
        growth_bytes: Peak memory over all transfers, stalled ones too, less that before; None without a
            proxy.
        errors: Transfers that failed or brought the wrong bytes; no figure is taken from their round.
    """

    rounds: tuple[BodyRound, ...]
    growth_bytes: int | None
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BodyResult:
    """One direction of large bodies."""

    name: str
    title: str
    note: str
    rows: Mapping[str, BodyRow | NotMeasured]


@dataclass(frozen=True, slots=True)
class WebSocketRow:
    """What became of the silent WebSockets of one proxy.

    Args:
        alive: How many echoed a message after the silence.
        kib_per_connection: Growth of the proxy's resident memory while all stood open, divided by ``opened``.
    """

    opened: int
    alive: int
    connect_seconds: float
    kib_per_connection: float
    cpu_seconds_while_idle: float
    first_failure: str | None


@dataclass(frozen=True, slots=True)
class WebSocketResult:
    """Silent WebSockets; ``asked`` is smaller than ``wanted`` where the limit on open files forbids it."""

    wanted: int
    asked: int
    idle_seconds: float
    rows: Mapping[str, WebSocketRow | NotMeasured]


@dataclass(frozen=True, slots=True)
class StartupResult:
    """Seconds from the start of the process until ``run.json`` is there and the port accepts, run by run.

    Args:
        fresh_seconds: With an empty state folder.
        again_seconds: With the state folder of the run before.
    """

    fresh_seconds: tuple[float, ...]
    again_seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ObjectTableFigures:
    """The table of Durable Objects holding 1,000,000 sticky objects."""

    memory_mb: float
    first_access_us: float
    later_access_us: float
    new_deployment_ms: float


@dataclass(frozen=True, slots=True)
class WorkerdGetRow:
    """A Worker that answers "ok", run in one way.

    Args:
        startup_seconds: From the start of the process to the first answer, run by run.
        workerd_cpu_us: What workerd's own processes took of each request, round by round.
        memory_bytes: Resident memory of all processes after the rounds; ``workerd_memory_bytes`` is the part of
            workerd's own.
        processes: How many there are; ``workerd_processes`` of them are workerd's.
    """

    startup_seconds: tuple[float, ...]
    rounds: tuple[LoadRound, ...]
    workerd_cpu_us: tuple[float, ...]
    memory_bytes: int
    workerd_memory_bytes: int
    processes: int
    workerd_processes: int


@dataclass(frozen=True, slots=True)
class ObjectCallRow:
    """Requests that make one call to a Durable Object each: at one connection, and at 32."""

    one: tuple[LoadRound, ...]
    many: tuple[LoadRound, ...]


@dataclass(frozen=True, slots=True)
class MoveRound:
    """One deployment that moves all objects but one.

    Args:
        seconds: Until the deployment was answered.
        longest_call_ms: The longest a call took, from those that were under way meanwhile, to the object that
            stays.
        calls: How many these were.
        usual_call_ms: Median of the calls to it before the deployment.
    """

    seconds: float
    longest_call_ms: float
    calls: int
    usual_call_ms: float


@dataclass(frozen=True, slots=True)
class MoveRow:
    """Moves of the same objects, forth and back."""

    objects: int
    rounds: tuple[MoveRound, ...]


@dataclass(frozen=True, slots=True)
class MoveResult:
    """Moves of Durable Objects between two versions.

    Args:
        start_seconds: A start of the gateway that finds the dormant objects on the disk for the first time.
    """

    resident: MoveRow
    dormant: MoveRow
    start_seconds: float


@dataclass(frozen=True, slots=True)
class UploadResult:
    """Uploads of a small Worker, one after the other.

    Args:
        acknowledged_ms: Until the upload was answered.
        first_answer_ms: The first request through the new version's URL, which starts its process.
    """

    acknowledged_ms: tuple[float, ...]
    first_answer_ms: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class WorkerdFigures:
    """Versions on workerd; None where a part was not asked for.

    Args:
        get: By how the Worker runs.
        calls: By where the object runs.
    """

    get: Mapping[str, WorkerdGetRow | NotMeasured] | None = None
    calls: Mapping[str, ObjectCallRow | NotMeasured] | None = None
    moves: MoveResult | NotMeasured | None = None
    uploads: UploadResult | NotMeasured | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and how the figures were taken."""

    cpu: str
    cores: int
    kernel: str
    date: str
    command: str
    pinning: str
    load_average: float
    versions: tuple[tuple[str, str], ...]
    rounds: int
    seconds: int
    quick: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """All that one run measured; None or absent where a scenario was not asked for."""

    machine: Machine
    load: tuple[LoadResult, ...] = ()
    bodies: tuple[BodyResult, ...] = ()
    websockets: WebSocketResult | None = None
    startup: StartupResult | NotMeasured | None = None
    object_table: ObjectTableFigures | NotMeasured | None = None
    workerd: WorkerdFigures = field(default_factory=WorkerdFigures)
