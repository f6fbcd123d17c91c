"""One workerd process: its configuration on disk, its start, its readiness, its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from gateway.errors import InvalidCode
from gateway.runtime.processes import Processes
from gateway.runtime.workerd.config import DEBUG, SOCKETS, ProcessPlan, config_text

LAST_LINES: Final = 50
READY_SECONDS: Final = 30.0
OUTPUT_SECONDS: Final = 1.0
"""How long what it printed last may take to arrive after its end."""

PRIVATE_MODE: Final = 0o600
_LINE_BYTES: Final = 1 << 20
_OWN_NOISE: Final = "NOSENTRY SQLite alarm handler canceled"
"""What workerd says of an alarm whose object has moved away with it."""

_DEFAULT_FLAG: Final = re.compile(r"compatibility flag ([a-z0-9_]+) became the default")
_CONFIG_PLACE: Final = re.compile(r"^service user: ")


class WorkerdProcess:
    """A process that was started; it ends with ``stop``, or by itself.

    Args:
        on_line: Told each line that it prints.

    Attributes:
        is_replaced: Whether the gateway ends it to start another: no fall.
    """

    def __init__(
        self, process: asyncio.subprocess.Process, processes: Processes, on_line: Callable[[str], None]
    ) -> None:
        self.is_replaced = False
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._process = process
        self._processes = processes
        self._on_line = on_line
        self._output = asyncio.create_task(self._read_output())
        self._reports: asyncio.StreamWriter | None = None

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    @classmethod
    async def start(
        cls, binary: Path, plan: ProcessPlan, processes: Processes, on_line: Callable[[str], None]
    ) -> WorkerdProcess:
        """Start a process, and return once it listens everywhere.

        Raises:
            InvalidCode: It ended at once; the error holds workerd's own words.
            OSError: It cannot be started.
        """
        text = config_text(plan)
        folder = plan.sockets["http"].parent
        await asyncio.to_thread(_write_private, folder / "config.capnp", text)
        for name in (*SOCKETS, DEBUG):
            plan.sockets[name].unlink(missing_ok=True)  # workerd does not remove one that is left over
        # No pipe: uvloop closes the number of a pipe's end twice, and by then it can be another's.
        ours, theirs = socket.socketpair()
        try:
            process = await processes.start(
                [
                    str(binary),
                    "serve",
                    "--experimental",
                    "-I/",
                    f"--control-fd={theirs.fileno()}",
                    f"--debug-port=unix:{plan.sockets[DEBUG]}",
                    str(folder / "config.capnp"),
                ],
                cwd=folder,
                env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder)},
                pass_fds=(theirs.fileno(),),
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        started = cls(process, processes, on_line)
        try:
            async with asyncio.timeout(READY_SECONDS):
                await started._until_ready(ours)
        except TimeoutError:
            await started.kill()
            raise InvalidCode(f"it did not listen within {READY_SECONDS:g} s") from None
        except BaseException:
            await started.kill()
            raise
        return started

    async def _until_ready(self, ours: socket.socket) -> None:
        """Read what workerd reports until every socket listens; ours stays open: a failed report ends it."""
        reader, self._reports = await asyncio.open_connection(sock=ours)
        waiting = {*SOCKETS, DEBUG}
        while waiting:
            line = await reader.readline()
            if not line:
                await self._process.wait()
                await self._output
                raise InvalidCode(complaint(self.last_lines))
            waiting.discard(json.loads(line).get("socket"))

    async def ended(self) -> str:
        """Return, once it ends, how."""
        code = await self._process.wait()
        await self._processes.ended(self._process)
        await asyncio.wait([self._output])  # never raises what was cancelled elsewhere
        self._close_reports()
        if code < 0:
            return f"its process was ended by {signal.Signals(-code).name}"
        return f"its process ended with exit code {code}"

    async def stop(self, grace_seconds: float) -> None:
        """Let it finish open requests, then end it."""
        if self._process.returncode is None:
            self._processes.signal(self._process, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_seconds):
                    await self._process.wait()
        await self.kill()

    async def kill(self) -> None:
        """End it now."""
        await self._processes.ended(self._process)
        await self._process.wait()
        await asyncio.wait([self._output], timeout=OUTPUT_SECONDS)
        self._output.cancel()
        self._close_reports()

    def _close_reports(self) -> None:
        if self._reports is not None:
            self._reports.close()

    async def _read_output(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - asked for at the start
        rest = b""
        while piece := await self._process.stdout.read(_LINE_BYTES):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                self._tell(line)
            rest = rest[-_LINE_BYTES:]
        if rest:
            self._tell(rest)

    def _tell(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace")
        if _OWN_NOISE in text:
            return
        self.last_lines.append(text)
        self._on_line(text)


def complaint(lines: Iterable[str]) -> str:
    """Return what workerd said of code that it does not start: message, file, line and column."""
    told = [_CONFIG_PLACE.sub("", line) for line in lines if " warning: " not in line and "__Gateway" not in line]
    return "\n".join(told).strip() or "workerd ended without a word"


def default_flag(error: str) -> str | None:
    """Return the flag that workerd refuses because it is the default at that date already."""
    match = _DEFAULT_FLAG.search(error)
    return match[1] if match else None


def _write_private(path: Path, text: str) -> None:
    """Write a file that may hold secrets."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_MODE)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
