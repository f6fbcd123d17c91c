"""All workerd processes of one gateway, and what each is told of the others."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, Protocol

import structlog

from gateway.errors import GatewayError, InvalidCode
from gateway.model.version import Version, VersionId, WorkerName
from gateway.model.worker import Namespace
from gateway.model.worker_code import Module, WorkerdRuntime
from gateway.routing.percentages import Placed, Split
from gateway.runtime.processes import Processes
from gateway.runtime.workerd.binary import WorkerdBinary
from gateway.runtime.workerd.compatibility import clamp_compatibility_date
from gateway.runtime.workerd.config import DEBUG, SOCKETS, ForeignNamespace, ProcessPlan
from gateway.runtime.workerd.control import Control, call, open_calls
from gateway.runtime.workerd.process import WorkerdProcess, default_flag
from gateway.runtime.workerd.storage import ObjectStorage
from gateway.runtime.workerd.tables import OwnerTable, split_to_json

log = structlog.get_logger("gateway.runtime")

FOLDER_PREFIX: Final = "gateway-"
LONGEST_SOCKET_PATH: Final = 100
RESTART_SECONDS: Final = 5.0
_DEFAULT_DATE: Final = "2026-01-01"


class WorkerFacts(Protocol):
    """What the processes must be told of Workers."""

    def namespaces(self, worker: WorkerName) -> Sequence[Namespace]:
        """Return a Worker's Durable Object namespaces."""

    def worker_with(self, unique_key: str) -> WorkerName | None:
        """Return the Worker that has a namespace now."""

    def split(self, worker: WorkerName) -> Split | None:
        """Return the active split of a Worker, or ``None`` before its first deployment."""

    def runs_on_workerd(self, version_id: VersionId) -> bool:
        """Tell whether workerd runs a version."""

    def listening(self, worker: WorkerName) -> bool:
        """Tell whether somebody tails a Worker."""

    def owners(self, worker: WorkerName) -> OwnerTable | None:
        """Return who runs each object of a Worker, or ``None`` before its first deployment."""


