"""Which versions should run now: starts those that are wanted, ends those that are not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from gateway.errors import RuntimeUnavailable
from gateway.model.version import CommandRuntime, UrlRuntime, Version, VersionId
from gateway.model.worker_code import WorkerdRuntime
from gateway.runtime.command import Command
from gateway.runtime.external_url import ExternalUrl
from gateway.runtime.processes import Processes
from gateway.runtime.runner import Runner


class Supervisor:
    """All running versions of one gateway.

    Args:
        folder: Folder that commands start from.
        on_line: Told each line that a version prints.
    """

    def __init__(self, *, folder: Path, on_line: Callable[[Version, str], None]) -> None:
        self.folder = folder
        self.gateway_url = ""
        self._on_line = on_line
        self._processes = Processes()
        self._runners: dict[VersionId, Runner] = {}

    @property
    def runners(self) -> Mapping[VersionId, Runner]:
        """The versions that run, or should."""
        return self._runners

    def ensure(self, versions: Iterable[Version]) -> None:
        """Begin to start those of ``versions`` that do not run yet."""
        for version in versions:
            if version.id not in self._runners:
                runner = self._runners[version.id] = self._runner_for(version)
                runner.start()

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
                )
            case WorkerdRuntime():
                raise RuntimeUnavailable("this gateway cannot run workerd yet")
