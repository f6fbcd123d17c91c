"""CPU time and memory of the versions' processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import psutil

from gateway.model.version import VersionId

FRESH_SECONDS: Final = 1.0
"""Several readers within this time share one look."""


class ProcessFigures(NamedTuple):
    """What a version's process uses, its children included.

    Args:
        cpu_seconds: Since the process started.
        memory_bytes: Resident.
    """

    cpu_seconds: float
    memory_bytes: int


class ProcessMeter:
    """Asks the system, in a thread: walking over all processes takes some milliseconds.

    Args:
        pids: The processes by version, as they are now.
        clock: Any clock in seconds.
    """

    def __init__(self, pids: Callable[[], Mapping[VersionId, int]], clock: Callable[[], float]) -> None:
        self._pids = pids
        self._clock = clock
        self._found: Mapping[VersionId, ProcessFigures] = {}
        self._found_at: float | None = None

    async def figures(self) -> Mapping[VersionId, ProcessFigures]:
        """Return what each version's process uses; a version without a process of ours is left out."""
        now = self._clock()
        if self._found_at is None or now - self._found_at >= FRESH_SECONDS:
            self._found_at = now
            self._found = await asyncio.to_thread(_measured, dict(self._pids()))
        return self._found


def _measured(pids: Mapping[VersionId, int]) -> dict[VersionId, ProcessFigures]:
    found = {}
    for version_id, pid in pids.items():
        try:
            found[version_id] = _process_figures(psutil.Process(pid))
        except psutil.Error:
            continue  # it ended meanwhile
    return found


def _process_figures(process: psutil.Process) -> ProcessFigures:
    cpu_seconds, memory_bytes = _own_figures(process)
    for child in process.children(recursive=True):
        try:
            child_seconds, child_bytes = _own_figures(child)
        except psutil.Error:
            continue
        cpu_seconds += child_seconds
        memory_bytes += child_bytes
    return ProcessFigures(cpu_seconds, memory_bytes)


def _own_figures(process: psutil.Process) -> ProcessFigures:
    with process.oneshot():
        times = process.cpu_times()
        ended_children = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
        return ProcessFigures(times.user + times.system + ended_children, process.memory_info().rss)
