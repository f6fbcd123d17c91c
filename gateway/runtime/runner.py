"""What a runtime promises to the rest: a version that can be reached, or the reason why not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway.model.version import Version


class VersionState(StrEnum):
    """Where a version stands in its life."""

    ASLEEP = "asleep"
    STARTING = "starting"
    RUNNING = "running"
    CRASHED = "crashed"
    STOPPED = "stopped"


OnState = Callable[[Version, VersionState, str, int], None]
"""Told a version's new state, the trouble, and the id of its process, 0 where it has none."""


def nobody(version: Version, state: VersionState, trouble: str, pid: int) -> None:
    """Stand in for who wants to know of states."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a version listens: TCP, or a unix socket where ``unix_path`` is set."""

    host: str = ""
    port: int = 0
    unix_path: str = ""

    def __str__(self) -> str:
        return f"unix:{self.unix_path}" if self.unix_path else f"{self.host}:{self.port}"


class Upstream(Protocol):
    """A version as the data plane sees it."""

    def wake(self) -> None:
        """Begin to start a version that is asleep: it runs only while somebody asks for it."""

    @property
    def version(self) -> Version:
        """The version behind it."""

    @property
    def state(self) -> VersionState:
        """Where the version stands now."""

    @property
    def endpoint(self) -> Endpoint | None:
        """Where it listens now; ``None`` while it does not."""

    @property
    def trouble(self) -> str:
        """One sentence on why it does not run, or empty."""

    @property
    def last_lines(self) -> Sequence[str]:
        """What it printed last, the newest at the end."""

    async def settled(self) -> None:
        """Return once the version no longer starts: it runs, crashed or was stopped."""


class Runner(Upstream, Protocol):
    """A version with its life in our hands."""

    def start(self) -> None:
        """Begin to make it reachable; what fails is told by ``state`` and ``trouble``, not raised."""

    async def stop(self) -> None:
        """End it, and return when nothing of it is left."""

    async def kill(self) -> None:
        """End its process as a crash does; it is started again as after one. Nothing, where it is not ours."""
