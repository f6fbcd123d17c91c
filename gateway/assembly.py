"""The one place that builds the parts and joins them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import structlog
from aiohttp import web

from gateway.config_file import load_settings
from gateway.control.api.server import ApiParts, GatewayStatus, WorkerStatus, make_app
from gateway.control.catalog import Catalog, WorkerRecord
from gateway.control.deployments import Deployments, WantedShare
from gateway.control.explaining import Explainer
from gateway.errors import GatewayError
from gateway.model.deployment import Deployment
from gateway.model.durable_object import ObjectReset
from gateway.model.version import Version, VersionId, WorkerName
from gateway.observability.logging import set_up_logging
from gateway.observability.metrics import Recorder, collect
from gateway.proxy.edge import Edge
from gateway.proxy.headers import DecisionHeaders
from gateway.proxy.routing_table import LiveVersion, LiveWorker, RoutingTable
from gateway.proxy.server import DataPlane
from gateway.routing.overrides import can_be_overridden
from gateway.routing.plan import plan_for
from gateway.routing.routes import RouteTable
from gateway.runtime.reset_notice import tell_reset
from gateway.runtime.runner import VersionState
from gateway.runtime.supervisor import Supervisor
from gateway.settings import Address, Settings, WorkerSettings
from gateway.store.objects import ObjectTable
from gateway.store.sqlite import SqliteStore

log = structlog.get_logger("gateway")

GC_ALLOCATIONS: Final = 20_000
CONFIG_POLL_SECONDS: Final = 0.3
FileStamp = tuple[int, int]
"""When a file was changed last, and which file it is: editors replace it."""

RETIRE_SECONDS: Final = 30.0
"""R58: in-flight requests of a version that leaves may finish for up to 30 seconds."""


class Gateway:
    """A running edge: data plane, control plane, versions and state.

    Args:
        file_stamp: Of the configuration file, from before it was read: an edit since then is applied.

    Raises:
        StateInUse, StateUnavailable: The state folder cannot be had.
    """

    def __init__(self, settings: Settings, file_stamp: FileStamp | None = None) -> None:
        self.settings = settings
        self._file_stamp = file_stamp
        self._workers = {worker.name: worker for worker in settings.workers}
        self._store = SqliteStore(settings.state)
        self.catalog = Catalog(self._store.load_versions(), self._store.load_deployments())
        self.objects = ObjectTable(self._store)
        self.recorder = Recorder()
        self.supervisor = Supervisor(folder=Path.cwd(), on_line=_log_line)
        self.edge = Edge(settings.proxy, self.recorder, self.objects, self._tell_reset, seed=settings.seed)
        self.data_plane = DataPlane(self.edge)
        self.deployments = Deployments(
            self._store,
            self.objects,
            self,
            settings.routing,
            new_id=_id_source(settings.seed),
            clock=time.time,
        )
        self._explainer = Explainer(lambda: self.edge.table, self.objects.peek, settings.seed)
        self._site: web.AppRunner | None = None
        self._applying = asyncio.Lock()
        self.address = Address("", 0)
        self.control_address = Address("", 0)

    @property
    def url(self) -> str:
        """Base URL of the data plane."""
        return f"http://{_shown(self.address)}"

    @property
    def control_url(self) -> str:
        """Base URL of the control plane."""
        return f"http://{_shown(self.control_address)}"

    async def start(self) -> None:
        """Listen, run what the configuration says, and serve.

        Raises:
            OSError: An address cannot be had. GatewayError: The configuration or the state cannot be used.
        """
        self.address = await self.data_plane.bind(self.settings.listen)
        self.supervisor.gateway_url = self.url
        await self._start_control()
        await self._apply(self.settings)
        await self.data_plane.serve()
        self.edge.spawn(self.objects.keep_flushing())
        if self.settings.path is not None:
            self.edge.spawn(self._watch(self.settings.path))
        self._write_run_file()
        # What was built until now stays: the collector need not walk it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_ALLOCATIONS)

    async def close(self) -> None:
        """Drain, end all versions, and let go of the state."""
        with contextlib.suppress(OSError):
            self._run_file.unlink(missing_ok=True)
        await self.data_plane.drain()
        if self._site is not None:
            await self._site.cleanup()
        try:
            await self.objects.flush()
        except GatewayError as error:
            log.error("objects.not_written", error=error.message)
        await self.supervisor.close()
        await self._store.close()

    async def _start_control(self) -> None:
        parts = ApiParts(
            catalog=self.catalog,
            deployments=self.deployments,
            explainer=self._explainer,
            objects=self.objects,
            upstreams=self.supervisor.runners,
            status=self._status,
            metrics=self._metrics,
            clock=time.time,
            after_pin=lambda worker: self.edge.spawn(self._reset_open_objects(worker)),
            allowed_hosts=self.settings.control.hosts,
        )
        self._site = web.AppRunner(make_app(parts), access_log=None)
        await self._site.setup()
        listen = self.settings.control.listen
        site = web.TCPSite(self._site, listen.host, listen.port)
        await site.start()
        self.control_address = Address(*self._site.addresses[0][:2])

    # The configuration.

    async def apply(self, settings: Settings) -> None:
        """Apply a changed configuration without losing a request.

        Raises:
            GatewayError: What cannot be applied; what was in force before goes on.
        """
        for name in ("listen", "control", "state", "seed", "proxy", "log_level"):
            if getattr(settings, name) != getattr(self.settings, name):
                log.warning("config.needs_restart", key=f"gateway.{name}")
        await self._apply(settings)
        log.info("config.applied", file=str(settings.path))

    async def _apply(self, settings: Settings) -> None:
        async with self._applying:
            for worker in settings.workers:
                await self._add_new_versions(worker)
            self.settings = settings
            self.deployments.settings = settings.routing
            self._workers = {worker.name: worker for worker in settings.workers}
            for worker in settings.workers:
                self._set_up_objects(worker)
            self.supervisor.ensure(self._wanted_versions())
            self.refresh()
            for worker in settings.workers:
                await self._deploy_from_file(worker)
            self.edge.spawn(self._retire_unneeded())

    async def _add_new_versions(self, worker: WorkerSettings) -> None:
        record = self.catalog.record(worker.name)
        first = len(record.versions) + 1
        defined = [definition for definition in worker.versions if definition.id not in record.versions]
        now = datetime.now(UTC)
        versions = [
            Version(new.id, worker.name, number, new.runtime, now, new.tag, new.message)
            for number, new in enumerate(defined, first)
        ]
        for definition in worker.versions:
            known = record.versions.get(definition.id)
            if known is not None and known.runtime != definition.runtime:
                raise GatewayError(
                    f"version {definition.id} ({definition.tag}) of {worker.name} has another definition already",
                    remedy="A version never changes (R1): give it a new id, or leave the id out.",
                )
        if versions:
            await self._store.add_versions(versions)
            record.versions.update((version.id, version) for version in versions)
        if not can_be_overridden(worker.name):
            log.warning("worker.cannot_be_overridden", worker=worker.name, rule="R33")

    def _set_up_objects(self, worker: WorkerSettings) -> None:
        record = self.catalog.record(worker.name)
        fresh = worker.name not in self.objects.workers
        self.objects.set_worker(
            worker.name, worker.assignment, {binding.class_name for binding in worker.bindings}
        )
        self.objects.add_versions(worker.name, record.versions.values())
        if fresh:
            for deployment in record.deployments:
                self.objects.activate(deployment)

    async def _deploy_from_file(self, worker: WorkerSettings) -> None:
        """Apply the file's deployment when it changed since it was applied last; else stored state wins."""
        if not worker.deployment:
            return
        key = f"file-deployment:{worker.name}"
        now = json.dumps([[share.version_id, share.percentage] for share in worker.deployment])
        if await self._store.note(key) == now:
            return
        created = await self.deployments.create(
            self.catalog.record(worker.name),
            [WantedShare(share.version_id, share.percentage) for share in worker.deployment],
            code_update=worker.code_update,
            source="config",
            triggered_by="config",
            notes=[(key, now)],
        )
        for warning in created.warnings:
            log.warning("deployment.warning", worker=worker.name, warning=warning)

    async def _watch(self, path: Path) -> None:
        """Apply the file whenever it changes; a file with a mistake changes nothing and is told."""
        seen = self._file_stamp
        while True:
            await asyncio.sleep(CONFIG_POLL_SECONDS)
            stamp = _stamp(path)
            if stamp in (seen, None):
                continue
            seen = stamp
            try:
                settings = await asyncio.to_thread(load_settings, path)
                await self.apply(replace(settings, **_given_on_command_line(self.settings)))
            except GatewayError as error:
                log.error("config.not_applied", error=error.message, remedy=error.remedy)

    # What a deployment needs of us (control.deployments.Plane).

    async def prepare(self, versions: Iterable[Version]) -> Sequence[str]:
        """Get versions running; return what the user should know of those that do not."""
        versions = list(versions)
        self.supervisor.ensure(versions)
        self.refresh()
        if not self.data_plane.serving:
            return ()  # at start nothing waits: requests wait for their version instead
        await self.supervisor.settle([version.id for version in versions], self.settings.proxy.start_seconds)
        runners = self.supervisor.runners
        return [
            f"Version {version.label} does not run: {runners[version.id].trouble or 'it is still starting'}."
            for version in versions
            if runners[version.id].state is not VersionState.RUNNING
        ]

    def refresh(self) -> None:
        """Route by the catalog as it is now; built anew and swapped whole."""
        workers = {worker.name: self._live_worker(worker) for worker in self._workers.values()}
        routes = RouteTable(route for worker in self._workers.values() for route in worker.routes)
        self.data_plane.use(RoutingTable(routes, workers))

    def _live_worker(self, worker: WorkerSettings) -> LiveWorker:
        record = self.catalog.record(worker.name)
        active, routing = record.active, self.settings.routing
        runners = {
            version_id: runner
            for version_id, runner in self.supervisor.runners.items()
            if runner.version.worker == worker.name
        }
        self.objects.set_runnable(worker.name, frozenset(runners))
        plan = None
        if active is not None:
            plan = plan_for(
                active,
                record.versions.values(),
                trust_cohort=routing.trust_client_cohort_header,
                key_per_worker=routing.key_per_worker,
            )
        live = {
            version_id: LiveVersion(
                self.data_plane.pool_for(runner),
                DecisionHeaders(runner.version, active.id if active else None),
                self.recorder.metrics_of(version_id),
            )
            for version_id, runner in runners.items()
        }
        prefixes = {runner.version.prefix: version_id for version_id, runner in runners.items()}
        return LiveWorker(worker.name, plan, live, prefixes, worker.bindings)

    def follow_up(self, deployment: Deployment) -> None:
        """Reset objects that moved and retire versions that nobody needs, in the background."""
        self.edge.spawn(self._reset_open_objects(deployment.worker))
        self.edge.spawn(self._retire_unneeded(deployment.code_update.max_delay_seconds))

    async def _reset_open_objects(self, worker: WorkerName) -> None:
        """Close the WebSockets of objects that moved (R57); other objects are judged when they are next used."""
        open_objects = {key for key in self.edge.tunnels.values() if key is not None and key.worker == worker}
        for key in sorted(open_objects):
            reset = self.objects.reset_if_moved(key, time.time())
            if reset is not None:
                await self.edge.tell_reset(reset).wait()

    async def _tell_reset(self, reset: ObjectReset) -> None:
        runner = self.supervisor.runners.get(reset.from_version)
        if runner is not None and runner.endpoint is not None:
            await tell_reset(runner.endpoint, reset)

    def _wanted_versions(self) -> list[Version]:
        """Return all versions that should run: those of the file, and those of the active deployments."""
        wanted: dict[VersionId, Version] = {}
        for worker in self._workers.values():
            record = self.catalog.record(worker.name)
            ids = [definition.id for definition in worker.versions]
            ids += sorted(record.active.version_ids) if record.active else []
            wanted.update((version_id, record.versions[version_id]) for version_id in ids)
        return list(wanted.values())

    async def _retire_unneeded(self, delay_seconds: float = 0.0) -> None:
        """End the versions that nobody needs any more, once their requests are answered.

        Args:
            delay_seconds: For so long objects whose update is deferred may still run on them (R60).
        """
        await asyncio.sleep(delay_seconds)
        needed = {version.id for version in self._wanted_versions()}
        leaving = [version_id for version_id in self.supervisor.runners if version_id not in needed]
        if not leaving:
            return
        await self.data_plane.idle(leaving, RETIRE_SECONDS)
        needed = {version.id for version in self._wanted_versions()}
        leaving = [version_id for version_id in leaving if version_id not in needed]
        ending = self.supervisor.release(leaving)
        self.refresh()
        self.data_plane.forget(leaving)
        await asyncio.gather(*(runner.stop() for runner in ending))

    # What is told of us.

    def _status(self) -> GatewayStatus:
        workers = tuple(
            WorkerStatus(worker.name, tuple(route.pattern for route in worker.routes), worker.assignment)
            for worker in self._workers.values()
        )
        path = self.settings.path
        return GatewayStatus(
            url=self.url,
            control=self.control_url,
            pid=os.getpid(),
            seed=self.settings.seed,
            state=str(self.settings.state.absolute()),
            config=str(path.absolute()) if path else None,
            port=self.address.port,
            workers=workers,
        )

    def _metrics(self) -> Iterable[Any]:
        versions = [version for record in self.catalog.workers.values() for version in record.versions.values()]
        return collect(self.recorder, versions)

    @property
    def _run_file(self) -> Path:
        return self.settings.state / "run.json"

    def _write_run_file(self) -> None:
        """Tell the other commands where we are, in one step, so that none reads half of it."""
        content = {"url": self.url, "control": self.control_url, "pid": os.getpid()}
        draft = self._run_file.with_suffix(".new")
        draft.write_text(json.dumps(content) + "\n", "utf-8")
        draft.replace(self._run_file)


