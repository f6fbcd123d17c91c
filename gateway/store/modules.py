"""Modules of uploaded versions, by the hash of their content: one file for equal modules (design 9)."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import tempfile
from collections.abc import AsyncIterable, AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar, TypeVarTuple

from gateway.errors import StateUnavailable

Args = TypeVarTuple("Args")
Result = TypeVar("Result")


class Kept(NamedTuple):
    """A module's content in the store."""

    sha256: str
    size_bytes: int


class ModuleStore:
    """A folder of files named by their SHA-256; what is in it is complete and never changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path_of(self, sha256: str) -> Path:
        """Return where a module's content lies."""
        return self.folder / sha256[:2] / sha256

    async def keep(self, pieces: AsyncIterable[bytes]) -> Kept:
        """Write content as it comes, and return its key; nothing of a broken upload stays.

        Raises:
            StateUnavailable: The disk is full or read-only. What ``pieces`` raises is passed on.
        """
        digest, size = hashlib.sha256(), 0
        draft = await self._on_disk(self._draft)
        try:
            file = await self._on_disk(draft.open, "wb")
            try:
                async for piece in pieces:
                    digest.update(piece)
                    size += len(piece)
                    await self._on_disk(file.write, piece)
                await self._on_disk(self._finish, file)
            finally:
                await self._on_disk(file.close)
            await self._on_disk(self._place, draft, digest.hexdigest())
        finally:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
        return Kept(digest.hexdigest(), size)

    async def _on_disk(self, work: Callable[[*Args], Result], *args: *Args) -> Result:
        """Do something with files, in a thread."""
        try:
            return await asyncio.to_thread(work, *args)
        except OSError as error:
            raise StateUnavailable(self.folder, error) from error

    async def keep_bytes(self, content: bytes) -> Kept:
        """Write content that is there already; see ``keep``."""

        async def once() -> AsyncIterator[bytes]:
            yield content

        return await self.keep(once())

    async def read(self, sha256: str) -> bytes:
        """Return a module's content."""
        return await asyncio.to_thread(self.path_of(sha256).read_bytes)

    def _draft(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.folder, prefix="new-")
        os.close(handle)
        return Path(name)

    def _finish(self, file: BinaryIO) -> None:
        file.flush()
        os.fsync(file.fileno())

    def _place(self, draft: Path, sha256: str) -> None:
        target = self.path_of(sha256)
        target.parent.mkdir(exist_ok=True)
        draft.replace(target)
