"""A client of the gateway's own API, for the command line and for tests.

Synchronous and of the standard library only, so that a command starts quickly. What a method returns mirrors the
schemas of ``openapi.yaml``, word by word.

::

    ClientError
    ├── GatewayNotRunning     no gateway where the caller says, or where run.json says
    ├── NotAGateway           something else answers there, or the answer broke off
    └── ApiError              the gateway refused, and says why
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NotRequired, TypedDict, TypeVar, cast
from urllib.parse import quote, urlencode, urlsplit

if TYPE_CHECKING:
    from http.client import HTTPConnection

DEFAULT_STATE: Final = Path(".gateway")
RUN_FILE_NAME: Final = "run.json"
ADDRESS_VARIABLE: Final = "GATEWAY_CONTROL"

CONNECT_SECONDS: Final = 5.0
ACCOUNT: Final = "local"
"""Any account of the Cloudflare-compatible API will do."""

WORKER_NOT_FOUND: Final = 10_007
"""Cloudflare's code."""

SILENCE_SECONDS: Final = 30.0
"""A stream says every ten seconds that it is alive; one that does not is dead."""

ANSWER_SECONDS: Final = 120.0
"""A deployment is answered only once its versions run, so an answer may take a while."""

SCENARIO_SECONDS: Final = 3_600.0
"""A scenario is answered once it has ended, and may send thousands of requests."""


class Share(TypedDict):
    """One version of a deployment and its percentage."""

    version_id: str
    tag: str
    percentage: float


class CohortShares(TypedDict):
    """A cohort's own list of versions."""

    name: str
    versions: list[Share]


class CodeUpdate(TypedDict):
    """When Durable Objects that move are reset (R60)."""

    mode: str
    max_delay_seconds: float


class Deployment(TypedDict):
    """What serves, or served, a Worker."""

    id: str
    worker: str
    number: int
    created_on: str
    source: str
    author: str
    message: str
    triggered_by: str
    strategy: str
    active: bool
    versions: list[Share]
    cohorts: list[CohortShares]
    code_update: CodeUpdate


class Version(TypedDict):
    """A version and how it is doing; ``percentage`` is null where it is not deployed."""

    id: str
    worker: str
    number: int
    tag: str
    message: str
    source: str
    author: str
    created_on: str
    runtime: dict[str, Any]
    state: str
    trouble: str
    last_lines: list[str]
    percentage: float | None
    url: str


class WorkerStatus(TypedDict):
    """One Worker of the gateway."""

    name: str
    routes: list[str]
    url: str
    active: Deployment | None
    versions: list[Version]
    classes: list[str]
    assignment: str


class Status(TypedDict):
    """Where the gateway listens, and what it runs."""

    url: str
    control: str
    pid: int
    seed: int | None
    state: str
    config: str | None
    workers: list[WorkerStatus]
    faults: list[str]


class CreatedDeployment(TypedDict):
    """A new deployment (or, after a dry run, the one that would be), and what the user should know of it."""

    deployment: Deployment
    warnings: list[str]
    moved_percentage: float
    moved_objects: int | None
    dry_run: bool


class Step(TypedDict):
    """What one rule of the order of precedence found."""

    rule: str
    outcome: str
    detail: str
    cites: str


class IgnoredSignal(TypedDict):
    """A signal of the request that did not count."""

    signal: str
    cause: str
    detail: str
    rule: str


class Decision(TypedDict):
    """The version that would answer, and why."""

    version_id: str
    tag: str
    reason: str
    point: float | None
    low: float
    high: float
    cohort: str
    state: str
    ignored: list[IgnoredSignal]


class VersionCount(TypedDict):
    """How often a version was picked."""

    version_id: str
    tag: str
    count: int


class Explanation(TypedDict):
    """A decision with every step to it; ``problem`` is set exactly where ``decision`` is null."""

    worker: str | None
    route: str
    problem: str | None
    steps: list[Step]
    decision: Decision | None
    deployment: Deployment | None
    counts: list[VersionCount]


