"""A version the gateway starts: spawns its process, waits for its port, and starts it again when it falls."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import structlog

from gateway.model.version import CommandRuntime, Version
from gateway.runtime.processes import Processes
from gateway.runtime.runner import Endpoint, OnState, VersionState, nobody

log = structlog.get_logger("gateway.runtime")

LAST_LINES: Final = 50
LINE_BYTES: Final = 65_536
READY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 5.0
FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 10.0
STEADY_SECONDS: Final = 10.0
"""After running this long, the next fall counts as the first again."""

_POLL_SECONDS: Final = 0.02
_SERVER_ERROR: Final = 500


def pause_before_restart(falls: int) -> float:
    """Return how long to wait before the next start, in seconds; doubles with each fall in a row."""
    return min(FIRST_PAUSE_SECONDS * 2.0 ** max(falls - 1, 0), LONGEST_PAUSE_SECONDS)


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Command:
    """One version's process, kept running until ``stop``.

    Args:
        gateway_url: Base URL of the data plane, for ``$GATEWAY_URL``.
        on_line: Told each line the process prints, for tail and log.
        on_state: Told whenever the version's state changes.
    """

    def __init__(
        self,
        version: Version,
        processes: Processes,
        *,
        folder: Path,
        gateway_url: str,
        on_line: Callable[[Version, str], None],
        on_state: OnState = nobody,
    ) -> None:
        assert isinstance(version.runtime, CommandRuntime)  # noqa: S101 - the supervisor picks by type
        self.version = version
        self.state = VersionState.STARTING
        self.endpoint: Endpoint | None = None
        self.trouble = ""
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._runtime = version.runtime
        self._processes = processes
        self._folder = folder / version.runtime.cwd
        self._gateway_url = gateway_url
        self._on_line = on_line
        self._on_state = on_state
        self._settled = asyncio.Event()
        self._life: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None

    def start(self) -> None:
        """Begin to start the process; see ``Runner.start``."""
        if self._life is None:
            self._on_state(self.version, self.state, "", 0)
            self._life = asyncio.get_running_loop().create_task(self._live(), name=f"run {self.version.label}")

    def wake(self) -> None:
        """It never sleeps."""

    async def settled(self) -> None:
        """Return once the process runs, crashed or was stopped."""
        await self._settled.wait()

    async def stop(self) -> None:
        """Ask the process to end, and make it, after a while."""
        life, self._life = self._life, None
        self._set(VersionState.STOPPED, "it was retired")
        if life is not None:
            life.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await life
        if self._process is not None:
            await self._end(self._process)

    async def kill(self) -> None:
        """End the process as a crash does; see ``Runner.kill``."""
        if self._process is not None:
            self._processes.signal(self._process, signal.SIGKILL)

    async def _live(self) -> None:
        falls = 0
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                ending = await self._run_once()
            except OSError as error:
                ending = f"it cannot be started: {error}"
            falls = 1 if loop.time() - began > STEADY_SECONDS else falls + 1
            pause = pause_before_restart(falls)
            self._set(VersionState.CRASHED, f"{ending}; it is started again {pause:g} s after that")
            log.error(
                "version.crashed",
                worker=self.version.worker,
                version=self.version.label,
                trouble=ending,
                restart_in_seconds=pause,
                last_lines=list(self.last_lines)[-5:],
            )
            await asyncio.sleep(pause)
            self._set(VersionState.STARTING, "")

    async def _run_once(self) -> str:
        """Run the process to its end, and return how it ended."""
        port = free_port()
        process = await self._processes.start(self._runtime.argv, cwd=self._folder, env=self._environment(port))
        self._process = process
        output = asyncio.create_task(self._read_output(process))
        try:
            ended = asyncio.create_task(process.wait())
            ready = asyncio.create_task(self._wait_until_ready(port))
            try:
                await asyncio.wait({ended, ready}, return_when=asyncio.FIRST_COMPLETED)
                if not ended.done() and not ready.result():
                    await self._end(process)
                    return f"it did not open its port within {READY_SECONDS:g} s (it must listen on $PORT)"
                if not ended.done():
                    self.endpoint = Endpoint("127.0.0.1", port)
                    self._set(VersionState.RUNNING, "")
                    log.info(
                        "version.started",
                        worker=self.version.worker,
                        version=self.version.label,
                        port=port,
                        pid=process.pid,
                    )
                await ended
            finally:
                ready.cancel()
                ended.cancel()
            await self._processes.ended(process)
            await output
            return _ending(process.returncode)
        finally:
            output.cancel()

    def _environment(self, port: int) -> Mapping[str, str]:
        metadata = {
            "id": self.version.id,
            "tag": self.version.tag,
            "timestamp": self.version.created_on.isoformat(),
        }
        return {
            **os.environ,
            # So that `python` is the one the gateway runs on, also where no environment is activated.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            **dict(self._runtime.env),
            "PORT": str(port),
            "CF_VERSION_METADATA": json.dumps(metadata),
            "GATEWAY_URL": self._gateway_url,
            "PYTHONUNBUFFERED": "1",  # else a crash takes the last lines with it
        }

    async def _read_output(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - asked for at the start
        rest = b""
        while piece := await process.stdout.read(LINE_BYTES):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                self._tell(line)
            if len(rest) > LINE_BYTES:
                self._tell(rest)
                rest = b""
        if rest:
            self._tell(rest)

    def _tell(self, line: bytes) -> None:
        text = line.rstrip(b"\r").decode("utf-8", "replace")
        self.last_lines.append(text)
        self._on_line(self.version, text)

    async def _wait_until_ready(self, port: int) -> bool:
        """Return whether the port opened (and the path answered) in time."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not await self._answers(port):
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            return False
        return True

    async def _answers(self, port: int) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        try:
            if not self._runtime.ready_path:
                return True
            request = f"GET {self._runtime.ready_path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            writer.write(request.encode("latin-1"))
            status = (await reader.readline()).split(b" ")
            return len(status) > 1 and status[1].isdigit() and int(status[1]) < _SERVER_ERROR
        except OSError:
            return False
        finally:
            writer.close()

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is None:
            self._processes.signal(process, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await process.wait()
        await self._processes.ended(process)
        await process.wait()

    def _set(self, state: VersionState, trouble: str) -> None:
        self.state = state
        self.trouble = trouble
        if state is not VersionState.RUNNING:
            self.endpoint = None
        if state is VersionState.STARTING:
            self._settled.clear()
        else:
            self._settled.set()
        pid = self._process.pid if self._process is not None and state is VersionState.RUNNING else 0
        self._on_state(self.version, state, trouble, pid)


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"its process was ended by {signal.Signals(-code).name}"
    return f"its process ended with exit code {code}"