def run(
    config: Path | None,
    *,
    port: int | None = None,
    control_port: int | None = None,
    state: Path | None = None,
    seed: int | None = None,
) -> int:
    """Run a gateway until Ctrl-C or SIGTERM, and return the exit code."""
    stamp = _stamp(config) if config else None
    try:
        settings = _with_overrides(
            load_settings(config) if config else Settings(), port, control_port, state, seed
        )
        set_up_logging(settings.log_level)
        _run_loop(_serve(settings, stamp))
    except GatewayError as error:
        print(f"gateway: {error.message}", file=sys.stderr)
        if error.remedy:
            print(f"  {error.remedy}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"gateway: cannot listen: {error}", file=sys.stderr)
        print("  Choose another port with --port N and --control-port N; 0 takes a free one.", file=sys.stderr)
        return 1
    return 0


async def _serve(settings: Settings, file_stamp: FileStamp | None) -> None:
    gateway = Gateway(settings, file_stamp)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    try:
        await gateway.start()
        print(welcome(gateway), flush=True)
        await stopping.wait()
        log.info("gateway.stopping")
    finally:
        await gateway.close()


def welcome(gateway: Gateway) -> str:
    """Return what ``gateway run`` prints once it serves."""
    lines = [f"edge     {gateway.url}", f"control  {gateway.control_url}"]
    for worker in gateway.settings.workers:
        record: WorkerRecord = gateway.catalog.record(worker.name)
        split = "nothing deployed"
        if record.active is not None:
            split = ", ".join(
                f"{record.versions[share.version_id].label} {share.percentage:g}%"
                for share in record.active.versions
            )
        lines.append(f"{worker.name:<8} http://{worker.name}.localhost:{gateway.address.port}/   {split}")
    return "\n".join(lines)


def _run_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop where it exists, else on the standard event loop."""
    try:
        import uvloop  # noqa: PLC0415 - it does not exist everywhere
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


def _with_overrides(
    settings: Settings, port: int | None, control_port: int | None, state: Path | None, seed: int | None
) -> Settings:
    """Return the settings with what the command line says instead."""
    if port is not None:
        settings = replace(settings, listen=replace(settings.listen, port=port))
    if control_port is not None:
        listen = replace(settings.control.listen, port=control_port)
        settings = replace(settings, control=replace(settings.control, listen=listen))
    if state is not None:
        settings = replace(settings, state=state)
    return replace(settings, seed=seed) if seed is not None else settings


def _given_on_command_line(settings: Settings) -> dict[str, Any]:
    """Return what a reload keeps: the command line may have said it, and it cannot change while running."""
    names = ("listen", "control", "state", "seed")
    return {name: getattr(settings, name) for name in names}


def _id_source(seed: int | None) -> Callable[[WorkerName, int], str]:
    """Return a maker of deployment ids from Worker and number, reproducible with a seed (design 4)."""
    if seed is None:
        return lambda _worker, _number: str(uuid.uuid4())
    return lambda worker, number: str(uuid.uuid5(uuid.NAMESPACE_OID, f"deployment {seed} {worker} {number}"))


def _log_line(version: Version, line: str) -> None:
    log.info("version.output", worker=version.worker, version=version.label, line=line)


def _stamp(path: Path) -> FileStamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def _shown(address: Address) -> str:
    return f"[{address.host}]:{address.port}" if ":" in address.host else f"{address.host}:{address.port}"