# `class` cannot be written as a field; for a past deployment the API leaves out what it no longer knows.
DurableObject = TypedDict(
    "DurableObject",
    {
        "class": str,
        "id": str,
        "name": str | None,
        "point": NotRequired[float],
        "assigned": str,
        "assigned_tag": str,
        "assigned_by": NotRequired[int],
        "running": NotRequired[str],
        "running_tag": NotRequired[str],
        "pinned": NotRequired[str | None],
        "resets": NotRequired[int],
        "first_used": NotRequired[str],
        "last_used": NotRequired[str],
        "storage_bytes": NotRequired[int | None],
    },
)


class ObjectEvent(TypedDict):
    """One line of an object's history."""

    deployment: int
    version_id: str
    tag: str
    cause: str
    at: str


class ObjectWithHistory(TypedDict):
    """One object and how it got its versions."""

    object: DurableObject
    history: list[ObjectEvent]


class ObjectPage(TypedDict):
    """Some objects of a class; ``next`` is the ``after`` of the page that follows."""

    objects: list[DurableObject]
    total: int
    next: str | None


class ObjectChange(TypedDict):
    """An object whose version differs between two deployments; null where it did not exist yet."""

    id: str
    name: str | None
    before: str | None
    before_tag: str
    after: str | None
    after_tag: str


class ObjectDiff(TypedDict):
    """What changed between two deployments."""

    changes: list[ObjectChange]
    total: int


class Cron(TypedDict):
    """A cron trigger, and when it is due; null for a day that never comes."""

    cron: str
    next: str | None


class FiredCron(TypedDict):
    """A cron that was fired by hand: the version that the percentages drew, and what became of it (R114)."""

    cron: str
    version_id: str
    tag: str
    outcome: str


class VersionMetrics(TypedDict):
    """What a version did in a window of time; null where there was nothing to measure."""

    version_id: str
    tag: str
    label: str
    asked_percentage: float | None
    requests: int
    observed_percentage: float | None
    observed_low: float | None
    observed_high: float | None
    errors: dict[str, int]
    error_percentage: float | None
    client_disconnects: int
    request_bytes: int
    response_bytes: int
    mean_ms: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    in_flight: int
    websockets: int
    cpu_seconds: float | None
    memory_bytes: int | None
    state: str


# `from` cannot be written as a field.
Metrics = TypedDict(
    "Metrics",
    {
        "worker": str,
        "window": str,
        "window_seconds": float,
        "from": str,
        "to": str,
        "deployment": int | None,
        "versions": list[VersionMetrics],
        "own_answers": dict[str, int],
    },
)


class HealthCheck(TypedDict):
    """What one part of the health rule found."""

    name: str
    verdict: str
    detail: str


class Health(TypedDict):
    """Whether a version may get more traffic; ``verdict`` is ``safe``, ``wait`` or ``roll_back``."""

    verdict: str
    reason: str
    worker: str
    window: str
    window_seconds: float
    baseline: VersionMetrics
    candidate: VersionMetrics
    checks: list[HealthCheck]


class SkewWitness(TypedDict):
    """One of the two requests that prove an incident."""

    at: str
    ray: str
    version_id: str
    label: str
    reason: str
    point: float | None
    method: str
    host: str
    path: str
    status: int
    content_type: str
    deployment: int | None
    object: str


class SkewIncident(TypedDict):
    """Version skew that was seen once or more for one cause; ``inferred`` is what of it is not known for sure."""

    id: str
    kind: str
    worker: str
    what: str
    cause: str
    sentence: str
    remedy: str
    rules: list[str]
    inferred: list[str]
    count: int
    first_seen: str
    last_seen: str
    before: SkewWitness
    after: SkewWitness


class Skew(TypedDict):
    """The incidents that were found since a moment, and how many requests were looked at."""

    enabled: bool
    since: str
    requests: int
    unseen_requests: int
    incidents: list[SkewIncident]


class KnownFault(TypedDict):
    """A fault, beside the fields of docs/faults.md that it has: how often it was met, and where it was named."""

    kind: str
    name: str
    met: int
    from_file: bool


class ScenarioAnswers(TypedDict):
    """How many answers a version gave for one reason, with one status; no version while a deployment is made."""

    version: str
    reason: str
    status: int
    count: int


