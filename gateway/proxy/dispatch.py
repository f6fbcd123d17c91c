"""From a head to the version that answers it: find the Worker, gather the facts, decide (design 3.2-3.4)."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from gateway.model.decision import Reason, RoutingDecision
from gateway.model.durable_object import ObjectKey, ObjectReset, native_object_id
from gateway.model.request import NO_SIGNALS, RequestFacts
from gateway.model.version import VersionId, WorkerName
from gateway.proxy import pages
from gateway.proxy.headers import HOPS_COUNTED
from gateway.proxy.messages import RequestHead
from gateway.proxy.pages import Problem
from gateway.proxy.routing_table import LiveVersion, LiveWorker, NativeObjects
from gateway.routing.decide import decide
from gateway.routing.durable_objects import point_of_object
from gateway.routing.object_names import RESERVED_PREFIX, STUB_PREFIX, StubAddress, name_in, parse_stub
from gateway.routing.version_urls import parse_version_host

if TYPE_CHECKING:
    from gateway.proxy.edge import Edge
    from gateway.proxy.exchange import Exchange

_RESERVED: Final = RESERVED_PREFIX.encode("ascii")
TRACE_PATH: Final = b"/cdn-cgi/trace"
LOOP_TOKEN: Final = b"gradual-gateway"
MAX_HOPS: Final = 16
"""R70: at most 16 Worker invocations in a chain."""


class Forward(NamedTuple):
    """A request that goes to a version.

    Args:
        target: What the version sees as request target.
        lines: Fields that only this request gets, each after a CRLF.
        native: The object on workerd that it goes to, for who tells of it: its process finds it by itself.
        reset: The reset that must be told to another version before this request may go out.
        fault: Names of the faults that it meets, or empty.
    """

    worker: LiveWorker
    live: LiveVersion
    decision: RoutingDecision
    target: bytes
    object_key: ObjectKey | None = None
    reset: ObjectReset | None = None
    lines: bytes = b""
    native: ObjectKey | None = None
    fault: str = ""

    @property
    def object(self) -> ObjectKey | None:
        """The Durable Object that it belongs to, wherever that runs."""
        return self.object_key or self.native


class Trace(NamedTuple):
    """A request for ``/cdn-cgi/trace``, with the decision it would have met."""

    forward: Forward | None


class Wait(NamedTuple):
    """The object table is between two deployments: ask again when that is over."""


class LastHop(NamedTuple):
    """TRACE or OPTIONS that may go no further: answered here (RFC 9110 7.6.2)."""


class Faulted(NamedTuple):
    """A request that meets a fault on its way (``proxy.suffering``).

    Args:
        suffer: Makes the exchange meet it.
    """

    forward: Forward
    suffer: Callable[[Exchange], Coroutine[Any, Any, None]]


Dispatched = Forward | Trace | Problem | Wait | LastHop | Faulted


class _Found(NamedTuple):
    """The Worker of a request, and the version its URL names, if it is a version URL."""

    worker: LiveWorker
    addressed: VersionId | None


def dispatch(head: RequestHead, edge: Edge) -> Dispatched:
    """Return what becomes of a request; draws a point where no signal decides."""
    target = head.target
    if head.found_in is edge.table:  # the same head under the same table leads to the same Worker
        return _dispatch_to(cast(_Found, head.found), head, edge)
    if target.partition(b"?")[0] == TRACE_PATH:
        return _trace(head, edge)
    if target.startswith(_RESERVED):
        return _reserved(head, edge)
    found = _refused_or_found(head, edge)
    if not isinstance(found, _Found):
        return found
    head.found, head.found_in = found, edge.table
    return _dispatch_to(found, head, edge)


def _refused_or_found(head: RequestHead, edge: Edge) -> _Found | Problem | LastHop:
    if head.max_forwards is not None and head.method in HOPS_COUNTED and not head.max_forwards.strip(b"0"):
        return LastHop()
    if head.cdn_loop is not None and head.cdn_loop.count(LOOP_TOKEN) > MAX_HOPS:
        return pages.too_many_hops()
    return _find_worker(head, edge)


def _dispatch_to(found: _Found, head: RequestHead, edge: Edge) -> Forward | Problem | Wait:
    key = _object_key(head, found.worker) if found.worker.bindings else None
    return _decide(head, edge, found, head.target, key)


def _find_worker(head: RequestHead, edge: Edge) -> _Found | Problem:
    table = edge.table
    host = head.host
    named = table.version_hosts.get(host)
    if named is not None:
        return _Found(table.workers[named[0]], named[1])
    if host[8:9] == "-" and (parsed := parse_version_host(host)) is not None:
        worker = table.workers.get(parsed[1])
        if worker is not None:
            known = [live.pool.version.label for live in worker.versions.values()]
            return pages.unknown_version(worker.name, parsed[0], known)
    route = table.routes.find(host, head.path)
    if route is None:
        return pages.no_route(host, head.path, [route.pattern for route in table.routes.routes])
    return _Found(table.workers[route.worker], None)


def _decide(
    head: RequestHead, edge: Edge, found: _Found, target: bytes, key: ObjectKey | None
) -> Forward | Problem | Wait:
    worker, plan = found.worker, found.worker.plan
    if plan is None:
        if found.addressed is None:
            return pages.not_deployed(worker.name)
        decision = RoutingDecision(found.addressed, Reason.VERSION_URL)
        return Forward(worker, worker.versions[found.addressed], decision, target)
    reset = None
    if key is not None:
        use = edge.objects.use(key, edge.wall_clock())
        if use is None:
            return Wait()
        facts = RequestFacts(durable_object=use)  # R50: nothing else decides
        reset = use.reset
    else:
        facts = facts_of(head)
        if found.addressed is not None:
            facts = facts._replace(addressed_version=found.addressed)
    decision = decide(facts, plan, edge.draw)
    return Forward(worker, worker.versions[decision.version_id], decision, target, key, reset)


def facts_of(head: RequestHead) -> RequestFacts:
    """Return the few parts of a head that routing may see."""
    if head.overrides is None and head.version_key is None and head.cohort is None:
        return NO_SIGNALS
    return RequestFacts(_text(head.overrides), _text(head.version_key), _text(head.cohort))


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


def _object_key(head: RequestHead, worker: LiveWorker) -> ObjectKey | None:
    target = head.target.decode("latin-1")
    for binding in worker.bindings:
        name = name_in(binding, target, head.header)
        if name is not None:
            return ObjectKey(worker.name, binding.class_name, name)
    return None


def _reserved(head: RequestHead, edge: Edge) -> Dispatched:
    """Serve the stub address: any code can call an object there (design 5)."""
    path = head.path
    if not path.startswith(STUB_PREFIX):
        return pages.reserved_path(
            path, f"the gateway answers only {STUB_PREFIX}<worker>/<class>/<name>/<path> here"
        )
    stub = parse_stub(head.target.decode("latin-1"))
    if stub is None:
        return pages.reserved_path(path, "write <worker>/<class>/<name>/<path>")
    if stub.target.startswith("/cdn-cgi/"):
        return pages.reserved_path(path, "an object cannot be called under /cdn-cgi/; that is the gateway's own")
    return _call_object(head, edge, stub)


def _call_object(head: RequestHead, edge: Edge, stub: StubAddress) -> Dispatched:
    path = head.path
    worker = edge.table.workers.get(WorkerName(stub.worker))
    if worker is None or worker.plan is None:
        return pages.reserved_path(path, f"no deployed Worker is named {stub.worker!r}")
    if worker.natives is not None and stub.class_name in worker.natives.keys:
        return _native_object(head, worker, worker.natives, stub)
    if stub.class_name not in {binding.class_name for binding in worker.bindings}:
        return pages.reserved_path(path, f"Worker {worker.name} has no Durable Object class {stub.class_name!r}")
    key = ObjectKey(worker.name, stub.class_name, stub.name)
    return _decide(head, edge, _Found(worker, None), stub.target.encode("latin-1"), key)


def _native_object(
    head: RequestHead, worker: LiveWorker, natives: NativeObjects, stub: StubAddress
) -> Forward | Problem:
    """Send a request to the process that runs an object; should it move meanwhile, that process passes it on."""
    key = natives.keys[stub.class_name]
    try:
        name = stub.name.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError:
        return pages.reserved_path(head.path, "the name is no UTF-8")
    object_id = native_object_id(key, name)
    version_id = natives.owner(object_id)
    decision = RoutingDecision(version_id, Reason.DURABLE_OBJECT, point_of_object(object_id))
    told = json.dumps({"key": key, "name": name}).encode("ascii")
    return Forward(
        worker,
        natives.versions[version_id],
        decision,
        stub.target.encode("latin-1"),
        lines=b"\r\nX-Gateway-Object: " + told,
        native=ObjectKey(worker.name, stub.class_name, name),
    )


def _trace(head: RequestHead, edge: Edge) -> Dispatched:
    found = _find_worker(head, edge)
    if isinstance(found, Problem):
        return Trace(None)
    outcome = _decide(head, edge, found, head.target, None)
    return Trace(outcome if isinstance(outcome, Forward) else None)
