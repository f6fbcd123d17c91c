"""The one place that builds the parts and joins them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

import structlog
from aiohttp import web

from gateway.binding_calls import version_for_call
from gateway.config_watch import FileStamp, follow
from gateway.configured import ConfiguredWorkers
from gateway.control.api.crons import cron_routes
from gateway.control.api.events import ListeningParts, event_routes
from gateway.control.api.faults import fault_routes
from gateway.control.api.metering import MeteringParts, metering_routes
from gateway.control.api.scenarios import scenario_routes
from gateway.control.api.server import ApiParts, GatewayStatus, WorkerStatus, make_app
from gateway.control.api.skew import SkewParts, skew_routes
from gateway.control.catalog import Catalog
from gateway.control.cloudflare.analytics import AnalyticsParts
from gateway.control.cloudflare.app import cloudflare_routes
from gateway.control.cloudflare.parts import CloudflareParts
from gateway.control.cloudflare.tails import TailParts
from gateway.control.deployments import Deployments
from gateway.control.explaining import Explainer
from gateway.control.faults import Faults
from gateway.control.logpush import LogpushJobs, pushed_workers
from gateway.control.scheduler import Scheduler
from gateway.control.uploads import Uploads
from gateway.control.workers import Workers
from gateway.deeds import FaultDeeds
from gateway.errors import GatewayError
from gateway.live import LiveTables
from gateway.model.version import Version, WorkerName
from gateway.model.worker_code import WorkerdRuntime
from gateway.moving import Facts, ObjectMoves
from gateway.observability.logpush.delivery import Deliverer
from gateway.observability.logpush.pusher import Pusher
from gateway.observability.logpush.source import InvocationSource
from gateway.observability.traces import SourceMaps, TraceIntake
from gateway.observing import Observing
from gateway.plane import RunningPlane
from gateway.proxy.dispatch import dispatch
from gateway.proxy.edge import Edge
from gateway.proxy.faulty import FaultyDispatch
from gateway.proxy.server import DataPlane
from gateway.runtime.processes import Processes
from gateway.runtime.supervisor import Supervisor
from gateway.runtime.workerd.binary import WorkerdBinary, find_workerd
from gateway.runtime.workerd.fleet import Fleet
from gateway.runtime.workerd.intake import Intake
from gateway.settings import Address, Settings
from gateway.skew.reading import deployment_known
from gateway.skew.watching import SkewWatch
from gateway.sources import Sources
from gateway.staging.scenarios import Scenarios, StageParts
from gateway.store.modules import ModuleStore
from gateway.store.objects import ObjectTable
from gateway.store.sqlite import SqliteStore

log = structlog.get_logger("gateway")


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
        self._store = SqliteStore(settings.state)
        self.catalog = Catalog(
            self._store.load_versions(), self._store.load_deployments(), self._store.load_workers()
        )
        self.modules = ModuleStore(settings.state / "modules")
        self.sources = Sources(self.modules, Path.cwd(), os.environ, time.time)
        self.objects = ObjectTable(self._store)
        draws = random.Random(settings.seed)  # noqa: S311 - traffic shares and samples, no secrets
        self.observing = Observing(
            self.catalog,
            draw=draws.random,
            spawn=lambda work: self.edge.spawn(work),  # noqa: PLW0108 - there is no edge yet
            listen=self._listen_to,
        )
        self.faults = Faults(_draws_of_faults(settings.seed), self._follow_faults)
        processes = Processes()
        self.facts = Facts(self.catalog)
        self.fleet = Fleet(
            settings.state,
            self.facts,
            processes,
            find=partial(_find_workerd, settings),
            content=lambda module: self.modules.path_of(module.sha256).absolute(),
            on_line=self.observing.line_printed,
            seed=settings.seed,
        )
        self.supervisor = Supervisor(
            processes,
            self.fleet,
            folder=Path.cwd(),
            on_line=self.observing.line_printed,
            on_state=self.observing.state_changed,
        )
        self.moves = ObjectMoves(
            self.fleet,
            self.facts,
            self.catalog,
            self.objects,
            self._store,
            fault=_end_at(os.environ),
            on_moved=self.observing.moved,
        )
        self.plane = RunningPlane(
            settings,
            self.catalog,
            self.objects,
            self.facts,
            self.fleet,
            self.supervisor,
            self.moves,
            self.observing.deployed,
            lambda: self.faults.propagation_seconds,
        )
        self.edge = Edge(
            settings.proxy,
            self.observing.recorder,
            self.observing.bus,
            self.objects,
            self.plane.tell_version,
            seed=settings.seed,
        )
        deeds = FaultDeeds(
            self.supervisor,
            self.fleet,
            self.facts,
            self.moves,
            self.objects,
            self.edge,
            self.observing.moved,
        )
        self._faulty = FaultyDispatch(self.faults, deeds)
        self.data_plane = DataPlane(self.edge)
        request_cf = {"country": settings.proxy.country, "colo": settings.proxy.colo, **settings.cf}
        tables = LiveTables(
            self.catalog, self.supervisor.runners, self.data_plane, self.observing.recorder, self.facts, request_cf
        )
        self.plane.attach(self.edge, self.data_plane, tables)
        self.deployments = Deployments(
            self._store,
            self.objects,
            self.plane,
            settings.routing,
            new_id=_id_source("deployment", settings.seed),
            clock=time.time,
        )
        self.workers = Workers(
            self.catalog, self._store, self.plane, from_file=self.plane.is_from_file, clock=time.time
        )
        self._configured = ConfiguredWorkers(self.catalog, self._store, self.workers, self.deployments)
        self.uploads = Uploads(
            self.workers,
            self.deployments,
            self._store,
            self.plane,
            new_id=_id_source("version", settings.seed),
            clock=time.time,
        )
        self.scheduler = Scheduler(
            self.catalog, self._fire, clock=time.time, sleep=asyncio.sleep, draw=draws.random
        )
        self._traces = TraceIntake(
            self.observing.tails,
            self.observing.bus,
            SourceMaps(self.modules.read),
            version_of=self.catalog.version,
            tags_of=self.observing.tags_of,
            clock=time.time,
        )
        self._intake = Intake(self._traces.take, partial(version_for_call, self.edge, self.faults))
        self._pusher = self._make_pusher(draws.random)
        self._skew = SkewWatch(
            self.observing.bus,
            lambda worker: self.settings.skew_rules(worker),  # noqa: PLW0108 - settings change
            later=lambda seconds, call: asyncio.get_running_loop().call_later(seconds, call),
            clock=time.time,
        )
        self._explainer = Explainer(lambda: self.edge.table, self.objects.peek, settings.seed)
        self._scenarios = Scenarios(
            StageParts(
                catalog=self.catalog,
                deployments=self.deployments,
                faults=self.faults,
                bus=self.observing.bus,
                edge_address=lambda: self.address,
                reseed=self._reseed,
                rules_of=lambda worker: self.settings.skew_rules(worker),  # noqa: PLW0108 - settings change
                moves_told=self.observing.moves_told,
            )
        )
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
        self.fleet.edge_address = _shown(self.address)
        await self._intake.start(self.fleet.gateway_socket)
        self._pusher.load(self._store.load_logpush_jobs())
        await self._start_control()
        for worker in self.plane.all_workers():
            self.plane.set_up_objects(worker)
        await self.moves.reclaim()
        for worker in self.plane.all_workers():
            await self.moves.restore(worker.name)
        await self._apply(await self.sources.resolve(self.settings))
        # Versions on workerd call each other: none may answer before the others can.
        on_workerd = [one.id for one in self.plane.wanted_versions() if isinstance(one.runtime, WorkerdRuntime)]
        await self.supervisor.settle(on_workerd, self.settings.proxy.start_seconds)
        await self.data_plane.serve()
        self.edge.spawn(self.objects.keep_flushing())
        self.edge.spawn(self.moves.collect())
        self.edge.spawn(self.scheduler.run())
        self.edge.spawn(self.plane.let_idle_sleep())
        self.edge.spawn(self._pusher.run())
        if self.settings.path is not None:
            watching = follow(
                self.settings.path, self._file_stamp, self.sources, lambda: self.settings, self.apply
            )
            self.edge.spawn(watching)
        self._write_run_file()

    async def close(self) -> None:
        """Drain, end all versions, and let go of the state."""
        with contextlib.suppress(OSError):
            self._run_file.unlink(missing_ok=True)
        await self._scenarios.close()
        await self.data_plane.drain()
        await self._pusher.close()
        self.observing.close()
        if self._site is not None:
            await self._site.cleanup()
        try:
            await self.moves.collect_now()
            await self.objects.flush()
        except GatewayError as error:
            log.error("objects.not_written", error=error.message)
        await self.supervisor.close()
        await self._intake.close()
        self.fleet.close()
        await self._store.close()

    def _make_pusher(self, draw: Callable[[], float]) -> Pusher:
        source = InvocationSource(
            self.observing.bus,
            self.observing.tails,
            pushed=lambda: pushed_workers(self.catalog, self.plane.is_from_file),
            version_of=self.catalog.version,
            tags_of=self.observing.tags_of,
            clock=time.time,
        )
        return Pusher(
            source,
            Deliverer(),
            own_folder=self._logpush_folder,
            save=self._store.save_logpush_job,
            draw=draw,
            clock=time.time,
        )

    @property
    def _logpush_folder(self) -> Path:
        return self.settings.state.absolute() / "logpush"

    async def _start_control(self) -> None:
        parts = ApiParts(
            catalog=self.catalog,
            deployments=self.deployments,
            explainer=self._explainer,
            objects=self.objects,
            upstreams=self.supervisor.runners,
            status=self._status,
            clock=time.time,
            learn_objects=self.moves.collect_now,
            storage_bytes=self.plane.storage_bytes,
            after_pin=lambda worker: self.edge.spawn(self.plane.after_pin(worker)),
            allowed_hosts=self.settings.control.hosts,
        )
        crons = cron_routes(self.catalog, self.scheduler, time.time)
        cloudflare = CloudflareParts(
            workers=self.workers,
            uploads=self.uploads,
            deployments=self.deployments,
            files=self.modules,
            edge_port=lambda: self.address.port,
            tails=TailParts(self.observing.tails, self.catalog, lambda: self.control_url, time.time),
            analytics=AnalyticsParts(
                self.observing.recorder,
                self.catalog,
                lambda record: self.workers.state_of(record).tag,
                self.settings.proxy.colo,
                time.time,
            ),
            logpush=LogpushJobs(self._store, self._pusher, self._logpush_folder),
        )
        faults = fault_routes(self.faults, self.catalog)
        scenarios = scenario_routes(self._scenarios.play)
        more = [*crons, *faults, *self._observation_routes(), *scenarios, *cloudflare_routes(cloudflare)]
        self._site = web.AppRunner(make_app(parts, more), access_log=None)
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
                async with self.workers.lock(worker.name):
                    await self._configured.add_new_versions(worker)
            self.settings = settings
            self.deployments.settings = settings.routing
            self.plane.use_settings(settings)
            self.plane.refresh()
            for worker in settings.workers:
                await self._configured.deploy_from_file(worker)
            self._watch_for_skew()
            self.faults.use_file(settings.faults)
            self.edge.spawn(self.plane.retire_unneeded())

    def _reseed(self, seed: int | None) -> Callable[[], None]:
        """Begin all that decides on requests anew from a seed; return what goes on with what was in use before."""
        go_on = self.edge.reseed(seed)
        draw, self.faults.draw = self.faults.draw, _draws_of_faults(seed)

        def as_before() -> None:
            self.faults.draw = draw
            go_on()

        return as_before

    def _follow_faults(self) -> None:
        self.edge.dispatch = self._faulty if self.faults.known else dispatch

    def _watch_for_skew(self) -> None:
        records = self.catalog.workers.values()
        known = [deployment_known(one, record.versions) for record in records for one in record.deployments]
        self._skew.watch(known, enabled=self.settings.looks_for_skew)

    # What versions on workerd ask and tell.

    async def _fire(self, version: Version, cron: str, scheduled_time: datetime) -> str:
        runner = self.supervisor.runners[version.id]
        runner.wake()
        await runner.settled()
        return await self.fleet.run_scheduled(version.id, cron, int(scheduled_time.timestamp() * 1000))

    def _listen_to(self, workers: frozenset[WorkerName]) -> None:
        changed = workers ^ self.facts.tailed
        self.facts.tailed = set(workers)
        for version_id, (version, _) in self.fleet.running.items():
            if version.worker in changed:
                listening = version.worker in workers
                self.edge.spawn(self.fleet.listen_to_tail(version_id, listening=listening))

    # What is told of us.

    def _status(self) -> GatewayStatus:
        workers = tuple(
            WorkerStatus(worker.name, tuple(route.pattern for route in worker.routes), worker.assignment)
            for worker in self.plane.all_workers()
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
            faults=tuple(one.fault.name for one in self.faults.known),
        )

    def _observation_routes(self) -> list[web.RouteDef]:
        metering = MeteringParts(
            recorder=self.observing.recorder,
            catalog=self.catalog,
            upstreams=self.supervisor.runners,
            in_flight=self.data_plane.in_flight,
            websockets=self.data_plane.websockets,
            processes=self.observing.processes.figures,
            clock=time.time,
        )
        listening = ListeningParts(self.observing.bus, self.observing.tails, self.catalog, self.observing.draw)
        skew = SkewParts(
            self._skew.report, self._skew.forget, lambda: self.settings.looks_for_skew, self.catalog, time.time
        )
        return [*metering_routes(metering), *event_routes(listening), *skew_routes(skew)]

    @property
    def _run_file(self) -> Path:
        return self.settings.state / "run.json"

    def _write_run_file(self) -> None:
        """Tell the other commands where we are, in one step, so that none reads half of it."""
        content = {"url": self.url, "control": self.control_url, "pid": os.getpid()}
        draft = self._run_file.with_suffix(".new")
        draft.write_text(json.dumps(content) + "\n", "utf-8")
        draft.replace(self._run_file)


def _draws_of_faults(seed: int | None) -> Callable[[], float]:
    """Return draws on [0, 100) of their own: with a fault or without, the percentages draw the same."""
    source = random.Random(None if seed is None else seed + 2)  # noqa: S311 - shares of requests, no secrets
    return lambda: source.random() * 100.0


def _id_source(what: str, seed: int | None) -> Callable[[WorkerName, int], str]:
    """Return a maker of ids from Worker and number, reproducible with a seed (design 4)."""
    if seed is None:
        return lambda _worker, _number: str(uuid.uuid4())
    return lambda worker, number: str(uuid.uuid5(uuid.NAMESPACE_OID, f"{what} {seed} {worker} {number}"))


def _find_workerd(settings: Settings) -> WorkerdBinary:
    folders = [Path.cwd(), *([settings.path.absolute().parent] if settings.path else [])]
    return find_workerd(settings.workerd, folders, os.environ)


def _end_at(environment: Mapping[str, str]) -> Callable[[str], None]:
    """Return what ends the gateway at a step of a move, as kill -9 would: for tests of just that."""
    wanted = environment.get("GATEWAY_FAULT")

    def reach(step: str) -> None:
        if step == wanted:
            os.kill(os.getpid(), signal.SIGKILL)

    return reach


def _shown(address: Address) -> str:
    return f"[{address.host}]:{address.port}" if ":" in address.host else f"{address.host}:{address.port}"
