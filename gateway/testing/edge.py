"""The gateway of one test: started in the test's own loop, on free ports, with a state that ends with it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self

from multidict import CIMultiDict

from gateway.assembly import Gateway
from gateway.control.deployments import WantedShare
from gateway.control.explaining import Explained, Explainer
from gateway.control.faults import check_named
from gateway.errors import GatewayError
from gateway.model.deployment import CodeUpdate, Deployment
from gateway.model.fault import Fault, fault_from
from gateway.model.skew_rules import SkewRules
from gateway.model.version import VersionId, WorkerName
from gateway.observability.events import RequestEvent, ResetEvent
from gateway.runtime.runner import VersionState
from gateway.settings import Address, ControlSettings, ProxySettings, RoutingSettings, Settings
from gateway.skew.incident import Incident
from gateway.store.store import ObjectView
from gateway.testing.client import COHORT, KEY, OVERRIDES, USER_AGENT, Client
from gateway.testing.errors import EdgeMisused
from gateway.testing.quiet import quiet_log
from gateway.testing.record import Record
from gateway.testing.skew import SkewRecord
from gateway.testing.workers import DeclaredWorker, Source, declared_version, declared_worker, started_version

EVERYTHING: Final = "*/*"
DRAIN_SECONDS: Final = 1.0
OBJECTS_AT_ONCE: Final = 1000
SHOWN_LINES: Final = 10
FREE: Final = Address("127.0.0.1", 0)


class Edge:
    """An edge in a test's event loop; it starts with the test, or with what is awaited of it before.

    Args:
        seed: Of all that is drawn: same seed, same requests, same decisions.
        workerd: The binary to run versions on; else it is looked for as ``gateway run`` does.
    """

    def __init__(self, seed: int, workerd: Path | None = None) -> None:
        self.seed = seed
        self._workerd = workerd
        self._declared: dict[str, DeclaredWorker] = {}
        self._record = Record()
        self._skew = SkewRecord(self._record, self._skew_rules)
        self._stack = AsyncExitStack()
        self._clients: list[Client] = []
        self._gateway: Gateway | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._explainer: Explainer | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} seed={self.seed}>"

    # Its life.

    async def start(self) -> None:
        """Start the gateway, unless it runs; no test needs to call this.

        Raises:
            EdgeMisused: It runs in another event loop.
        """
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
            self._gateway = await self._started()
        elif self._loop is not loop:
            raise EdgeMisused(
                "the edge runs in another event loop than this",
                remedy="Let the test and its async fixtures share a loop: pytest-asyncio's loop_scope 'function'.",
            )

    async def _started(self) -> Gateway:
        stack = self._stack
        stack.enter_context(quiet_log())
        state = Path(tempfile.mkdtemp(prefix="gateway-test-"))
        stack.callback(shutil.rmtree, state, ignore_errors=True)
        gateway = Gateway(
            Settings(
                listen=FREE,
                control=ControlSettings(FREE),
                state=state,
                seed=self.seed,
                workerd=self._workerd,
                proxy=ProxySettings(drain_seconds=DRAIN_SECONDS),
                routing=RoutingSettings(cohorts=True, trust_client_cohort_header=True),
            )
        )
        stack.push_async_callback(gateway.close)
        await gateway.start()
        stack.push_async_callback(self._close_clients)
        self._record.listen(gateway.observing.bus)
        self._explainer = Explainer(lambda: gateway.edge.table, gateway.objects.peek, self.seed)
        return gateway

    async def close(self) -> None:
        """End it and all that it runs; what it has seen can still be read."""
        await self._stack.aclose()

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop it runs in, or None before its start."""
        return self._loop

    async def _close_clients(self) -> None:
        for client in self._clients:
            await client.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _running(self) -> Gateway:
        if self._gateway is None:
            raise EdgeMisused(
                "the edge does not run yet: it starts with the test, or with the first `await edge.deploy(...)`",
                remedy="In a fixture, deploy first: await edge.deploy('shop', v1=100).",
            )
        return self._gateway

    def _skew_rules(self, worker: str) -> SkewRules:
        declared = self._declared.get(worker)
        return (declared.skew if declared is not None else None) or SkewRules()

    # Workers and deployments.

    def worker(
        self,
        name: str,
        /,
        *,
        routes: Sequence[str] | None = None,
        classes: Mapping[str, str] | None = None,
        assignment: str = "sticky",
        skew: SkewRules | None = None,
        **versions: Source,
    ) -> None:
        """Declare a Worker and its versions, or further versions of one; they start with the next deployment.

        A version is an aiohttp ``Application``, an ASGI app, a function that makes one of these, a URL, a command
        (a list; it listens on ``$PORT``), a ``Bundle``, or the ``Path`` of a wrangler file or of an ES module.

        Args:
            routes: Patterns such as ``shop.example.com/*``. The first Worker answers everything unless told
                otherwise; each is found under ``<name>.localhost`` too.
            classes: Durable Object class -> where a request names its object, such as ``path:/cart/{name}``.
            assignment: ``sticky`` or ``hash``.
            skew: What joins requests beside key and ``Referer``: ``SkewRules(session_cookie="sid")``, flows.
            versions: By tag.

        Raises:
            EdgeMisused: Says what is wrong.
        """
        known = self._declared.get(name)
        if known is not None and (routes, classes, skew) != (None, None, None):
            raise EdgeMisused(
                f"edge.worker({name!r}): it is declared already",
                remedy="Give routes, classes and skew the first time.",
            )
        if known is None:
            default = () if self._declared else (EVERYTHING,)
            known = declared_worker(
                name,
                routes=default if routes is None else routes,
                classes=classes or {},
                assignment=assignment,
                skew=skew,
            )
        added = [declared_version(known, tag, source) for tag, source in versions.items()]
        self._declared[name] = known
        known.waiting += added

    async def deploy(
        self,
        worker: str,
        /,
        *,
        cohorts: Mapping[str, Mapping[str, float]] | None = None,
        code_update: CodeUpdate | None = None,
        **percentages: float,
    ) -> Deployment:
        """Deploy versions of a Worker; once this returns, every request follows it.

        Args:
            cohorts: Cohort -> tag -> percentage.
            code_update: When objects that move are reset; at once unless told otherwise.
            percentages: By tag, in the order that keys and objects go by.

        Raises:
            EdgeMisused: A version is unknown, or does not run; with what it printed last.
            GatewayError: A rule is broken, such as percentages that do not add up to 100.
        """
        return await self.deploy_shares(worker, percentages, cohorts=cohorts or {}, code_update=code_update)

    async def deploy_shares(
        self,
        worker: str,
        percentages: Mapping[str, float],
        *,
        cohorts: Mapping[str, Mapping[str, float]] = MappingProxyType({}),
        code_update: CodeUpdate | None = None,
    ) -> Deployment:
        """Deploy versions of a Worker; as ``deploy``, for tags that are no names of Python's."""
        self.check_tags(worker, [*percentages, *(tag for shares in cohorts.values() for tag in shares)])
        await self.start()
        gateway = self._running()
        try:
            await self._apply_declared(gateway)
            created = await gateway.deployments.create(
                gateway.catalog.record(WorkerName(worker)),
                [WantedShare(tag, percentage) for tag, percentage in percentages.items()],
                cohorts=cohorts,
                code_update=code_update,
                triggered_by="test",
            )
        except GatewayError as error:
            if error.remedy and not isinstance(error, EdgeMisused):
                error.add_note(error.remedy)
            raise
        self._check_runs(created.deployment)
        self._record.deployed(worker)
        return created.deployment

    async def _apply_declared(self, gateway: Gateway) -> None:
        """Start the versions that wait, and let the gateway know them."""
        waiting = [worker for worker in self._declared.values() if worker.waiting]
        if not waiting:
            return
        for worker in waiting:
            while worker.waiting:
                position = len(worker.defined)
                worker.defined.append(await started_version(worker.waiting[0], position, self.seed, self._stack))
                del worker.waiting[0]
        workers = tuple(worker.settings() for worker in self._declared.values())
        await gateway.apply(await gateway.sources.resolve(replace(gateway.settings, workers=workers)))

    def _check_runs(self, deployment: Deployment) -> None:
        for version_id in sorted(deployment.version_ids):
            runner = self._running().supervisor.runners[version_id]
            if runner.state in (VersionState.CRASHED, VersionState.STARTING):
                lines = [f"  {line}" for line in list(runner.last_lines)[-SHOWN_LINES:]]
                raise EdgeMisused(
                    f"version {runner.version.label!r} of Worker {deployment.worker!r} does not run: "
                    + "\n".join([runner.trouble or "it is still starting", *lines]),
                    remedy="Run it by itself to see why; a command must listen on $PORT.",
                )

    def check_tags(self, worker: str, tags: Iterable[str]) -> None:
        """Check that a Worker has versions of these tags.

        Raises:
            EdgeMisused: Names those that there are.
        """
        known = self._declared.get(worker)
        if known is None:
            names = ", ".join(map(repr, self._declared)) or "none"
            raise EdgeMisused(
                f"no Worker {worker!r} is declared (declared: {names})",
                remedy=f"Declare it first: edge.worker({worker!r}, v1=…, v2=…).",
            )
        for tag in tags:
            if tag not in known.tags:
                tags = ", ".join(map(repr, known.tags)) or "none"
                raise EdgeMisused(
                    f"Worker {worker!r} has no version {tag!r} (it has: {tags})",
                    remedy=f"Declare it first: edge.worker({worker!r}, {tag}=…).",
                )

    # Faults.

    async def fault(self, kind: str, /, **fields: object) -> Fault:
        """Let something go wrong on purpose: ``await edge.fault("latency", ms=300, worker="shop", version="v2")``.

        Args:
            kind, fields: As docs/faults.md tells them.

        Raises:
            InvalidFault: A field is wrong, or names a Worker or version that is not there.
        """
        await self.start()
        gateway = self._running()
        fault = fault_from({"kind": kind, **fields})
        check_named(fault, gateway.catalog)
        return gateway.faults.add(fault)

    def clear_faults(self) -> None:
        """Take all faults away."""
        self._running().faults.clear()

    # How it is reached.

    @property
    def url(self) -> str:
        """Where it answers: ``http://127.0.0.1:<port>``."""
        return self._running().url

    @property
    def control_url(self) -> str:
        """Where its API and its dashboard are."""
        return self._running().control_url

    def url_of(self, worker: str) -> str:
        """Return the address that is a Worker's alone: ``http://<worker>.localhost:<port>``."""
        self.check_tags(worker, ())
        return f"http://{worker}.localhost:{self._running().address.port}"

    def client(
        self,
        *,
        worker: str | None = None,
        key: str | None = None,
        override: str | Mapping[str, str] | None = None,
        cohort: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Client:
        """Return a client whose every request carries these signals; it is closed with the edge.

        Args:
            worker: Reach this one by its own address.
            key: Affinity key.
            override: Worker -> tag or id; a tag alone where there is one Worker, or one is named.
            headers: Further fields of each request.
        """
        # The detector tells clients without cookie and key apart by address and user agent: all share one address.
        agent = {USER_AGENT: f"Mozilla/5.0 (gradual-gateway; client {len(self._clients) + 1})"}
        fields = CIMultiDict({**agent, **self._signals(worker, key, override, cohort)})
        fields.update(headers or {})
        client = Client(self.url if worker is None else self.url_of(worker), fields)
        self._clients.append(client)
        return client

    def _signals(
        self,
        worker: str | None,
        key: str | None,
        override: str | Mapping[str, str] | None,
        cohort: str | None,
    ) -> dict[str, str]:
        signals = {}
        if key is not None:
            signals[KEY] = key
        if override is not None:
            wanted = {self._only_worker(worker, override): override} if isinstance(override, str) else override
            pairs = (f'{name}="{self.version_id(name, version)}"' for name, version in wanted.items())
            signals[OVERRIDES] = ", ".join(pairs)
        if cohort is not None:
            signals[COHORT] = cohort
        return signals

    def _only_worker(self, named: str | None, override: str) -> str:
        if named is None and len(self._declared) != 1:
            raise EdgeMisused(
                f"edge.client: override={override!r} names no Worker, and there are {len(self._declared)}",
                remedy="Name it: override={'shop': 'v2'}.",
            )
        return named if named is not None else next(iter(self._declared))

    def version_id(self, worker: str, version: str) -> VersionId:
        """Return the id of a version that was deployed, or declared before the last deployment.

        Args:
            version: Tag, id, or the first characters of one.

        Raises:
            EdgeMisused: It does not run yet.
        """
        self.check_tags(worker, ())
        try:
            return self._running().catalog.record(WorkerName(worker)).find(version).id
        except GatewayError as error:
            raise EdgeMisused(error.message, remedy="Deploy first; versions start with a deployment.") from error

    def label_of(self, worker: str, version_id: str) -> str:
        """Return what people call a version: its tag, or its short id."""
        version = self._running().catalog.record(WorkerName(worker)).versions.get(VersionId(version_id))
        return version.label if version is not None else version_id[:8]

    # What it has seen.

    @property
    def requests(self) -> list[RequestEvent]:
        """All requests since the start, in the order in which they ended, each with version and reason."""
        return self._record.requests

    @property
    def resets(self) -> list[ResetEvent]:
        """All Durable Objects that went over to another version, in their order."""
        return self._record.resets

    @property
    def skew(self) -> list[Incident]:
        """Version skew that shows in the requests so far, in the order in which it was seen first.

        Every request that has ended is looked at, as one has whose answer was read: nothing is passed over
        as in a flood of live traffic, and the same requests give the same incidents.
        """
        return self._skew.incidents()

    def drawn_since_deployment(self, worker: str) -> list[RequestEvent]:
        """Return a Worker's requests since it was deployed last."""
        return self._record.since_deployment(worker)

    async def objects(self, worker: str | None = None, class_name: str | None = None) -> list[ObjectView]:
        """Return the table of Durable Objects, by Worker, class and id: each with its version and its resets.

        Args:
            worker, class_name: Only those of one.
        """
        gateway = self._running()
        await gateway.moves.collect_now()
        names = [name for name in self._declared if worker in (None, name)]
        return [
            view
            for name in map(WorkerName, names)
            for known in gateway.objects.class_names(name)
            if class_name in (None, known)
            for view in await self._objects_of(gateway, name, known)
        ]

    async def _objects_of(self, gateway: Gateway, worker: WorkerName, class_name: str) -> list[ObjectView]:
        views: list[ObjectView] = []
        more = True
        while more:
            after = views[-1].id if views else ""
            page, _ = await gateway.objects.page(
                worker, class_name, search="", after=after, limit=OBJECTS_AT_ONCE, now=time.time()
            )
            views += page
            more = len(page) == OBJECTS_AT_ONCE
        return views

    def explain(
        self,
        url: str = "/",
        *,
        key: str | None = None,
        override: str | Mapping[str, str] | None = None,
        cohort: str | None = None,
        headers: Mapping[str, str] | None = None,
        count: int = 1,
    ) -> Explained:
        """Return which version a request would reach and by which rules; nothing is sent, no later draw changes.

        Args:
            url: A whole one, or a path of the edge.
            count: How often it is drawn, for ``counts``.
        """
        self._running()
        assert self._explainer is not None  # noqa: S101 - made with the gateway
        fields = {**self._signals(None, key, override, cohort), **(headers or {})}
        whole = self.url + url if url.startswith("/") else url
        return self._explainer.explain(whole, list(fields.items()), count)
