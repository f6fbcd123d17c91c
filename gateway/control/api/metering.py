"""Figures by version: ``/metrics`` for scrapers, windows and series for people, and the health check."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST as TEXT_CONTENT_TYPE
from prometheus_client.exposition import generate_latest as text_format
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

from gateway.control.api.metering_views import Window, health_view, metrics_view, series_view
from gateway.control.api.queries import query_of
from gateway.control.catalog import Catalog, WorkerRecord
from gateway.errors import BadRequest, NoStableVersion
from gateway.model.version import Version, VersionId
from gateway.observability.exposition import Gauges, collect
from gateway.observability.health import compare
from gateway.observability.metrics import Recorder
from gateway.observability.process_meter import ProcessFigures
from gateway.observability.windows import WINDOWS
from gateway.runtime.runner import Upstream

DEPLOYMENT: Final = "deployment"
_WINDOWS: Final = tuple(map(str, WINDOWS))


@dataclass(frozen=True, slots=True)
class MeteringParts:
    """What figures stand on; built by ``assembly``.

    Args:
        upstreams: The versions that run, or should.
        in_flight, websockets: How many there are now, by version.
        processes: What the versions' processes use.
        clock: Seconds since the epoch.
    """

    recorder: Recorder
    catalog: Catalog
    upstreams: Mapping[VersionId, Upstream]
    in_flight: Callable[[], Mapping[VersionId, int]]
    websockets: Callable[[], Mapping[VersionId, int]]
    processes: Callable[[], Awaitable[Mapping[VersionId, ProcessFigures]]]
    clock: Callable[[], float]


def metering_routes(parts: MeteringParts) -> list[web.RouteDef]:
    """Return the routes."""
    metering = _Metering(parts)
    worker = "/api/workers/{worker}"
    return [
        web.get("/metrics", metering.exposition),
        web.get(f"{worker}/metrics", metering.metrics),
        web.get(f"{worker}/series", metering.series),
        web.get(f"{worker}/health", metering.health),
    ]


class _Metering:
    def __init__(self, parts: MeteringParts) -> None:
        self._parts = parts

    async def exposition(self, request: web.Request) -> web.Response:
        """``GET /metrics``: OpenMetrics, or the older text format for who asks for that alone."""
        records = self._parts.catalog.workers.values()
        versions = [version for record in records for version in record.versions.values()]
        gauges = await self._gauges()
        registry = _Collected(partial(collect, self._parts.recorder, versions, gauges))
        accept = request.headers.get("Accept", "")
        if "text/plain" in accept and "openmetrics" not in accept:
            return web.Response(body=text_format(registry), headers={"Content-Type": TEXT_CONTENT_TYPE})
        body = generate_latest(registry)  # type: ignore[no-untyped-call]
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def metrics(self, request: web.Request) -> web.Response:
        """``GET …/metrics``: one window."""
        query = query_of(request, ("window",))
        record = self._record(request)
        window = self._window(record, query.get("window", "60"), (*_WINDOWS, DEPLOYMENT))
        return _answer(metrics_view(record, window, await self._gauges()))

    async def series(self, request: web.Request) -> web.Response:
        """``GET …/series``: a window, slot by slot."""
        query = query_of(request, ("window",))
        record = self._record(request)
        window = self._window(record, query.get("window", "60"), _WINDOWS)
        return _answer(series_view(record, window))

    async def health(self, request: web.Request) -> web.Response:
        """``GET …/health``: whether a version may get more traffic."""
        query = query_of(request, ("window", "baseline", "candidate"))
        record = self._record(request)
        window = self._window(record, query.get("window", "300"), (*_WINDOWS, DEPLOYMENT))
        candidate = _candidate(record, query.get("candidate"), query.get("baseline"))
        baseline = _baseline(record, query.get("baseline"), candidate)
        shown = metrics_view(record, window, await self._gauges(), [baseline.id, candidate.id])
        found = compare(window.subject(record, baseline), window.subject(record, candidate))
        return _answer(health_view(found, shown, baseline.id, candidate.id))

    def _window(self, record: WorkerRecord, name: str, known: Iterable[str]) -> Window:
        if name not in known:
            raise BadRequest(f"'window' is {name!r}", remedy=f"Give one of: {', '.join(known)}.")
        recorder = self._parts.recorder
        recorder.fold()
        return Window(recorder, None if name == DEPLOYMENT else int(name), self._parts.clock(), record.active)

    async def _gauges(self) -> Gauges:
        parts = self._parts
        actives = [record.active for record in parts.catalog.workers.values() if record.active is not None]
        return Gauges(
            in_flight=parts.in_flight(),
            websockets=parts.websockets(),
            asked_percentages={
                share.version_id: share.percentage for active in actives for share in active.versions
            },
            processes=await parts.processes(),
            states={version_id: upstream.state.value for version_id, upstream in parts.upstreams.items()},
        )

    def _record(self, request: web.Request) -> WorkerRecord:
        return self._parts.catalog.find(request.match_info["worker"])


def _candidate(record: WorkerRecord, reference: str | None, baseline: str | None) -> Version:
    """Return the version in question: the newest of the active deployment, unless one is named."""
    if reference is not None:
        return record.find(reference)
    other = record.find(baseline).id if baseline is not None else None
    deployed = [record.versions[share.version_id] for share in record.active.versions] if record.active else []
    found = max((one for one in deployed if one.id != other), key=lambda one: one.number, default=None)
    if found is None:
        raise BadRequest(
            f"Worker {record.name} has no deployed version to ask about", remedy="Name one with candidate=."
        )
    return found


def _baseline(record: WorkerRecord, reference: str | None, candidate: Version) -> Version:
    """Return the version to compare with: the one that has most of the rest, or that had 100 % last (R95)."""
    if reference is not None:
        found = record.find(reference)
    else:
        shares = [
            one for one in (record.active.versions if record.active else ()) if one.version_id != candidate.id
        ]
        largest = max(shares, key=lambda share: share.percentage, default=None)
        try:
            found = record.versions[largest.version_id if largest is not None else record.stable_version()]
        except NoStableVersion:
            found = candidate
    if found.id == candidate.id:
        raise BadRequest(
            f"version {candidate.label} cannot be compared with itself",
            remedy="Name two versions: baseline=v1&candidate=v2.",
        )
    return found


class _Collected:
    """What prometheus-client's writer wants to be handed."""

    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self.collect = collect


def _answer(content: Mapping[str, object]) -> web.Response:
    return web.json_response(content, dumps=json.dumps)
