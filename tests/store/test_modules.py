"""Modules by the hash of their content: complete or not there at all."""

from __future__ import annotations

import asyncio
import hashlib
import resource
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.errors import StateUnavailable
from gateway.store.modules import Kept, ModuleStore


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    """Yield an upload as it comes."""
    for part in parts:
        yield part


async def cut_off(*parts: bytes) -> AsyncIterator[bytes]:
    """Yield an upload whose sender goes away."""
    for part in parts:
        yield part
    raise ConnectionResetError


def everything(store: ModuleStore) -> list[Path]:
    """Return all files in the store's folder."""
    return [path for path in store.folder.rglob("*") if path.is_file()]


async def test_content_comes_back_by_its_hash(tmp_path: Path) -> None:
    """Design 9: files named by their SHA-256."""
    store = ModuleStore(tmp_path / "modules")
    kept = await store.keep(pieces(b"export ", b"default {};"))
    assert kept == Kept(hashlib.sha256(b"export default {};").hexdigest(), 18)
    assert await store.read(kept.sha256) == store.path_of(kept.sha256).read_bytes() == b"export default {};"


async def test_equal_modules_are_one_file(tmp_path: Path) -> None:
    """Design 9: "one file for equal modules", many uploads of it at once included."""
    store = ModuleStore(tmp_path / "modules")
    kept = await asyncio.gather(*(store.keep_bytes(b"same") for _ in range(20)))
    assert len(set(kept)) == 1
    assert [path.name for path in everything(store)] == [kept[0].sha256]


async def test_an_empty_module_is_one(tmp_path: Path) -> None:
    """A text or data module may be empty."""
    store = ModuleStore(tmp_path / "modules")
    assert await store.read((await store.keep_bytes(b"")).sha256) == b""


async def test_nothing_of_a_broken_upload_stays(tmp_path: Path) -> None:
    """A sender that goes away, an upload that is cancelled: no half of a module, and no draft."""
    store = ModuleStore(tmp_path / "modules")
    with pytest.raises(ConnectionResetError):
        await store.keep(cut_off(b"half of"))
    endless = asyncio.create_task(store.keep(forever()))
    await asyncio.sleep(0.05)  # so that some of it is written; nothing is asserted of how much
    endless.cancel()
    with pytest.raises(asyncio.CancelledError):
        await endless
    assert everything(store) == []


async def forever() -> AsyncIterator[bytes]:
    """Yield an upload without end."""
    while True:
        yield b"x" * 1000
        await asyncio.sleep(0)


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    """Design 9: "an error to the one who writes"; in a process of its own, whose files must not grow."""
    code = """
import asyncio, pathlib, signal, sys
from gateway.errors import StateUnavailable
from gateway.store.modules import ModuleStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = ModuleStore(pathlib.Path(sys.argv[1]))
try:
    asyncio.run(store.keep_bytes(b"x" * 100_000))
except StateUnavailable:
    sys.exit(7)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "modules"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
        check=False,
    )
    assert ended.returncode == 7
    assert everything(ModuleStore(tmp_path / "modules")) == []


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """Design 9: a file in the way is an error that names the folder."""
    (tmp_path / "modules").write_text("in the way", "utf-8")
    with pytest.raises(StateUnavailable, match="modules"):
        await ModuleStore(tmp_path / "modules").keep_bytes(b"x")
