"""Which versions should run now: starts those that are wanted, ends those that are not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from gateway.model.version import CommandRuntime, UrlRuntime, Version, VersionId
from gateway.model.worker_code import WorkerdRuntime
from gateway.runtime.command import Command
from gateway.runtime.external_url import ExternalUrl
from gateway.runtime.processes import Processes
from gateway.runtime.runner import OnState, Runner, nobody
from gateway.runtime.workerd.fleet import Fleet
from gateway.runtime.workerd.version import WorkerdVersion


class Supervisor:
    """All versions of one gateway that run, or sleep until somebody asks for them.

    Args:
        folder: Folder that commands start from.
        fleet: What versions on workerd share.
        on_line: Told each line that a version prints.
        on_state: Told whenever a version's state changes.
    """

    def __init__(
        self,
        processes: Processes,
        fleet: Fleet,
        *,
        folder: Path,
        on_line: Callable[[Version, str], None],
        on_state: OnState = nobody,
    ) -> None:
        self.folder = folder
        self.gateway_url = ""
        self._on_line = on_line
        self._on_state = on_state
        self._processes = processes
        self._fleet = fleet
        self._runners: dict[VersionId, Runner] = {}

    @property
    def runners(self) -> Mapping[VersionId, Runner]:
        """The versions that run, or should."""
        return self._runners

    def ensure(self, versions: Iterable[Version], *, asleep: Iterable[Version] = ()) -> None:
        """Begin to start those of ``versions`` that do not run yet; those ``asleep`` start once they are asked."""
        for version in asleep:
            if version.id not in self._runners and isinstance(version.runtime, WorkerdRuntime):
                self._runners[version.id] = self._runner_for(version)
        for version in versions:
            if version.id not in self._runners:
                self._runners[version.id] = self._runner_for(version)
            self._runners[version.id].start()

    async def renew(self, versions: Iterable[Version]) -> None:
        """Put versions to sleep that run with other Durable Object namespaces than their Worker has now."""
        for version in versions:
            if self._fleet.is_outdated(version):
                await self.sleep(version.id)

    async def sleep(self, version_id: VersionId) -> None:
        """End a version's process until somebody asks for it."""
        runner = self._runners.get(version_id)
        if isinstance(runner, WorkerdVersion):
            await runner.sleep()

    async def settle(self, version_ids: Iterable[VersionId], seconds: float) -> None:
        """Return once none of these versions is starting any more, or the time is up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for version_id in version_ids:
                    if version_id in self._runners:
                        await self._runners[version_id].settled()

    def release(self, version_ids: Iterable[VersionId]) -> list[Runner]:
        """Let go of these versions, so that nothing new reaches them; the caller stops what it gets."""
        return [runner for version_id in version_ids if (runner := self._runners.pop(version_id, None))]

    async def close(self) -> None:
        """End all versions."""
        await asyncio.gather(*(runner.stop() for runner in self.release(list(self._runners))))
        await self._processes.close()

    def _runner_for(self, version: Version) -> Runner:
        match version.runtime:
            case UrlRuntime():
                return ExternalUrl(version)
            case CommandRuntime():
                return Command(
                    version,
                    self._processes,
                    folder=self.folder,
                    gateway_url=self.gateway_url,
                    on_line=self._on_line,
                    on_state=self._on_state,
                )
            case WorkerdRuntime():
                return WorkerdVersion(version, self._fleet, self._on_state)