class Fleet:
    """What all processes share.

    Args:
        state: The gateway's state folder; objects lie in ``workerd/`` below it.
        find: Returns the workerd to run.
        content: Module -> path of its content.
        on_line: Told each line that a version prints.
    """

    def __init__(
        self,
        state: Path,
        facts: WorkerFacts,
        processes: Processes,
        *,
        find: Callable[[], WorkerdBinary],
        content: Callable[[Module], Path],
        on_line: Callable[[Version, str], None],
        seed: int | None,
    ) -> None:
        self.edge_address = "127.0.0.1:0"
        self.objects = state.absolute() / "workerd"
        self._note = state.absolute() / "sockets"
        self.facts = facts
        self._processes = processes
        self._find = find
        self._content = content
        self._on_line = on_line
        self._seed = seed
        self._workerd: WorkerdBinary | None = None
        self._folder: Path | None = None
        self._dropped_flags: dict[VersionId, set[str]] = defaultdict(set)
        self.locks: defaultdict[WorkerName, asyncio.Lock] = defaultdict(asyncio.Lock)
        """Held while a Worker's objects move; its processes do not start meanwhile."""

        self.unseen: dict[VersionId, WorkerName] = {}
        """Versions whose process fell: what it had touched since the last question only its folder knows."""

        self.running: dict[VersionId, tuple[Version, WorkerdProcess]] = {}
        self._namespaces: dict[VersionId, tuple[Namespace, ...]] = {}

    @property
    def folder(self) -> Path:
        """Folder of sockets and configurations; only its owner may enter: a debug port gives full access."""
        if self._folder is None:
            self._remove_left_over()
            folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
            if len(str(folder)) + 60 > LONGEST_SOCKET_PATH:
                shutil.rmtree(folder)
                folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir="/tmp"))
            self._note.parent.mkdir(parents=True, exist_ok=True)
            self._note.write_text(f"{folder}\n", "utf-8")
            self._folder = folder
        return self._folder

    def _remove_left_over(self) -> None:
        """Remove the folder of a gateway that was killed: configurations hold secrets."""
        with contextlib.suppress(FileNotFoundError):
            left = Path(self._note.read_text("utf-8").strip())
            if left.name.startswith(FOLDER_PREFIX):
                shutil.rmtree(left, ignore_errors=True)

    @property
    def gateway_socket(self) -> Path:
        """Where processes reach the gateway."""
        return self.folder / "gateway.sock"

    def sockets(self, version_id: VersionId) -> dict[str, Path]:
        """Return the paths of a version's sockets, by name; they stay the same over restarts."""
        folder = self.folder / version_id
        return {name: folder / f"{name}.sock" for name in (*SOCKETS, DEBUG)}

    def address(self, version_id: VersionId) -> str:
        """Return where other processes reach a version."""
        return f"unix:{self.sockets(version_id)[DEBUG]}"

    def storage(self, worker: WorkerName) -> ObjectStorage:
        """Return the storage of a Worker's objects."""
        return ObjectStorage(self.objects, worker)

    def control(self, version_id: VersionId) -> Control:
        """Return the control socket of a version."""
        return Control(self.sockets(version_id)["control"])

    def close(self) -> None:
        """Remove sockets and configurations."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._note.unlink(missing_ok=True)

    # Starting.

    async def launch(self, version: Version) -> WorkerdProcess:
        """Start a version's process, once none of its Worker's objects moves.

        Raises:
            InvalidCode, RuntimeUnavailable, OSError: It does not start.
        """
        async with self.locks[version.worker]:
            storage = self.storage(version.worker).folder_of(version.id)
            warnings: list[str] = []

            def plan_of() -> ProcessPlan:
                warnings.clear()
                return self._plan(version, self.sockets(version.id), storage, warnings.append)

            await asyncio.to_thread(storage.mkdir, parents=True, exist_ok=True)
            process = await self._start(plan_of, lambda line: self._on_line(version, line))
            self.running[version.id] = (version, process)
            self._namespaces[version.id] = tuple(self.facts.namespaces(version.worker))
        for warning in warnings:
            log.warning("version.warning", worker=version.worker, version=version.id, warning=warning)
        return process

    def keeps_objects(self, version_id: VersionId) -> bool:
        """Tell whether a version's process runs with namespaces: only such a one can be asked about objects."""
        return version_id in self.running and bool(self._namespaces[version_id])

    def is_outdated(self, version: Version) -> bool:
        """Tell whether a version runs with other Durable Object namespaces than its Worker has now."""
        here = self._namespaces.get(version.id)
        return version.id in self.running and here != tuple(self.facts.namespaces(version.worker))

    async def check(self, version: Version, namespaces: Sequence[Namespace]) -> list[str]:
        """Start a version's code once, away from all objects; return what its maker should know.

        Raises:
            InvalidCode: It does not start. RuntimeUnavailable: There is no workerd.
        """
        warnings: list[str] = []
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="c", dir=self.folder))
        sockets = {name: folder / f"{name}.sock" for name in (*SOCKETS, DEBUG)}
        try:
            (folder / "objects").mkdir()

            def plan_of() -> ProcessPlan:
                warnings.clear()
                return self._plan(version, sockets, folder / "objects", warnings.append, namespaces)

            process = await self._start(plan_of, lambda _line: None)
            await process.kill()
        except OSError as error:
            raise InvalidCode(f"it cannot be started: {error}") from error
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        return warnings

    async def _start(self, plan_of: Callable[[], ProcessPlan], on_line: Callable[[str], None]) -> WorkerdProcess:
        while True:
            await asyncio.to_thread(lambda: self.workerd)  # looked for once; that takes a moment
            plan = plan_of()
            try:
                return await WorkerdProcess.start(self.workerd.path, plan, self._processes, on_line)
            except InvalidCode as error:
                # A flag that became the default may still stand in a configuration; workerd refuses it.
                flag = default_flag(error.message)
                dropped = self._dropped_flags[plan.version.id]
                if flag is None or flag in dropped:
                    raise
                dropped.add(flag)

    @property
    def workerd(self) -> WorkerdBinary:
        """The workerd that all versions run on.

        Raises:
            RuntimeUnavailable: There is none.
        """
        if self._workerd is None:
            self._workerd = self._find()
        return self._workerd

    async def restart(self, version_id: VersionId) -> None:
        """End a version's process, which is then started again, with the tables as they are by then."""
        if version_id in self.running:
            process = self.running[version_id][1]
            process.is_replaced = True
            await process.stop(RESTART_SECONDS)

    async def until_unused(self, version_id: VersionId, seconds: float) -> None:
        """Return once no other process has a call under way in a version, or the time is up."""
        socket = self.sockets(version_id)[DEBUG]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while await asyncio.to_thread(open_calls, socket):
                    await asyncio.sleep(0.05)

    def ended(self, version_id: VersionId) -> None:
        """Know that a version's process is no more."""
        ended = self.running.pop(version_id, None)
        if ended is not None:
            self.unseen[version_id] = ended[0].worker

    def forget(self, worker: WorkerName) -> None:
        """Know that a Worker is no more: nobody asks what its versions have touched."""
        for version_id in [one for one, name in self.unseen.items() if name == worker]:
            del self.unseen[version_id]

    def _plan(
        self,
        version: Version,
        sockets: Mapping[str, Path],
        storage: Path,
        on_warning: Callable[[str], None],
        namespaces: Sequence[Namespace] | None = None,
    ) -> ProcessPlan:
        runtime = version.runtime
        assert isinstance(runtime, WorkerdRuntime)  # noqa: S101 - the supervisor picks by type
        newest = self.workerd.newest_compatibility_date(datetime.now(UTC).date())
        wanted = _date(runtime.compatibility_date or _DEFAULT_DATE)
        used, warning = clamp_compatibility_date(wanted, newest)
        if warning:
            on_warning(warning)
        dropped = self._dropped_flags[version.id]
        if namespaces is None:
            namespaces = self.facts.namespaces(version.worker)
        foreign = self._foreign(version, runtime, namespaces)
        return ProcessPlan(
            version=version,
            runtime=runtime,
            compatibility_date=used.isoformat(),
            compatibility_flags=tuple(flag for flag in runtime.compatibility_flags if flag not in dropped),
            namespaces=tuple(namespaces),
            sockets=sockets,
            storage=storage,
            gateway_socket=self.gateway_socket,
            content=self._content,
            foreign=foreign,
            tables=self._tables(version, foreign.values()),
            services=self.services(runtime),
            edge_address=self.edge_address,
            seed=self._seed,
            listening=self.facts.listening(version.worker),
        )

    # What processes are told.

    def table_json(self, table: OwnerTable) -> dict[str, Any]:
        """Return a table as processes read it, with the addresses of the versions it names."""
        named = {placed.version_id for placed in table.split.placed} | set(table.exceptions.values())
        return table.to_json({version_id: self.address(version_id) for version_id in sorted(named)})

    def _tables(self, version: Version, foreign: Iterable[ForeignNamespace]) -> dict[str, Any]:
        own = self.facts.owners(version.worker) or OwnerTable(Split((Placed(version.id, 0.0, 100.0),)))
        tables: dict[str, Any] = {version.worker: self.table_json(own)}
        for worker in {one.worker for one in foreign}:
            table = self.facts.owners(worker)
            if table is not None:
                tables[worker] = self.table_json(table)
        return tables

    def services(self, runtime: WorkerdRuntime) -> dict[str, Any]:
        """Return split and addresses of the Workers that a version binds as services."""
        found: dict[str, Any] = {}
        for binding in runtime.bindings:
            if binding.kind == "service":
                worker = WorkerName(str(binding.options["service"]))
                split = self.facts.split(worker)
                if split is not None:
                    addresses = {
                        placed.version_id: self.address(placed.version_id)
                        for placed in split.placed
                        if self.facts.runs_on_workerd(placed.version_id)
                    }
                    found[worker] = {**split_to_json(split), "addresses": addresses}
        return found

    def _foreign(
        self, version: Version, runtime: WorkerdRuntime, namespaces: Iterable[Namespace]
    ) -> dict[str, ForeignNamespace]:
        """Return the namespaces of other Workers that a version binds, by the names of the bindings."""
        own = {namespace.class_name for namespace in namespaces}
        found = {}
        for binding in runtime.bindings:
            if binding.kind == "durable_object_namespace":
                class_name = str(binding.options["class_name"])
                script = WorkerName(str(binding.options.get("script_name") or version.worker))
                if script != version.worker:
                    found[binding.name] = self._others(script, class_name)
                elif class_name not in own:
                    found[binding.name] = self._given_away(version.worker, class_name)
        return found

    def _others(self, worker: WorkerName, class_name: str) -> ForeignNamespace:
        """Return where a class is that another Worker has, or has handed over: a binding follows its namespace."""
        for namespace in self.facts.namespaces(worker):
            if namespace.class_name == class_name:
                return ForeignNamespace(worker, namespace.unique_key)
        given_away = self._given_away(worker, class_name)
        if given_away.worker:
            return given_away
        raise InvalidCode(f"Worker {worker!r} has no Durable Object class {class_name!r} that could be bound")

    def _given_away(self, worker: WorkerName, class_name: str) -> ForeignNamespace:
        """Return where a class is that this version binds and its Worker has no more: given away, or deleted."""
        key = f"{worker}-{class_name}"
        return ForeignNamespace(self.facts.worker_with(key) or WorkerName(""), key)

    async def tell(self, changed: WorkerName) -> None:
        """Tell every process that uses a Worker of its split and its objects' owners as they are now."""
        await asyncio.gather(*(self._tell(version, changed) for version, _ in list(self.running.values())))

    async def _tell(self, version: Version, changed: WorkerName) -> None:
        runtime = version.runtime
        assert isinstance(runtime, WorkerdRuntime)  # noqa: S101 - only such are in the fleet
        try:
            if any(b.kind == "service" and b.options["service"] == changed for b in runtime.bindings):
                await call(self.sockets(version.id)["relay"], self.services(runtime))
            table = self.facts.owners(changed)
            foreign = self._foreign(version, runtime, self.facts.namespaces(version.worker))
            bound = {one.worker for one in foreign.values()}
            if changed in bound and table is not None:
                await self.control(version.id).follow({changed: self.table_json(table)})
        except GatewayError as error:
            # It is told all of it when it is started again; what changed stays, whoever could not be told.
            log.warning("version.not_told", worker=version.worker, version=version.label, error=error.message)

    def binding(self, worker: WorkerName) -> list[VersionId]:
        """Return the running versions of other Workers that bind a Durable Object class of this one."""
        return [
            version_id
            for version_id, (version, _) in self.running.items()
            if version.worker != worker and _binds_classes_of(version, worker)
        ]

    async def listen_to_tail(self, version_id: VersionId, *, listening: bool) -> None:
        """Let a process send all of its finished invocations, or only those that failed."""
        try:
            await call(self.sockets(version_id)["tail"], {"listening": listening})
        except GatewayError as error:
            log.warning("tail.not_told", version=version_id, error=error.message)

    async def run_scheduled(self, version_id: VersionId, cron: str, scheduled_time_ms: int) -> str:
        """Run a version's ``scheduled`` handler, and return the outcome.

        Raises:
            ProcessFailed: It cannot be asked.
        """
        message = {"cron": cron, "scheduledTime": scheduled_time_ms}
        answer = await call(self.sockets(version_id)["events"], message, seconds=15 * 60.0)
        return str(answer["outcome"])


def _binds_classes_of(version: Version, worker: WorkerName) -> bool:
    runtime = version.runtime
    assert isinstance(runtime, WorkerdRuntime)  # noqa: S101 - only such are in the fleet
    return any(
        one.kind == "durable_object_namespace" and one.options.get("script_name") == worker
        for one in runtime.bindings
    )


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidCode(f"compatibility_date {text!r} is no date; write it as {_DEFAULT_DATE}") from None
