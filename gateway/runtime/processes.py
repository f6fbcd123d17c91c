"""Starts child processes in groups of their own, under the guardian's eye."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from gateway.runtime import guardian

# The child waits for a line before it becomes the program: until the guardian knows its group, a gateway that is
# killed would leave it behind. Its own standard input is empty then.
_GATE = 'read -r go && exec "$@" </dev/null'


def _check_folder(folder: Path) -> None:
    """Raise here what a failed start would blame on the shell."""
    if not folder.is_dir():
        raise NotADirectoryError(f"its folder {folder} does not exist")


class Processes:
    """All children of one gateway."""

    def __init__(self) -> None:
        self._guardian: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()
        self._groups: set[int] = set()

    async def start(
        self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], pass_fds: Sequence[int] = ()
    ) -> asyncio.subprocess.Process:
        """Start a program whose output, both streams in one, can be read line by line.

        Args:
            pass_fds: Descriptors that the program finds open under their numbers.

        Raises:
            OSError: The folder does not exist, or processes cannot be made.
        """
        _check_folder(cwd)
        pipe = await self._pipe_to_guardian()
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            _GATE,
            "sh",
            *argv,
            cwd=cwd,
            env=env,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            pass_fds=pass_fds,
        )
        self._groups.add(process.pid)
        pipe.write(b"+%d\n" % process.pid)
        await pipe.drain()
        assert process.stdin is not None  # noqa: S101 - asked for above
        with contextlib.suppress(ConnectionError):
            process.stdin.write(b"go\n")
            await process.stdin.drain()
            process.stdin.close()
        return process

    async def ended(self, process: asyncio.subprocess.Process) -> None:
        """End what is left of a process's group, and let the guardian forget it.

        Once only: its number may be another group's by the second time.
        """
        if process.pid not in self._groups:
            return
        self.signal(process, signal.SIGKILL)
        self._groups.discard(process.pid)
        if self._guardian is not None and self._guardian.stdin is not None:
            with contextlib.suppress(ConnectionError):
                self._guardian.stdin.write(b"-%d\n" % process.pid)

    def signal(self, process: asyncio.subprocess.Process, number: signal.Signals) -> None:
        """Send a signal to a process and its children."""
        if process.pid not in self._groups:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)

    async def close(self) -> None:
        """End the guardian, and by it all children that are left."""
        if self._guardian is not None and self._guardian.stdin is not None:
            self._guardian.stdin.close()
            await self._guardian.wait()

    async def _pipe_to_guardian(self) -> asyncio.StreamWriter:
        async with self._starting:
            if self._guardian is None or self._guardian.returncode is not None:
                self._guardian = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-I",
                    "-S",
                    guardian.__file__,
                    stdin=asyncio.subprocess.PIPE,
                    start_new_session=True,
                )
        assert self._guardian.stdin is not None  # noqa: S101 - asked for above
        return self._guardian.stdin
