"""Child processes of a benchmark: which core they run on, what they use, and that they end.

Every child is started through ``Children``, a context manager, so that Ctrl-C, SIGTERM and errors end all.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[1]
LOOPBACK = "127.0.0.1"
_CLOCK_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_TAIL_LINES = 15


class DidNotStart(Exception):
    """A child ended, or did not listen in time; ``tail`` holds the last lines of its output."""

    def __init__(self, what: str, tail: tuple[str, ...]) -> None:
        super().__init__(what)
        self.tail = tail


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core each part runs on; None where the part is left to the scheduler."""

    proxy: int | None
    upstream: int | None
    load: int | None
    usable: tuple[int, ...]
    explanation: str


def plan_cores() -> Cores:
    """Return the cores to use: the proxy alone on the first one, the rest on the others if there are any."""
    usable = tuple(sorted(os.sched_getaffinity(0)))
    if shutil.which("taskset") is None:
        return Cores(
            None, None, None, usable, "nothing is pinned: `taskset` is missing (Debian package util-linux)"
        )
    if len(usable) == 1:
        return Cores(
            usable[0],
            usable[0],
            usable[0],
            usable,
            "ONE core only: proxy, upstream and wrk share it, so requests/s tell little; read CPU per request",
        )
    if len(usable) == 2:
        return Cores(
            usable[0],
            usable[1],
            usable[1],
            usable,
            f"each proxy alone on core {usable[0]}; wrk and the upstreams share core {usable[1]}",
        )
    return Cores(
        usable[0],
        usable[1],
        usable[2],
        usable,
        f"each proxy alone on core {usable[0]}; the upstreams on core {usable[1]}, wrk on core {usable[2]}",
    )


def pinned(core: int | None, command: Sequence[str]) -> list[str]:
    """Return the command that runs ``command``, and all it starts, on one core."""
    return list(command) if core is None else ["taskset", "-c", str(core), *command]


def free_port() -> int:
    """Return a loopback port that was free a moment ago (nginx and HAProxy cannot report one they picked)."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def accepts(port: int) -> bool:
    """Return whether something listens on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((LOOPBACK, port)) == 0


def without_machine_paths(line: str, folder: Path) -> str:
    """Return a line of output fit for a report that others read: no paths of this machine."""
    replacements = [(str(folder), "$TMP"), (str(ROOT), "."), (sys.prefix, "$PYTHON"), (sys.base_prefix, "$PYTHON")]
    for path, name in replacements:
        line = line.replace(path, name)
    return line


@dataclass(frozen=True, slots=True)
class _Stat:
    """The fields of ``/proc/<pid>/stat`` that are used here (proc(5))."""

    program: str
    state: str
    parent: int
    cpu_seconds: float
    started_ticks: int


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The program's name is in parentheses and may hold spaces and parentheses itself.
    program, end = text[text.index("(") + 1 : text.rindex(")")], text.rindex(")") + 2
    fields = text[end:].split()
    ticks = int(fields[11]) + int(fields[12])
    return _Stat(program, fields[0], int(fields[1]), ticks / _CLOCK_TICKS_PER_SECOND, int(fields[19]))


def _status_bytes(pid: int, field: str) -> int:
    """Return a memory field of ``/proc/<pid>/status`` in bytes, 0 for a process that has ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    return 0


def _tree(root: int) -> list[int]:
    """Return the process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _stat(int(entry.name))) is not None:
            children.setdefault(stat.parent, []).append(int(entry.name))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue.extend(children.get(pid, ()))
    return found


@dataclass(frozen=True, slots=True)
class Bench:
    """What every scenario is given.

    Args:
        folder: An empty folder for configurations, logs and state.
        say: Tells the progress, one line at a time.
    """

    folder: Path
    cores: Cores
    say: Callable[[str], None]


