"""Looking at processes through ``/proc``: who is alive, what they hold, who belongs to a test."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

_PROC = Path("/proc")


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that ended and was not yet collected by its parent does not."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def marked_processes(mark: str) -> list[int]:
    """Return the processes that have ``mark`` in the environment they were started with."""
    found = []
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if mark.encode() in (folder / "environ").read_bytes() and is_alive(int(folder.name)):
                    found.append(int(folder.name))
    return found


def kill_processes(pids: list[int]) -> None:
    """End these processes at once."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def open_descriptors(pid: int) -> int:
    """Return how many files and sockets a process has open."""
    return sum(1 for _ in (_PROC / str(pid) / "fd").iterdir())


def memory_bytes(pid: int, field: str = "VmRSS") -> int:
    """Return a line of ``/proc/<pid>/status``: resident memory now, or with ``VmHWM`` at its peak."""
    for line in (_PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} tells no {field}")


def forget_memory_peak(pid: int) -> None:
    """Let ``VmHWM`` begin anew at what is resident now (proc(5), clear_refs)."""
    (_PROC / str(pid) / "clear_refs").write_text("5")


def mapped_files(pid: int) -> str:
    """Return the files a process has mapped, as text: shows which native modules it loaded."""
    return (_PROC / str(pid) / "maps").read_text()
