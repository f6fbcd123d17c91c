"""Decides for a made-up request as the data plane would, and tells every step; calls no version."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from gateway.errors import BadRequest
from gateway.model.decision import Reason, RoutingDecision
from gateway.model.durable_object import AssignedObject, ObjectKey
from gateway.model.request import RequestFacts
from gateway.model.version import VersionId, WorkerName
from gateway.routing.decide import decide
from gateway.routing.explain import Outcome, Step, explain
from gateway.routing.object_names import RESERVED_PREFIX, STUB_PREFIX, ObjectBinding, name_in, parse_stub
from gateway.routing.plan import RoutingPlan
from gateway.routing.routes import RouteTable
from gateway.routing.version_urls import parse_version_host


class ExplainedWorker(Protocol):
    """What of a live Worker an explanation needs."""

    @property
    def plan(self) -> RoutingPlan | None: ...  # noqa: D102
    @property
    def bindings(self) -> tuple[ObjectBinding, ...]: ...  # noqa: D102


class ExplainedTable(Protocol):
    """What of the live routing table an explanation needs."""

    @property
    def routes(self) -> RouteTable: ...  # noqa: D102
    @property
    def workers(self) -> Mapping[WorkerName, ExplainedWorker]: ...  # noqa: D102
    @property
    def version_hosts(self) -> Mapping[str, tuple[WorkerName, VersionId]]: ...  # noqa: D102


class Explained(NamedTuple):
    """The whole chain; ``problem`` says why no version can be picked, where none can."""

    worker: WorkerName | None
    route: str
    steps: tuple[Step, ...] = ()
    decision: RoutingDecision | None = None
    counts: Mapping[VersionId, int] = {}
    problem: str | None = None


class _Target(NamedTuple):
    worker: WorkerName
    route: str
    addressed: VersionId | None = None
    key: ObjectKey | None = None


class Explainer:
    """Explains by the live table; draws from a source of its own, so that asking changes no later decision."""

    def __init__(
        self,
        table: Callable[[], ExplainedTable],
        peek: Callable[[ObjectKey], AssignedObject | None],
        seed: int | None,
    ) -> None:
        self._table = table
        self._peek = peek
        self._random = random.Random(seed)  # noqa: S311 - traffic shares, no secrets

    def explain(self, url: str, headers: Sequence[tuple[str, str]], count: int) -> Explained:
        """Explain a request to ``url``.

        Args:
            headers: Name and value, in order; several lines of one name are joined as HTTP does.

        Raises:
            BadRequest: ``url`` is no http URL.
        """
        host, target = _host_and_target(url)
        fields = _joined(headers)
        found = self._find(host, target, fields.get)
        if isinstance(found, Explained):
            return found
        plan = self._table().workers[found.worker].plan
        if plan is None and found.addressed is not None:
            decision = RoutingDecision(found.addressed, Reason.VERSION_URL)
            step = Step("version_url", Outcome.DECIDED, "the host names this version; nothing is deployed", "R20")
            return Explained(found.worker, found.route, (step,), decision)
        if plan is None:
            return Explained(found.worker, found.route, problem="nothing is deployed; deploy a version first")
        facts = RequestFacts(
            overrides=fields.get("cloudflare-workers-version-overrides"),
            version_key=fields.get("cloudflare-workers-version-key"),
            cohort=fields.get("cloudflare-workers-cohort"),
            addressed_version=found.addressed,
            durable_object=self._peek(found.key) if found.key is not None else None,
        )
        explanation = explain(facts, plan, self._draw)
        counts: Counter[VersionId] = Counter()
        if count > 1:
            counts.update(decide(facts, plan, self._draw).version_id for _ in range(count))
        return Explained(found.worker, found.route, explanation.steps, explanation.decision, counts)

    def _draw(self) -> float:
        return self._random.random() * 100.0

    def _find(self, host: str, target: str, header: Callable[[str], str | None]) -> _Target | Explained:
        table = self._table()
        if target.startswith(RESERVED_PREFIX):
            return self._find_stub(target)
        named = table.version_hosts.get(host)
        if named is not None:
            worker, addressed = named
            key = _object_key(worker, table.workers[worker], target, header)
            return _Target(worker, f"version URL {host}", addressed, key)
        version_url = parse_version_host(host)
        if version_url is not None and version_url[1] in table.workers:
            prefix, worker = version_url
            problem = f"no version of {worker} has an id that starts with {prefix}"
            return Explained(worker, f"version URL {host}", problem=problem)
        path = target.partition("?")[0]
        route = table.routes.find(host, path)
        if route is None:
            known = ", ".join(route.pattern for route in table.routes.routes) or "none"
            return Explained(None, "", problem=f"no route matches {host}{path} (routes: {known})")
        key = _object_key(route.worker, table.workers[route.worker], target, header)
        return _Target(route.worker, route.pattern, None, key)

    def _find_stub(self, target: str) -> _Target | Explained:
        stub = parse_stub(target)
        worker = WorkerName(stub.worker) if stub else WorkerName("")
        if stub is None or worker not in self._table().workers:
            return Explained(None, RESERVED_PREFIX, problem=f"write {STUB_PREFIX}<worker>/<class>/<name>/<path>")
        if stub.target.startswith("/cdn-cgi/"):
            return Explained(worker, RESERVED_PREFIX, problem="an object cannot be called under /cdn-cgi/")
        key = ObjectKey(worker, stub.class_name, stub.name)
        if self._peek(key) is None:
            problem = f"Worker {worker} has no Durable Object class {stub.class_name!r}, or nothing is deployed"
            return Explained(worker, STUB_PREFIX, problem=problem)
        return _Target(worker, STUB_PREFIX, None, key)


def _object_key(
    worker: WorkerName, live: ExplainedWorker, target: str, header: Callable[[str], str | None]
) -> ObjectKey | None:
    for binding in live.bindings:
        name = name_in(binding, target, header)
        if name is not None:
            return ObjectKey(worker, binding.class_name, name)
    return None


def _host_and_target(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadRequest(f"{url!r} is no http URL", remedy="Write it as http://shop.localhost/path.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname.removesuffix(".")
    return host, _on_the_wire((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def _on_the_wire(text: str) -> str:
    """Return text as the data plane reads it: a character for each of its bytes."""
    return text.encode("utf-8", "replace").decode("latin-1")


def _joined(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, text in headers:
        lower, value = name.lower(), _on_the_wire(text)
        fields[lower] = f"{fields[lower]}, {value}" if lower in fields else value
    return fields
