"""Routes of the gateway's own API; each handler reads a request, asks the core, and shows the answer."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Any, Final

from aiohttp import web

from gateway.control.api import views
from gateway.control.api.bodies import header_pairs, integer, text_of
from gateway.control.api.guard import MAX_BODY_BYTES, guard, json_body
from gateway.control.api.pages import Dashboard
from gateway.control.api.trying import try_routes
from gateway.control.catalog import Catalog, WorkerRecord
from gateway.control.deployments import Deployments, WantedShare
from gateway.control.explaining import Explainer
from gateway.errors import BadRequest
from gateway.model.deployment import CodeUpdate
from gateway.model.durable_object import AssignmentRule, ObjectKey
from gateway.model.version import VersionId, WorkerName
from gateway.runtime.runner import Upstream
from gateway.store.objects import ObjectTable
from gateway.store.store import ObjectView

MAX_EXPLAIN_COUNT: Final = 100_000
MAX_PAGE: Final = 1000
DEFAULT_PAGE: Final = 50
_MOST: Final = 1e9


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """What the configuration says of a Worker."""

    name: WorkerName
    routes: tuple[str, ...]
    assignment: AssignmentRule


@dataclass(frozen=True, slots=True)
class GatewayStatus:
    """What the running gateway says of itself.

    Args:
        faults: Names of those that are made on purpose.
    """

    url: str
    control: str
    pid: int
    seed: int | None
    state: str
    config: str | None
    port: int
    workers: tuple[WorkerStatus, ...]
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApiParts:
    """What the API stands on; built by ``assembly``."""

    catalog: Catalog
    deployments: Deployments
    explainer: Explainer
    objects: ObjectTable
    upstreams: Mapping[VersionId, Upstream]
    status: Callable[[], GatewayStatus]
    clock: Callable[[], float]
    after_pin: Callable[[WorkerName], None]
    learn_objects: Callable[[WorkerName], Awaitable[None]]
    storage_bytes: Callable[[WorkerName, ObjectView], Awaitable[int | None]]
    allowed_hosts: tuple[str, ...] = ()


def make_app(parts: ApiParts, more: Iterable[web.RouteDef] = ()) -> web.Application:
    """Return the control plane's web application.

    Args:
        more: Routes of the other parts of the control plane, behind the same guard.
    """
    app = web.Application(middlewares=[guard(parts.allowed_hosts)], client_max_size=MAX_BODY_BYTES)
    api = _Api(parts)
    worker = "/api/workers/{worker}"
    app.add_routes(
        [
            *Dashboard().routes(),
            web.get("/api/openapi.yaml", api.openapi),
            web.get("/api/status", api.status),
            web.post("/api/explain", api.explain),
            *try_routes(parts.catalog, lambda: parts.status().url),
            web.get(f"{worker}/versions", api.versions),
            web.get(f"{worker}/versions/{{version}}", api.version),
            web.get(f"{worker}/deployments", api.list_deployments),
            web.post(f"{worker}/deployments", api.deploy),
            web.get(f"{worker}/deployments/{{deployment}}", api.deployment),
            web.post(f"{worker}/rollback", api.rollback),
            web.get(f"{worker}/objects", api.list_objects),
            web.get(f"{worker}/objects/diff", api.diff),
            web.get(f"{worker}/objects/{{class}}/{{object}}", api.object),
            web.put(f"{worker}/objects/{{class}}/{{object}}/pin", api.pin),
            web.delete(f"{worker}/objects/{{class}}/{{object}}/pin", api.unpin),
            *more,
        ]
    )
    return app


class _Api:
    def __init__(self, parts: ApiParts) -> None:
        self._parts = parts

    # The gateway.

    async def openapi(self, _request: web.Request) -> web.Response:
        document = files("gateway.control").joinpath("openapi.yaml").read_text("utf-8")
        return web.Response(text=document, content_type="application/yaml")

    async def status(self, _request: web.Request) -> web.Response:
        status = self._parts.status()
        return _answer(
            {
                "url": status.url,
                "control": status.control,
                "pid": status.pid,
                "seed": status.seed,
                "state": status.state,
                "config": status.config,
                "workers": [self._worker_view(worker, status.port) for worker in status.workers],
                "faults": list(status.faults),
            }
        )

    def _worker_view(self, worker: WorkerStatus, port: int) -> views.Json:
        record = self._parts.catalog.record(worker.name)
        return {
            "name": worker.name,
            "routes": list(worker.routes),
            "url": f"http://{worker.name}.localhost:{port}",
            "active": views.deployment_view(record, record.active) if record.active else None,
            "versions": self._versions_view(record),
            "classes": list(self._parts.objects.class_names(worker.name)),
            "assignment": worker.assignment,
        }

    async def explain(self, request: web.Request) -> web.Response:
        body = await json_body(request, ("url", "method", "headers", "count"))
        url = text_of(body, "url")
        count = integer(body.get("count", 1), "count", 1, MAX_EXPLAIN_COUNT)
        explained = self._parts.explainer.explain(url, header_pairs(body.get("headers", [])), count)
        record = self._parts.catalog.record(explained.worker) if explained.worker else None
        upstream = self._parts.upstreams.get(explained.decision.version_id) if explained.decision else None
        return _answer(views.explained_view(record, explained, upstream.state if upstream else "stopped"))

    # Versions and deployments.

    async def versions(self, request: web.Request) -> web.Response:
        return _answer({"versions": self._versions_view(self._record(request))})

    async def version(self, request: web.Request) -> web.Response:
        record = self._record(request)
        version = record.find(request.match_info["version"])
        upstream = self._parts.upstreams.get(version.id)
        return _answer(views.version_view(record, version, upstream, self._parts.status().port))

    async def list_deployments(self, request: web.Request) -> web.Response:
        record = self._record(request)
        newest_first = reversed(record.deployments)
        return _answer({"deployments": [views.deployment_view(record, deployment) for deployment in newest_first]})

    async def deployment(self, request: web.Request) -> web.Response:
        record = self._record(request)
        return _answer(views.deployment_view(record, record.find_deployment(request.match_info["deployment"])))

    async def deploy(self, request: web.Request) -> web.Response:
        record = self._record(request)
        body = await json_body(request, ("versions", "message", "cohorts", "code_update", "dry_run"))
        dry_run = body.get("dry_run", False)
        if not isinstance(dry_run, bool):
            raise BadRequest(f"'dry_run' is {dry_run!r}", remedy="Send true or false.")
        created = await self._parts.deployments.create(
            record,
            _wanted(body.get("versions")),
            message=text_of(body, "message", ""),
            cohorts=_cohorts(body.get("cohorts", {})),
            code_update=_code_update(body.get("code_update")),
            dry_run=dry_run,
        )
        return _answer(views.created_view(record, created, dry_run=dry_run))

    async def rollback(self, request: web.Request) -> web.Response:
        record = self._record(request)
        body = await json_body(request, ("version", "message"))
        reference = text_of(body, "version") if "version" in body else None
        created = await self._parts.deployments.rollback(record, reference, text_of(body, "message", ""))
        return _answer(views.created_view(record, created, dry_run=False))

    # Durable Objects.

    async def list_objects(self, request: web.Request) -> web.Response:
        record, query = self._record(request), request.query
        name = self._class_name(record, query.get("class"))
        await self._parts.learn_objects(record.name)
        search, after = query.get("search", ""), _hex(query.get("after", ""))
        limit = integer(query.get("limit", DEFAULT_PAGE), "limit", 1, MAX_PAGE)
        objects = self._parts.objects
        page, total = await objects.page(
            record.name, name, search=search, after=after, limit=limit, now=self._parts.clock()
        )
        shown = [await self._shown(record, view) for view in page]
        if "deployment" in query:
            number = integer(query["deployment"], "deployment", 1)
            then = await objects.table_at(record.name, name, number, search=search, after=after, limit=limit)
            shown = [
                {
                    "class": name,
                    "id": row.id.hex(),
                    "name": row.name,
                    "assigned": version_id,
                    "assigned_tag": views.tag_of(record, version_id),
                }
                for row, version_id in then
            ]
        following = page[-1].id if len(page) == limit else None
        return _answer({"objects": shown, "total": total, "next": following})

    async def diff(self, request: web.Request) -> web.Response:
        record, query = self._record(request), request.query
        name = self._class_name(record, query.get("class"))
        await self._parts.learn_objects(record.name)
        before = integer(query.get("from"), "from", 1)
        after = integer(query.get("to"), "to", 1)
        limit = integer(query.get("limit", DEFAULT_PAGE), "limit", 1, MAX_PAGE)
        changes, total = await self._parts.objects.diff(record.name, name, before, after, limit=limit)
        return _answer({"changes": [views.change_view(record, change) for change in changes], "total": total})

    async def object(self, request: web.Request) -> web.Response:
        record, name = self._record(request), request.match_info["class"]
        objects = self._parts.objects
        await self._parts.learn_objects(record.name)
        id_ = objects.find_id(record.name, name, request.match_info["object"])
        view, history = await objects.show(record.name, name, id_, self._parts.clock())
        return _answer(
            {
                "object": await self._shown(record, view),
                "history": [views.event_view(record, event) for event in history],
            }
        )

    async def pin(self, request: web.Request) -> web.Response:
        record = self._record(request)
        body = await json_body(request, ("version",))
        version = record.find(text_of(body, "version"))
        key = await self._key(record, request)
        view = await self._parts.objects.pin(key, version.id, self._parts.clock())
        self._parts.after_pin(record.name)
        return _answer(await self._shown(record, view))

    async def unpin(self, request: web.Request) -> web.Response:
        record = self._record(request)
        view = await self._parts.objects.unpin(await self._key(record, request), self._parts.clock())
        self._parts.after_pin(record.name)
        return _answer(await self._shown(record, view))

    # Shared.

    async def _shown(self, record: WorkerRecord, view: ObjectView) -> views.Json:
        return {
            **views.object_view(record, view),
            "storage_bytes": await self._parts.storage_bytes(record.name, view),
        }

    def _record(self, request: web.Request) -> WorkerRecord:
        return self._parts.catalog.find(request.match_info["worker"])

    def _versions_view(self, record: WorkerRecord) -> list[views.Json]:
        show = partial(views.version_view, record, port=self._parts.status().port)
        newest_first = reversed(record.versions.values())
        return [show(version, self._parts.upstreams.get(version.id)) for version in newest_first]

    def _class_name(self, record: WorkerRecord, name: str | None) -> str:
        if name:
            return name
        names = self._parts.objects.class_names(record.name)
        if len(names) == 1:
            return names[0]
        raise BadRequest(
            f"Worker {record.name} has {len(names)} Durable Object classes ({', '.join(names) or 'none'})",
            remedy="Name one with class=.",
        )

    async def _key(self, record: WorkerRecord, request: web.Request) -> ObjectKey:
        name, reference = request.match_info["class"], request.match_info["object"]
        id_ = self._parts.objects.find_id(record.name, name, reference)
        if id_.hex() != reference.lower():
            return ObjectKey(record.name, name, reference, id_)
        view, _ = await self._parts.objects.show(record.name, name, id_, self._parts.clock())
        return ObjectKey(record.name, name, view.name or "", id_)


def _answer(content: views.Json) -> web.Response:
    return web.json_response(content, dumps=partial(json.dumps, ensure_ascii=True))


def _hex(value: str) -> str:
    try:
        bytes.fromhex(value)
    except ValueError:
        raise BadRequest(f"'after' is {value!r}", remedy="Give `next` of the page before.") from None
    return value


def _wanted(value: object) -> list[WantedShare]:
    if not isinstance(value, list) or not value:
        raise BadRequest("'versions' is no list", remedy='Send [{"version": "v1", "percentage": 90}, ...].')
    return [_wanted_share(item) for item in value]


def _wanted_share(item: object) -> WantedShare:
    if not isinstance(item, dict) or not set(item) <= {"version", "percentage"}:
        raise BadRequest(
            f"{item!r} is no version with a percentage", remedy='Send {"version": "v1", "percentage": 90}.'
        )
    return WantedShare(text_of(item, "version"), _number(item["percentage"]) if "percentage" in item else None)


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > _MOST:
        raise BadRequest(f"{value!r} is not a number that means something here", remedy="Give a smaller number.")
    return value


def _cohorts(value: object) -> dict[str, dict[str, float]]:
    if isinstance(value, dict) and all(isinstance(shares, dict) for shares in value.values()):
        return {name: {ref: _number(share) for ref, share in shares.items()} for name, shares in value.items()}
    raise BadRequest("'cohorts' is no mapping", remedy='Send {"team": {"v2": 100}}.')


def _code_update(value: object) -> CodeUpdate | None:
    if value is None:
        return None
    if isinstance(value, dict) and set(value) <= {"mode", "max_delay_seconds"}:
        mode = value.get("mode")
        if mode in ("immediate", "deferred"):
            return CodeUpdate(mode, _number(value.get("max_delay_seconds", 300.0 if mode == "deferred" else 0.0)))
    raise BadRequest(
        "'code_update' is not understood", remedy='Send {"mode": "deferred", "max_delay_seconds": 300}.'
    )
