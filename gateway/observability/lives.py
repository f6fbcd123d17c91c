"""Processes of versions as they come and go: told as events, and remembered by their ids."""

from __future__ import annotations

from collections.abc import Callable

from gateway.model.version import Version, VersionId
from gateway.observability.event_bus import EventBus
from gateway.observability.events import VersionEvent


class VersionLives:
    """Told by the runtimes whenever a version's process begins or ends.

    Args:
        clock: Seconds since the epoch.

    Attributes:
        pids: Processes that run, by version.
    """

    def __init__(self, bus: EventBus, clock: Callable[[], float]) -> None:
        self._bus = bus
        self._clock = clock
        self.pids: dict[VersionId, int] = {}

    def changed(self, version: Version, state: str, trouble: str, pid: int) -> None:
        """Note that a version is in another state now.

        Args:
            state: See ``VersionEvent``.
            pid: Of its process; 0 where it has none.
        """
        if pid:
            self.pids[version.id] = pid
        else:
            self.pids.pop(version.id, None)
        self._bus.publish(
            VersionEvent(self._clock(), version.worker, version.id, version.label, state, trouble, pid)
        )
