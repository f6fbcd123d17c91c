"""Cloudflare's API on a real store, served on a free port; versions run nowhere."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, FormData, web
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request

from gateway.control.api.guard import MAX_BODY_BYTES, guard
from gateway.control.catalog import Catalog
from gateway.control.cloudflare.analytics import AnalyticsParts
from gateway.control.cloudflare.app import cloudflare_routes
from gateway.control.cloudflare.parts import CloudflareParts
from gateway.control.deployments import Deployments
from gateway.control.logpush import LogpushJobs
from gateway.control.uploads import Uploads
from gateway.control.workers import Workers
from gateway.errors import GatewayError
from gateway.model.version import Version, WorkerName
from gateway.model.worker import Namespace
from gateway.observability.event_bus import EventBus
from gateway.observability.logpush.delivery import Deliverer
from gateway.observability.logpush.pusher import Pusher
from gateway.observability.logpush.source import InvocationSource
from gateway.observability.metrics import Recorder
from gateway.observability.tail import TailHub
from gateway.settings import RoutingSettings
from gateway.store.modules import ModuleStore
from gateway.store.sqlite import SqliteStore
from tests.control.parts import CLOCK, FakeObjects, FakePlane
from tests.model.examples import A, version

BASE = "/client/v4"
WORKERS = f"{BASE}/accounts/local/workers"
MAIN = "index.js"
CODE = b"export default { fetch() { return new Response('hi') } }"
SECRET = "hunter2-do-not-tell"
EDGE_PORT = 8787
FROM_FILE = version(A, tag="v1")

Json = dict[str, Any]
Client = TestClient[Request, Application]
Part = tuple[str, bytes, str]

JS = "application/javascript+module"


@dataclass
class FakeUploadPlane(FakePlane):
    """Notes what uploads ask of the running gateway; finds code good unless told otherwise."""

    checked: list[Version] = field(default_factory=list)
    namespaces: list[Sequence[Namespace]] = field(default_factory=list)
    code_trouble: GatewayError | None = None
    removed: list[WorkerName] = field(default_factory=list)

    async def check_code(self, version: Version, namespaces: Sequence[Namespace]) -> Sequence[str]:
        await asyncio.sleep(0)
        self.checked.append(version)
        self.namespaces.append(namespaces)
        if self.code_trouble is not None:
            raise self.code_trouble
        return ()

    async def remove_worker(self, name: WorkerName) -> None:
        self.removed.append(name)


@dataclass
class Api:
    """A client of the API, and what a test may look at behind it."""

    client: Client
    catalog: Catalog
    store: SqliteStore
    files: ModuleStore
    plane: FakeUploadPlane
    workers: Workers
    recorder: Recorder

    async def send(self, method: str, path: str, **given: Any) -> ClientResponse:
        """Send a request with a token; a path without a leading slash is one of Workers."""
        headers = {"Authorization": "Bearer x", **given.pop("headers", {})}
        url = path if path.startswith("/") else f"{WORKERS}/{path}"
        return await self.client.request(method, url, headers=headers, **given)

    async def ok(self, method: str, path: str, **given: Any) -> Any:
        """Return the result of a request that succeeds."""
        response = await self.send(method, path, **given)
        told = await response.json()
        assert response.status == 200, told
        assert (told["success"], told["errors"], told["messages"]) == (True, [], [])
        return told["result"]

    async def refused(self, method: str, path: str, **given: Any) -> Json:
        """Return the first error of a request that is refused, with its ``status``."""
        response = await self.send(method, path, **given)
        told = await response.json()
        assert (told["success"], told["result"], told["messages"]) == (False, None, []), told
        return {**told["errors"][0], "status": response.status, "all": told["errors"]}

    async def put(self, name: str = "shop", **metadata: Any) -> Json:
        """Deploy a Worker, as ``wrangler deploy`` does at first."""
        result: Json = await self.ok("PUT", f"scripts/{name}?bindings_inherit=strict", data=form(**metadata))
        return result

    async def upload(self, name: str = "shop", **metadata: Any) -> Json:
        """Upload a version, as ``wrangler versions upload`` does."""
        path = f"scripts/{name}/versions?bindings_inherit=strict"
        result: Json = await self.ok("POST", path, data=form(**metadata))
        return result

    async def deploy(self, *shares: tuple[str, float], name: str = "shop", **body: Any) -> Json:
        """Make a deployment."""
        result: Json = await self.ok("POST", f"scripts/{name}/deployments", json=deployment(*shares, **body))
        return result

    async def deployments(self, name: str = "shop") -> list[Json]:
        """List deployments."""
        found: list[Json] = (await self.ok("GET", f"scripts/{name}/deployments"))["deployments"]
        return found

    async def versions(self, name: str = "shop") -> list[Json]:
        """List versions."""
        found: list[Json] = (await self.ok("GET", f"scripts/{name}/versions"))["items"]
        return found


def deployment(*shares: tuple[str, float], **body: Any) -> Json:
    """Return the body of a new deployment."""
    versions = [{"version_id": version_id, "percentage": percentage} for version_id, percentage in shares]
    return {"strategy": "percentage", "versions": versions, **body}


def form(
    parts: Iterable[Part] = ((MAIN, CODE, JS),),
    *,
    metadata_last: bool = False,
    named_files: bool = False,
    **metadata: Any,
) -> FormData:
    """Return an upload form as wrangler makes it, or with ``metadata_last`` and ``named_files`` as the SDKs do."""
    data = FormData(quote_fields=False)
    text = json.dumps({"main_module": MAIN, "compatibility_date": "2026-01-01", **metadata})
    if not metadata_last:
        data.add_field("metadata", text)
    for name, content, content_type in parts:
        data.add_field("files" if named_files else name, content, filename=name, content_type=content_type)
    if metadata_last:
        data.add_field("metadata", text, content_type="application/json")
    return data


def settings_form(body: Mapping[str, Any]) -> FormData:
    """Return the form in which old wranglers change settings."""
    data = FormData(default_to_multipart=True)
    data.add_field("settings", json.dumps(body))
    return data


def secret(name: str, text: str = SECRET) -> Json:
    """Return a secret as the API takes it."""
    return {"name": name, "text": text, "type": "secret_text"}


@asynccontextmanager
async def cloudflare_api(folder: Path, *, settings: RoutingSettings | None = None) -> AsyncIterator[Api]:
    """Serve the API on an empty store."""
    store = SqliteStore(folder)
    plane, files = FakeUploadPlane(), ModuleStore(folder / "modules")
    catalog = Catalog(store.load_versions(), store.load_deployments(), store.load_workers())
    deployments = Deployments(
        store,
        FakeObjects(plane),
        plane,
        settings or RoutingSettings(),
        new_id=lambda _worker, _number: str(uuid.uuid4()),
        clock=lambda: CLOCK,
    )
    workers = Workers(catalog, store, plane, from_file=lambda name: name == "from-file", clock=lambda: CLOCK)
    uploads = Uploads(
        workers,
        deployments,
        store,
        plane,
        new_id=lambda _worker, _number: str(uuid.uuid4()),
        clock=lambda: CLOCK,
    )
    recorder = Recorder(lambda: CLOCK)
    parts = CloudflareParts(
        workers,
        uploads,
        deployments,
        files,
        lambda: EDGE_PORT,
        analytics=AnalyticsParts(
            recorder, catalog, lambda record: workers.state_of(record).tag, "LCL", lambda: CLOCK
        ),
        logpush=LogpushJobs(store, idle_pusher(store, folder), folder / "logpush"),
    )
    app = web.Application(middlewares=[guard(())], client_max_size=MAX_BODY_BYTES)
    app.add_routes(cloudflare_routes(parts))
    try:
        async with TestClient(TestServer(app)) as client:
            yield Api(client, catalog, store, files, plane, workers, recorder)
    finally:
        await store.close()


def idle_pusher(store: SqliteStore, folder: Path) -> Pusher:
    """Return a pusher that knows its jobs and never has its turn."""

    def never(_seconds: float, _call: object) -> None:
        """Nothing happens later."""

    bus = EventBus(later=never)
    source = InvocationSource(
        bus,
        TailHub(bus, draw=lambda: 0.0, clock=lambda: CLOCK, later=never),
        pushed=dict,
        version_of=lambda _id: None,
        tags_of=lambda _worker: (),
        clock=lambda: CLOCK,
    )
    return Pusher(
        source,
        Deliverer(),
        own_folder=folder / "logpush",
        save=store.save_logpush_job,
        draw=lambda: 0.0,
        clock=lambda: CLOCK,
    )
