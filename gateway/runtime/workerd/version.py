"""A version on workerd: started, watched, started again when it falls, asleep while nobody needs it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

import structlog

from gateway.errors import GatewayError
from gateway.model.version import Version
from gateway.runtime.command import STEADY_SECONDS, pause_before_restart
from gateway.runtime.runner import Endpoint, OnState, VersionState, nobody
from gateway.runtime.workerd.control import ProcessFailed
from gateway.runtime.workerd.fleet import Fleet
from gateway.runtime.workerd.process import WorkerdProcess

log = structlog.get_logger("gateway.runtime")

STOP_SECONDS: Final = 30.0
"""R58: requests of a version that leaves may finish for so long."""

PING_SECONDS: Final = 2.0
HUNG_SECONDS: Final = 10.0
"""A process has one thread: one that does not answer for so long is in an endless loop."""


class WorkerdVersion:
    """One version's process: asleep until ``start`` or ``wake``, then kept running; see ``Runner``.

    Args:
        on_state: Told whenever the version's state changes.
    """

    def __init__(self, version: Version, fleet: Fleet, on_state: OnState = nobody) -> None:
        self.version = version
        self.state = VersionState.ASLEEP
        self.endpoint: Endpoint | None = None
        self.objects = ObjectSide(self)
        self.trouble = ""
        self._fleet = fleet
        self._on_state = on_state
        # Two processes on one folder of objects must never be: one ends before the next begins.
        self._one_process = asyncio.Lock()
        self._called = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self._life: asyncio.Task[None] | None = None
        self._process: WorkerdProcess | None = None
        self._replaced = False
        self._lines: Sequence[str] = ()

    @property
    def last_lines(self) -> Sequence[str]:
        """What it printed last."""
        return list(self._process.last_lines) if self._process else self._lines

    def start(self) -> None:
        """Begin to start the process; see ``Runner.start``."""
        self.wake()

    def wake(self) -> None:
        """Begin to start the process, unless it runs; one that waits after a fall starts at once."""
        if self.state is VersionState.CRASHED:
            self._set(VersionState.STARTING, "")  # who asks now waits for the outcome
        self._called.set()
        if self._life is None and self.state is not VersionState.STOPPED:
            self._set(VersionState.STARTING, "")
            self._life = asyncio.get_running_loop().create_task(self._live(), name=f"run {self.version.label}")

    async def settled(self) -> None:
        """Return once the process runs, crashed or was stopped."""
        await self._settled.wait()

    async def sleep(self) -> None:
        """End the process until somebody asks for it again."""
        await self._end(VersionState.ASLEEP, "")

    async def stop(self) -> None:
        """Let the process finish its requests, then end it."""
        await self._end(VersionState.STOPPED, "it was retired")

    async def kill(self) -> None:
        """End the process as a crash does; see ``Runner.kill``."""
        if self._process is not None:
            await self._process.kill()

    async def _end(self, state: VersionState, trouble: str) -> None:
        life, self._life = self._life, None
        self._set(state, trouble)
        if life is not None:
            life.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await life
        async with self._one_process:
            process, self._process = self._process, None
            if process is not None:
                await self._fleet.until_unused(self.version.id, STOP_SECONDS)
                self._fleet.ended(self.version.id)
                await process.stop(STOP_SECONDS)

    async def _live(self) -> None:
        falls = 0
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            ending = await self._run_once()
            if self._replaced:
                self._set(VersionState.STARTING, "")
                continue
            falls = 1 if loop.time() - began > STEADY_SECONDS else falls + 1
            # The first fall is mended at once: requests wait for it.
            pause = pause_before_restart(falls - 1) if falls > 1 else 0.0
            log.error(
                "version.crashed",
                worker=self.version.worker,
                version=self.version.label,
                trouble=ending,
                restart_in_seconds=pause,
                last_lines=list(self.last_lines)[-5:],
            )
            if pause:
                self._set(VersionState.CRASHED, f"{ending}; it is started again {pause:g} s after that")
                await self._pause(pause)
            else:
                self._on_state(self.version, VersionState.CRASHED, ending, 0)
            self._set(VersionState.STARTING, "")

    async def _pause(self, seconds: float) -> None:
        self._called.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._called.wait()

    async def _run_once(self) -> str:
        """Run the process to its end, and return how it ended."""
        self._replaced = False
        try:
            async with self._one_process:
                process = self._process = await self._fleet.launch(self.version)
        except GatewayError as error:
            return f"{error.message}{f' ({error.remedy})' if error.remedy else ''}"
        except OSError as error:
            return f"it cannot be started: {error}"
        sockets = self._fleet.sockets(self.version.id)
        self.endpoint = Endpoint(unix_path=str(sockets["http"]))
        self.objects.endpoint = Endpoint(unix_path=str(sockets["objects"]))
        self._set(VersionState.RUNNING, "")
        log.info("version.started", worker=self.version.worker, version=self.version.label, pid=process.pid)
        watch = asyncio.create_task(self._watch(process))
        try:
            ending = await process.ended()
        finally:
            watch.cancel()
        self._fleet.ended(self.version.id)
        self._lines, self._process = list(process.last_lines), None
        self._replaced = process.is_replaced
        return ending

    async def _watch(self, process: WorkerdProcess) -> None:
        """Kill a process that hangs; the others are not touched."""
        control = self._fleet.control(self.version.id)
        while True:
            await asyncio.sleep(PING_SECONDS)
            try:
                await control.ping(HUNG_SECONDS)
            except ProcessFailed as error:
                log.error(
                    "version.hangs", worker=self.version.worker, version=self.version.label, error=error.message
                )
                await process.kill()
                return

    def _set(self, state: VersionState, trouble: str) -> None:
        self.state = state
        self.trouble = trouble
        if state is not VersionState.RUNNING:
            self.endpoint = self.objects.endpoint = None
        if state is VersionState.STARTING:
            self._settled.clear()
        else:
            self._settled.set()
        pid = self._process.pid if self._process is not None and state is VersionState.RUNNING else 0
        self._on_state(self.version, state, trouble, pid)


class ObjectSide:
    """A version as the data plane sees it for requests that belong to one of its objects; see ``Upstream``."""

    def __init__(self, whole: WorkerdVersion) -> None:
        self._whole = whole
        self.version = whole.version
        self.endpoint: Endpoint | None = None

    @property
    def state(self) -> VersionState:
        """Where the version stands now."""
        return self._whole.state

    @property
    def trouble(self) -> str:
        """Why it does not run, or empty."""
        return self._whole.trouble

    @property
    def last_lines(self) -> Sequence[str]:
        """What it printed last."""
        return self._whole.last_lines

    def wake(self) -> None:
        """Begin to start it."""
        self._whole.wake()

    async def settled(self) -> None:
        """Return once it runs, crashed or was stopped."""
        await self._whole.settled()