class ScenarioRequest(TypedDict):
    """One request of a scenario, and what decided its version; ``status`` is 0 where no answer came."""

    method: str
    path: str
    status: int
    version: str
    reason: str
    point: float | None
    ray: str
    racing: bool


class ScenarioStep(TypedDict):
    """What came of a step; ``outcome`` is ``passed``, ``failed`` or ``not_run``."""

    number: str
    step: str
    outcome: str
    requests: int
    failures: list[str]
    notes: list[str]
    answers: list[ScenarioAnswers]
    first_requests: list[ScenarioRequest]
    duration_ms: NotRequired[float]


class ScenarioSkew(TypedDict):
    """Version skew among a scenario's requests."""

    kind: str
    what: str
    cause: str
    sentence: str
    remedy: str
    count: int
    inferred: list[str]
    before: ScenarioRequest
    after: ScenarioRequest


class ScenarioReset(TypedDict):
    """A Durable Object that went over to other versions, one after the other."""

    object: str
    count: int
    path: list[str]


class ScenarioReport(TypedDict):
    """What came of a scenario; the same, byte for byte, for the same scenario and seed."""

    scenario: str
    worker: str
    seed: int
    passed: bool
    requests: int
    errors: int
    decisions: str
    failures: list[str]
    notes: list[str]
    steps: list[ScenarioStep]
    skew: list[ScenarioSkew]
    resets: list[ScenarioReset]


class ServerEvent(NamedTuple):
    """One message of a stream: its kind and content, as docs/observability.md tells them, and its number."""

    kind: str
    content: dict[str, Any]
    id: str = ""


class Uploaded(TypedDict):
    """A version that was uploaded, and whether it serves already: the first of a Worker does (R8)."""

    version_id: str
    deployed: bool


class VersionSpec(NamedTuple):
    """A version for a new deployment, by id, unique prefix or tag; one without percentage shares the rest."""

    version: str
    percentage: float | None = None


