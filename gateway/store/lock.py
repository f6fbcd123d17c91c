"""One gateway a state folder: a lock that ends with its process, and a note of who holds it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from gateway.errors import StateInUse, StateUnavailable

_LOCK_FILE = "lock"


class FolderLock:
    """Holds a folder until ``release`` or the end of the process, however it ends.

    Raises:
        StateInUse: Another gateway holds it; names its pid.
        StateUnavailable: The folder cannot be made or written.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(folder / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateUnavailable(folder, error) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = _noted_pid(self._descriptor)
            os.close(self._descriptor)
            raise StateInUse(folder, pid) from None
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            os.close(self._descriptor)
            raise StateUnavailable(folder, error) from error

    def release(self) -> None:
        """Let another gateway have the folder."""
        os.close(self._descriptor)


def _noted_pid(descriptor: int) -> int | None:
    noted = os.pread(descriptor, 32, 0).strip()
    return int(noted) if noted.isdigit() else None
