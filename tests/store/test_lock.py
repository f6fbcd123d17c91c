"""One gateway a state folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import StateInUse
from gateway.store.lock import FolderLock
from gateway.store.sqlite import SqliteStore

HOLDER = """
import pathlib, sys
from gateway.store.lock import FolderLock
lock = FolderLock(pathlib.Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_lock_in_the_same_process_is_refused(tmp_path: Path) -> None:
    """Design 9: two gateways never share one folder by accident; the error names who holds it and what to do."""
    lock = FolderLock(tmp_path)

    with pytest.raises(StateInUse, match=f"pid {os.getpid()}") as caught:
        FolderLock(tmp_path)

    assert caught.value.pid == os.getpid()
    assert "--state" in caught.value.remedy
    lock.release()
    FolderLock(tmp_path).release()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["kill -9", "terminated"])
def test_another_process_is_named_and_its_end_lets_go(tmp_path: Path, how: signal.Signals) -> None:
    """Design 9: a lock that ends with its process, however it ends; no stale file stops the next start."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"

        with pytest.raises(StateInUse) as caught:
            FolderLock(tmp_path)
        holder.send_signal(how)

    assert caught.value.pid == holder.pid
    FolderLock(tmp_path).release()


async def test_the_store_holds_the_lock_until_it_is_closed(tmp_path: Path) -> None:
    """Design 9: a gateway holds its folder from start to end."""
    store = SqliteStore(tmp_path)

    with pytest.raises(StateInUse):
        SqliteStore(tmp_path)
    await store.close()

    await SqliteStore(tmp_path).close()


@pytest.mark.parametrize(
    "noted", ["", "abc", "\u0663", "-1"], ids=["empty", "letters", "Arabic digit", "negative"]
)
def test_a_lock_without_a_readable_pid_is_a_lock_still(tmp_path: Path, noted: str) -> None:
    """Design 9: the note is for people; the lock itself is the kernel's."""
    lock = FolderLock(tmp_path)
    (tmp_path / "lock").write_text(noted, "utf-8")

    with pytest.raises(StateInUse, match="another gateway") as caught:
        FolderLock(tmp_path)

    assert caught.value.pid is None
    lock.release()