class ClientError(Exception):
    """Whatever keeps the API from doing what was asked; ``remedy`` is what the user can do."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class GatewayNotRunning(ClientError):
    """No gateway can be reached; the message names the file or variable that was looked at."""


class NotAGateway(ClientError):
    """What answers is no gateway of this version, or its answer broke off."""


class ApiError(ClientError):
    """The gateway refused.

    Args:
        status: The answer's HTTP status.
        code: Cloudflare's code where it has one; the gateway's own start at 90 000.
    """

    def __init__(self, status: int, code: int, message: str, remedy: str) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class ControlAddress:
    """Where the API should be, and who says so.

    Args:
        url: Base URL, as ``http://127.0.0.1:8788``.
        origin: The option, variable or file it was read from.
        run_file: Set where a gateway wrote it; then a refused connection means that the file is stale.
        pid: Of the gateway that wrote ``run_file``.
    """

    url: str
    origin: str
    run_file: Path | None = None
    pid: int | None = None


def find_gateway(
    environment: Mapping[str, str], *, control: str | None = None, state: Path | None = None
) -> ControlAddress:
    """Return where the API listens: ``control``, else ``state``, else ``GATEWAY_CONTROL``, else ``.gateway``.

    What is typed wins over what is set.

    Raises:
        GatewayNotRunning: The state folder has no readable ``run.json``.
        ClientError: The base URL is none.
    """
    if control:
        return ControlAddress(_checked_url(control, "--control"), "--control")
    if state is None and (address := environment.get(ADDRESS_VARIABLE)):
        return ControlAddress(_checked_url(address, ADDRESS_VARIABLE), ADDRESS_VARIABLE)
    return _read_run_file((state or DEFAULT_STATE) / RUN_FILE_NAME)


def _read_run_file(path: Path) -> ControlAddress:
    remedy = (
        "Start one with `gateway run`. If one runs already, name its state folder with --state DIR, "
        f"or its API with {ADDRESS_VARIABLE}=http://127.0.0.1:8788."
    )
    try:
        content = json.loads(path.read_bytes())
        url, pid = content["control"], content.get("pid")
        address = _checked_url(url, str(path))
    except (FileNotFoundError, NotADirectoryError):
        raise GatewayNotRunning(f"no gateway is running: {path} does not exist", remedy=remedy) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise GatewayNotRunning(f"{path} does not say where a gateway runs: {error}", remedy=remedy) from error
    return ControlAddress(address, str(path), path, pid if isinstance(pid, int) else None)


def _checked_url(url: str, origin: str) -> str:
    try:
        parts = urlsplit(url)
        valid = parts.scheme == "http" and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number or too high, or half an IPv6 address
        valid = False
    if not valid:
        raise ClientError(f"{origin}: {url!r} is no base URL", remedy="It looks like http://127.0.0.1:8788.")
    return url.rstrip("/")


_Answer = TypeVar("_Answer")


class GatewayClient:
    """The API, one method for each operation; every method raises ``ClientError``."""

    def __init__(self, address: ControlAddress) -> None:
        self.address = address

    def status(self) -> Status:
        """Return where the gateway listens, and the state of every Worker and version."""
        return _shaped(Status, self._send("GET", "/api/status"))

    def versions(self, worker: str) -> list[Version]:
        """Return a Worker's versions, the newest first."""
        answer = self._send("GET", _worker_path(worker, "versions"))
        return cast("list[Version]", _listed("versions", answer))

    def version(self, worker: str, version: str) -> Version:
        """Return one version, named by id, unique prefix or tag."""
        return _shaped(Version, self._send("GET", _worker_path(worker, "versions", version)))

    def deployments(self, worker: str) -> list[Deployment]:
        """Return a Worker's deployments, the newest (active) first."""
        answer = self._send("GET", _worker_path(worker, "deployments"))
        return cast("list[Deployment]", _listed("deployments", answer))

    def deployment(self, worker: str, deployment: str) -> Deployment:
        """Return one deployment, named by id, number or ``active``."""
        return _shaped(Deployment, self._send("GET", _worker_path(worker, "deployments", deployment)))

    def deploy(
        self, worker: str, versions: Iterable[VersionSpec], *, message: str = "", dry_run: bool = False
    ) -> CreatedDeployment:
        """Create a deployment; it is active when this returns, unless it is a dry run."""
        body: dict[str, Any] = {
            "versions": [
                {"version": spec.version}
                if spec.percentage is None
                else {"version": spec.version, "percentage": spec.percentage}
                for spec in versions
            ]
        }
        if message:
            body["message"] = message
        if dry_run:
            body["dry_run"] = True
        return _shaped(CreatedDeployment, self._send("POST", _worker_path(worker, "deployments"), body))

    def rollback(self, worker: str, version: str | None = None, *, message: str = "") -> CreatedDeployment:
        """Give one version all traffic again; without one, the newest earlier that had it (R95)."""
        body = {"version": version} if version is not None else {}
        if message:
            body["message"] = message
        return _shaped(CreatedDeployment, self._send("POST", _worker_path(worker, "rollback"), body))

    def explain(
        self,
        url: str,
        *,
        method: str | None = None,
        headers: Sequence[tuple[str, str]] = (),
        count: int | None = None,
    ) -> Explanation:
        """Return how a request would be routed; ``count`` decides that often and counts the versions."""
        body: dict[str, Any] = {"url": url}
        if method is not None:
            body["method"] = method
        if headers:
            body["headers"] = [list(header) for header in headers]
        if count is not None:
            body["count"] = count
        return _shaped(Explanation, self._send("POST", "/api/explain", body))

    def objects(
        self,
        worker: str,
        class_name: str | None = None,
        *,
        search: str | None = None,
        after: str | None = None,
        limit: int | None = None,
        deployment: int | None = None,
    ) -> ObjectPage:
        """Return a page of a class's objects; ``deployment`` asks for the table as it was then."""
        query = _query(
            {"class": class_name, "search": search, "after": after, "limit": limit, "deployment": deployment}
        )
        return _shaped(ObjectPage, self._send("GET", _worker_path(worker, "objects") + query))

    def object_diff(
        self,
        worker: str,
        from_number: int,
        to_number: int,
        class_name: str | None = None,
        *,
        limit: int | None = None,
    ) -> ObjectDiff:
        """Return the objects whose version differs between two deployments, named by number."""
        query = _query({"class": class_name, "from": from_number, "to": to_number, "limit": limit})
        return _shaped(ObjectDiff, self._send("GET", _worker_path(worker, "objects", "diff") + query))

    def object(self, worker: str, class_name: str, name: str) -> ObjectWithHistory:
        """Return one object, named by name or id in hex, and its history."""
        return _shaped(ObjectWithHistory, self._send("GET", _worker_path(worker, "objects", class_name, name)))

    def pin(self, worker: str, class_name: str, name: str, version: str) -> DurableObject:
        """Keep an object on a version of the active deployment."""
        path = _worker_path(worker, "objects", class_name, name, "pin")
        return _shaped(DurableObject, self._send("PUT", path, {"version": version}))

    def unpin(self, worker: str, class_name: str, name: str) -> DurableObject:
        """Let the rule decide an object's version again."""
        path = _worker_path(worker, "objects", class_name, name, "pin")
        return _shaped(DurableObject, self._send("DELETE", path))

    def upload(self, worker: str, body: bytes, content_type: str) -> Uploaded:
        """Upload a version as wrangler does: a form of metadata and modules; a new Worker is deployed at once."""
        path = _path("client", "v4", "accounts", ACCOUNT, "workers", "scripts", worker)
        headers = {"Authorization": "Bearer gateway", "Content-Type": content_type}
        try:
            answer = self._exchange("POST", path + "/versions?bindings_inherit=strict", body, headers)
            return {"version_id": _uploaded_id(answer, "id"), "deployed": False}
        except ApiError as error:
            if error.code != WORKER_NOT_FOUND:
                raise
        answer = self._exchange("PUT", path + "?bindings_inherit=strict", body, headers)
        return {"version_id": _uploaded_id(answer, "deployment_id"), "deployed": True}

    def crons(self, worker: str) -> list[Cron]:
        """Return a Worker's cron triggers."""
        return cast("list[Cron]", _listed("crons", self._send("GET", _worker_path(worker, "crons"))))

    def trigger_cron(self, worker: str, cron: str | None = None) -> FiredCron:
        """Fire a cron now, the Worker's only one unless it is named, and return once it has ended."""
        body = {"cron": cron} if cron is not None else {}
        return _shaped(FiredCron, self._send("POST", _worker_path(worker, "crons", "trigger"), body))

    def metrics(self, worker: str, window: str | None = None) -> Metrics:
        """Return what a Worker's versions did in a window: 60, 300, 3600 seconds, or since the ``deployment``."""
        return _shaped(Metrics, self._send("GET", _worker_path(worker, "metrics") + _query({"window": window})))

    def health(
        self,
        worker: str,
        *,
        baseline: str | None = None,
        candidate: str | None = None,
        window: str | None = None,
    ) -> Health:
        """Return whether a version may get more traffic than it has."""
        query = _query({"baseline": baseline, "candidate": candidate, "window": window})
        return _shaped(Health, self._send("GET", _worker_path(worker, "health") + query))

    def skew(self, *, since: str | None = None, worker: str | None = None, kind: str | None = None) -> Skew:
        """Return the version skew that was found in live traffic.

        Args:
            since: A time, or how long ago: ``10m``.
        """
        query = _query({"since": since, "worker": worker, "kind": kind})
        return _shaped(Skew, self._send("GET", "/api/skew" + query))

    def forget_skew(self) -> int:
        """Forget all traffic and incidents, and return how many there were."""
        return int(self._send("DELETE", "/api/skew")["forgotten"])

    def faults(self) -> list[KnownFault]:
        """Return the faults that are made on purpose."""
        return cast("list[KnownFault]", _listed("faults", self._send("GET", "/api/faults")))

    def add_fault(self, fault: Mapping[str, Any]) -> KnownFault:
        """Add a fault, as docs/faults.md writes it, and return it with its name."""
        return _shaped(KnownFault, self._send("POST", "/api/faults", dict(fault)))

    def clear_faults(self, name: str | None = None) -> int:
        """Take one fault away, or all, and return how many."""
        return int(self._send("DELETE", _path("api", "faults", *([name] if name else [])))["cleared"])

    def play(self, scenario: Mapping[str, Any], *, timings: bool = False) -> ScenarioReport:
        """Play a scenario, written as docs/scenarios.md tells, and return what came of it.

        Args:
            timings: Whether the report tells how long steps took.
        """
        path = "/api/test/scenario" + _query({"timings": "true" if timings else None})
        return _shaped(ScenarioReport, self._send("POST", path, scenario, seconds=SCENARIO_SECONDS))

    def events(self, **filters: str | int | None) -> Iterator[ServerEvent]:
        """Yield what happens at the edge, until the gateway stops.

        Args:
            filters: ``worker``, ``version``, ``status``, ``method``, ``search``, ``sampling_rate``, ``kinds``,
                ``redact``, ``last``, as ``/api/events`` takes them.
        """
        return self._stream("/api/events" + _query(filters))

    def tail(self, worker: str, **filters: str | int | None) -> Iterator[ServerEvent]:
        """Yield a Worker's invocations as tail items (R112), until the gateway stops; filters as ``events``."""
        return self._stream(_worker_path(worker, "tail") + _query(filters))

    def _stream(self, path: str) -> Iterator[ServerEvent]:
        """Yield the messages of a stream of server-sent events.

        Raises:
            GatewayNotRunning, NotAGateway, ApiError: See ``_exchange``.
        """
        from http.client import HTTPConnection, HTTPException  # noqa: PLC0415 - as in _exchange

        base = urlsplit(self.address.url)
        connection = HTTPConnection(base.hostname or "", base.port, timeout=CONNECT_SECONDS)
        try:
            self._connect(connection)
            connection.sock.settimeout(SILENCE_SECONDS)
            connection.request("GET", base.path + path, headers={"Accept": "text/event-stream"})
            response = connection.getresponse()
            if not (response.getheader("Content-Type") or "").startswith("text/event-stream"):
                self._understood(response.status, response.read())
                raise NotAGateway(
                    f"{self.address.url} gives no events", remedy="Start it anew with `gateway run`."
                )
            yield from _messages(response)
        except (OSError, HTTPException) as error:
            raise NotAGateway(
                f"the events of {self.address.url} broke off: {error!r}",
                remedy="See whether the gateway runs; start it with `gateway run`.",
            ) from error
        finally:
            connection.close()

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        seconds: float = ANSWER_SECONDS,
    ) -> dict[str, Any]:
        """Send one request and return the JSON object it is answered with; see ``_exchange``."""
        # Every write is declared as JSON, one without a body too: no other site's page can send that.
        headers = {} if method == "GET" else {"Content-Type": "application/json"}
        content = None if body is None else json.dumps(body).encode("ascii")
        return self._exchange(method, path, content, headers, seconds)

    def _exchange(
        self,
        method: str,
        path: str,
        content: bytes | None,
        headers: Mapping[str, str],
        seconds: float = ANSWER_SECONDS,
    ) -> dict[str, Any]:
        """Send one request and return the JSON object it is answered with.

        Args:
            seconds: How long the answer may take.

        Raises:
            GatewayNotRunning: Nothing listens there.
            NotAGateway: The answer is not the API's.
            ApiError: The API refused.
        """
        # Costs more to import than all else here, and `gateway --help` needs none of it.
        from http.client import HTTPConnection, HTTPException  # noqa: PLC0415

        base = urlsplit(self.address.url)
        connection = HTTPConnection(base.hostname or "", base.port, timeout=CONNECT_SECONDS)
        try:
            self._connect(connection)
            connection.sock.settimeout(seconds)
            every = {"Accept": "application/json", "Connection": "close"}
            connection.request(method, base.path + path, content, {**every, **headers})
            response = connection.getresponse()
            status, answer = response.status, response.read()
        except (OSError, HTTPException) as error:
            raise NotAGateway(
                f"{self.address.url} gave no whole answer to {method} {path}: {error!r}",
                remedy="See with `gateway deployments status` whether it took effect, and look into its log.",
            ) from error
        finally:
            connection.close()
        return self._understood(status, answer)

    def _connect(self, connection: HTTPConnection) -> None:
        try:
            connection.connect()
        except OSError as error:
            raise _not_listening(self.address, error) from error

    def _understood(self, status: int, answer: bytes) -> dict[str, Any]:
        try:
            content = json.loads(answer)
        except (ValueError, RecursionError):
            content = None
        if isinstance(content, dict):
            if status < 300:  # noqa: PLR2004 - 2xx is success (RFC 9110 section 15.3)
                return content
            error = content.get("error") or next(iter(content.get("errors") or ()), None)
            if isinstance(error, dict) and isinstance(error.get("message"), str):
                code, remedy = error.get("code"), error.get("remedy")
                raise ApiError(
                    status,
                    code if isinstance(code, int) else 0,
                    error["message"],
                    remedy if isinstance(remedy, str) else "",
                )
        raise NotAGateway(
            f"{self.address.url} (from {self.address.origin}) answers with status {status}, but not as a gateway",
            remedy="Another program may have taken the port. Start `gateway run`, or give the right address.",
        )