class Child:
    """One started program with its output in a file."""

    def __init__(self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self._log = log
        self._stopped = False
        with log.open("wb") as output:
            self._popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=environment,
                # Its own session: the terminal's Ctrl-C reaches the benchmark alone, which then ends its
                # children in order.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._popen.poll() is None

    def cpu_seconds(self, program: str | None = None) -> float:
        """Return user and system time so far of its process tree, or of what in it runs one program."""
        return sum(
            stat.cpu_seconds
            for pid in _tree(self.pid)
            if (stat := _stat(pid)) is not None and program in (None, stat.program)
        )

    def memory_bytes(self, program: str | None = None) -> int:
        """Return the resident memory of its process tree, or of those processes in it that run one program."""
        return sum(_status_bytes(pid, "VmRSS") for pid in self.processes(program))

    def processes(self, program: str | None = None) -> list[int]:
        """Return the processes of its tree, or those that run one program."""
        return [
            pid
            for pid in _tree(self.pid)
            if (stat := _stat(pid)) is not None and stat.state != "Z" and program in (None, stat.program)
        ]

    def forget_peak_memory(self) -> None:
        """Let ``peak_memory_bytes`` begin anew; else it would tell of the imports at start-up."""
        for pid in _tree(self.pid):
            # "5" resets the peak (proc(5), clear_refs). Where that is forbidden, the peak is since the start.
            with contextlib.suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")

    def peak_memory_bytes(self) -> int:
        """Return the highest resident memory, process by process, and their sum."""
        return sum(_status_bytes(pid, "VmHWM") for pid in _tree(self.pid))

    def tail(self) -> tuple[str, ...]:
        """Return the last lines of its output."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return tuple(without_machine_paths(line, self._log.parent) for line in lines[-_TAIL_LINES:])

    def wait_for(self, ready: Callable[[], bool], what: str = "listening", timeout_seconds: float = 20.0) -> None:
        """Wait until ``ready`` says yes.

        Args:
            ready: Asked every few milliseconds.
            what: The state that is waited for, as one says "it was ...".
            timeout_seconds: When to give up.

        Raises:
            DidNotStart: It ended first, or the time is over.
        """
        deadline = time.monotonic() + timeout_seconds
        while not ready():
            if not self.running:
                raise DidNotStart(
                    f"{self.name} ended with exit code {self._popen.returncode} before it was {what}", self.tail()
                )
            if time.monotonic() > deadline:
                raise DidNotStart(f"{self.name} was not {what} after {timeout_seconds:g} s", self.tail())
            time.sleep(0.002)

    def wait_for_port(self, port: int) -> None:
        """Wait until the port accepts connections.

        Raises:
            DidNotStart: As ``wait_for``.
        """
        self.wait_for(lambda: accepts(port))

    def stop(self) -> None:
        """End it and all it started: asked first, forced after some seconds; once is enough."""
        if self._stopped:
            return  # its process id may be a stranger's by now
        # Noted before it ends: orphans have another parent afterwards and would not be found.
        started = {pid: stat.started_ticks for pid in _tree(self.pid) if (stat := _stat(pid)) is not None}
        try:
            if self.running:
                self._popen.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._popen.wait(timeout=8.0)
        finally:
            for pid, ticks in started.items():
                stat = _stat(pid)
                # The start time tells a leftover from a stranger that got the same process id since.
                if stat is not None and stat.started_ticks == ticks and stat.state != "Z":
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            self._popen.wait()
            self._stopped = True


class Children:
    """The children of one scenario; leaving the ``with`` block ends them, the youngest first."""

    def __init__(self, bench: Bench) -> None:
        self.folder = bench.folder
        self.cores = bench.cores
        self._children: list[Child] = []
        # `python` in a sample configuration has to be this one, with the gateway's dependencies.
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        self._environment = {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"}

    def start(
        self, name: str, command: Sequence[str], core: int | None, environment: Mapping[str, str] | None = None
    ) -> Child:
        """Start a program on a core; ``environment`` is all that it gets instead of ours.

        Raises:
            DidNotStart: The program does not exist.
        """
        log = self.folder / f"{len(self._children)}-{name}.log"
        try:
            child = Child(name, pinned(core, command), log, environment or self._environment)
        except OSError as error:
            raise DidNotStart(f"{name} cannot be started: {error.strerror}", ()) from error
        self._children.append(child)
        return child

    def __enter__(self) -> Self:
        """Begin with none."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all of them, even where ending one of them is interrupted."""
        with contextlib.ExitStack() as stack:
            for child in self._children:
                stack.callback(child.stop)
