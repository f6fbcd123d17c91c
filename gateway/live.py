"""Catalog, configuration and running versions -> the table that the data plane routes by."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial

from gateway.control.catalog import Catalog
from gateway.model.deployment import DeploymentId
from gateway.model.version import VersionId, WorkerName
from gateway.model.worker_code import WorkerdRuntime
from gateway.moving import Facts
from gateway.observability.metrics import Recorder
from gateway.proxy.headers import DecisionHeaders
from gateway.proxy.routing_table import LiveVersion, LiveWorker, NativeObjects, RoutingTable
from gateway.proxy.server import DataPlane
from gateway.routing.percentages import split_of
from gateway.routing.plan import plan_for
from gateway.routing.routes import Route, RouteTable, parse_route
from gateway.routing.version_urls import LOCAL_DOMAIN, WORKERS_DEV, version_hosts
from gateway.runtime.runner import Runner
from gateway.runtime.workerd.config import VERSION_API_FLAG
from gateway.runtime.workerd.tables import OwnerTable
from gateway.runtime.workerd.version import WorkerdVersion
from gateway.settings import RoutingSettings, WorkerSettings

CF_LINE = b"\r\nX-Gateway-Cf: "


class LiveTables:
    """Builds routing tables.

    Args:
        runners: The versions that run, or should.
        request_cf: Members of ``request.cf``, the same for every request.
    """

    def __init__(
        self,
        catalog: Catalog,
        runners: Mapping[VersionId, Runner],
        data_plane: DataPlane,
        recorder: Recorder,
        facts: Facts,
        request_cf: Mapping[str, object],
    ) -> None:
        self._catalog = catalog
        self._runners = runners
        self._data_plane = data_plane
        self._recorder = recorder
        self._facts = facts
        self._cf_line = CF_LINE + json.dumps(request_cf).encode("ascii")

    def build(self, workers: Iterable[WorkerSettings], routing: RoutingSettings) -> RoutingTable:
        """Return the table for these Workers as everything is now."""
        workers = list(workers)
        live = {worker.name: self._worker(worker, routing) for worker in workers}
        hosts = {
            host: (worker.name, version_id)
            for worker in workers
            for host, version_id in self._hosts(worker.name)
            if version_id in live[worker.name].versions
        }
        routes = RouteTable(route for worker in workers for route in self._routes(worker))
        return RoutingTable(
            routes, live, {host: named for host, named in hosts.items() if not _is_worker(host, live)}
        )

    def _hosts(self, name: WorkerName) -> Iterable[tuple[str, VersionId]]:
        record = self._catalog.record(name)
        state = record.state
        domains = [LOCAL_DOMAIN]
        if state is None or state.previews_enabled:
            domains.append(WORKERS_DEV)
        return version_hosts(name, record.versions.values(), domains)

    def _routes(self, worker: WorkerSettings) -> Iterable[Route]:
        state = self._catalog.record(worker.name).state
        yield from worker.routes
        if state is None:
            return
        if state.subdomain_enabled:
            yield parse_route(worker.name, f"{worker.name}.{WORKERS_DEV}/*")
        for pattern in state.route_patterns:
            yield parse_route(worker.name, pattern)

    def _worker(self, worker: WorkerSettings, routing: RoutingSettings) -> LiveWorker:
        record = self._catalog.record(worker.name)
        active = record.active
        plan = None
        if active is not None:
            plan = plan_for(
                active,
                record.versions.values(),
                trust_cohort=routing.trust_client_cohort_header,
                key_per_worker=routing.key_per_worker,
            )
        runners = [runner for runner in self._runners.values() if runner.version.worker == worker.name]
        live = {runner.version.id: self._version(runner, active.id if active else None) for runner in runners}
        return LiveWorker(worker.name, plan, live, worker.bindings, self._natives(worker.name, runners, live))

    def _version(self, runner: Runner, deployment_id: DeploymentId | None) -> LiveVersion:
        version = runner.version
        headers = DecisionHeaders(version, deployment_id)
        metrics = self._recorder.metrics_of(version.id)
        pool = self._data_plane.pool_for(runner)
        if not isinstance(version.runtime, WorkerdRuntime):
            return LiveVersion(pool, headers, metrics)
        tells_version = VERSION_API_FLAG in version.runtime.compatibility_flags
        return LiveVersion(pool, headers, metrics, self._cf_line, on_workerd=True, tells_version=tells_version)

    def _natives(
        self, worker: WorkerName, runners: Iterable[Runner], live: Mapping[VersionId, LiveVersion]
    ) -> NativeObjects | None:
        record = self._catalog.record(worker)
        if record.state is None or not record.state.namespaces or record.active is None:
            return None
        sides = {
            runner.version.id: replace(
                live[runner.version.id],
                pool=self._data_plane.pool_for(runner.objects, "objects"),
                tells_version=False,
            )
            for runner in runners
            if isinstance(runner, WorkerdVersion)
        }
        if not record.active.version_ids <= sides.keys():
            return None
        keys = {one.class_name: one.unique_key for one in record.state.namespaces}
        fallback = OwnerTable(split_of(record.active.versions))
        return NativeObjects(keys, partial(_owner, self._facts, worker, fallback), sides)


def _owner(facts: Facts, worker: WorkerName, fallback: OwnerTable, object_id: bytes) -> VersionId:
    return (facts.owners(worker) or fallback).owner(object_id)


def _is_worker(host: str, live: Mapping[WorkerName, LiveWorker]) -> bool:
    """Tell whether a version URL's host is a Worker's own: an alias must not take it away."""
    return WorkerName(host.partition(".")[0]) in live