def _messages(lines: Iterable[bytes]) -> Iterator[ServerEvent]:
    """Yield the messages that lines of a stream make up; of the gateway's, each has one line of data."""
    kind = number = ""
    for line in lines:
        name, _, value = line.decode("utf-8", "replace").rstrip("\r\n").partition(": ")
        match name:
            case "event":
                kind = value
            case "id":
                number = value
            case "data":
                content = json.loads(value)
                yield ServerEvent(kind, content if isinstance(content, dict) else {}, number)


def _uploaded_id(answer: dict[str, Any], member: str) -> str:
    result = answer.get("result")
    id_ = result.get(member) if isinstance(result, dict) else None
    if not isinstance(id_, str):
        raise NotAGateway(
            f"the gateway's answer to an upload lacks {member}",
            remedy="See with `gateway versions list` what it made.",
        )
    return id_


def _not_listening(address: ControlAddress, error: OSError) -> GatewayNotRunning:
    if address.run_file is None:
        return GatewayNotRunning(
            f"no gateway is running at {address.url} (from {address.origin}): {error}",
            remedy=f"Start one with `gateway run`, or correct {address.origin}.",
        )
    owner = f" (pid {address.pid})" if address.pid is not None else ""
    return GatewayNotRunning(
        f"no gateway is running: {address.run_file} is stale. "
        f"It names {address.url}{owner}, where nothing answers any more: {error}",
        remedy="Start it again with `gateway run`; that replaces the file.",
    )


def _worker_path(worker: str, *parts: str) -> str:
    return _path("api", "workers", worker, *parts)


def _path(*parts: str) -> str:
    """Return a path of which each part is one segment, whatever characters it has.

    Raises:
        ClientError: A part is empty; the path would name something else.
    """
    if not all(parts):
        raise ClientError("a name is empty", remedy="Give the name of the Worker, version, class or object.")
    return "".join("/" + quote(part, safe="", errors="surrogateescape") for part in parts)


def _query(values: Mapping[str, str | int | None]) -> str:
    given = {key: value for key, value in values.items() if value is not None}
    return "?" + urlencode(given, errors="surrogateescape") if given else ""


def _shaped(shape: type[_Answer], answer: dict[str, Any]) -> _Answer:
    """Return the answer as ``shape``, once it has that shape's keys: an older gateway may send fewer."""
    keys: frozenset[str] = getattr(shape, "__required_keys__", frozenset())
    _check_keys(keys, answer)
    return cast("_Answer", answer)


def _listed(key: str, answer: dict[str, Any]) -> list[Any]:
    _check_keys({key}, answer)
    return cast("list[Any]", answer[key])


def _check_keys(keys: Iterable[str], answer: dict[str, Any]) -> None:
    missing = sorted(set(keys) - answer.keys())
    if missing:
        raise NotAGateway(
            f"the gateway's answer lacks {', '.join(missing)}",
            remedy="Its version may differ from this command's; start it again with `gateway run`.",
        )
