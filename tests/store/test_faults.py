"""The store under kill -9, on a full disk and in a read-only folder: real processes, real errors of the kernel."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.errors import StateUnavailable
from gateway.model.durable_object import AssignmentRule, ObjectKey
from gateway.store.sqlite import DATABASE, SqliteStore
from tests.model.examples import SHOP, A, version
from tests.store.tables import START, opened

ROOT = Path(__file__).parents[2]


@contextmanager
def writing(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run the writer beside this file."""
    command = [sys.executable, "-m", "tests.store.writer", str(folder), *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


async def check_all_is_there(folder: Path, acknowledged: list[str]) -> None:
    """Check that the database is sound, and holds what its writer was told that it holds."""
    with sqlite3.connect(folder / DATABASE) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    database.close()
    async with opened(folder) as table:
        numbers = [one.number for one in table.deployments]
        assert numbers == list(range(1, len(numbers) + 1))
        for line in acknowledged:
            kind, name, *version_id = line.split()
            if kind == "deployment":
                assert int(name) in numbers
                continue
            id_ = ObjectKey(SHOP, "Cart", name).id
            view, history = await table.objects.show(SHOP, "Cart", id_, START)
            assert view.name == name
            if kind == "pin":
                assert (view.pinned, view.assigned) == (A, A)
            else:
                assert history[0].version_id == version_id[0]


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    """Design 9: what was acknowledged survives kill -9; five times on one folder, each a little later."""
    acknowledged: list[str] = []
    for after in (1, 2, 5, 23, 60):
        with writing(tmp_path) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            acknowledged += [process.stdout.readline() for _ in range(after)]
            process.kill()
            rest = process.stdout.read().splitlines(keepends=True)
        acknowledged += [line for line in rest if line.endswith("\n")]

        assert process.wait() == -9
        await check_all_is_there(tmp_path, acknowledged)

    assert len(acknowledged) >= 91


@pytest.mark.parametrize("limit", [180_000, 400_000])
async def test_a_full_disk_is_an_error_and_loses_nothing(tmp_path: Path, limit: int) -> None:
    """Design 9, reliability.md 4: the kernel lets no file grow; later writes succeed once there is room."""
    with writing(tmp_path, str(limit)) as process:
        told, _ = process.communicate(timeout=60)
    lines = told.splitlines()
    failed = next(index for index, line in enumerate(lines) if line.startswith("failed: "))

    assert process.returncode == 0
    assert (lines[0], lines[-1]) == ("open", "done")
    assert "cannot be written" in lines[failed]
    assert str(tmp_path) in lines[failed]
    assert failed > 3
    await check_all_is_there(tmp_path, lines[1:failed] + lines[failed + 1 : -1])


async def test_a_full_database_is_an_error_and_loses_nothing(tmp_path: Path) -> None:
    """Design 9: SQLite's own "database or disk is full"; reads go on, and writes once there is room."""
    async with opened(tmp_path) as table:
        await table.deploy((A, 100))
        many = [ObjectKey(SHOP, "Cart", f"{number}" + "x" * 500) for number in range(2_000)]
        table.versions(many[:10])
        await table.objects.flush()

        def allow(pages: str) -> None:
            table.store._thread.submit(table.store._database.execute, f"PRAGMA max_page_count = {pages}").result()

        allow("30")
        table.versions(many)
        with pytest.raises(StateUnavailable, match="full") as caught:
            await table.objects.flush()
        assert (caught.value.status, bool(caught.value.remedy)) == (507, True)
        with pytest.raises(StateUnavailable):
            await table.deploy((A, 100))
        assert len(table.store.load_deployments()) == 1
        assert set(table.versions(many)) == {A}

        allow("100000")
        await table.deploy((A, 100))
        assert len(table.store.load_objects(table.store.class_key(SHOP, "Cart"))) == len(many)


@contextmanager
def without_root() -> Iterator[None]:
    """Be an ordinary user for a while: permissions do not bind root."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that any user can reach, as pytest's own is not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


async def test_a_read_only_folder_is_an_error_with_a_remedy(open_folder: Path) -> None:
    """Design 9: the folder cannot be written, says who starts on it, and nothing of it changes."""
    async with opened(open_folder) as table:
        await table.deploy((A, 100))
    open_folder.chmod(0o555)

    with without_root(), pytest.raises(StateUnavailable) as caught:
        SqliteStore(open_folder)

    assert str(open_folder) in caught.value.message
    assert "writable" in caught.value.remedy
    open_folder.chmod(0o755)
    async with opened(open_folder) as table:
        assert len(table.deployments) == 1


async def test_a_folder_that_cannot_be_made_is_an_error_with_a_remedy(open_folder: Path) -> None:
    """Design 9: as above, for a folder that does not exist yet; also where a file stands in its place."""
    open_folder.chmod(0o555)
    with without_root(), pytest.raises(StateUnavailable):
        SqliteStore(open_folder / "state")
    open_folder.chmod(0o755)

    (open_folder / "file").write_text("x")
    with pytest.raises(StateUnavailable):
        SqliteStore(open_folder / "file")


async def test_a_folder_that_turns_read_only_is_an_error_to_the_writer_alone(tmp_path: Path) -> None:
    """Design 9: the data plane goes on; what could not be written is written once it can be."""
    async with opened(tmp_path, AssignmentRule.STICKY) as table:
        await table.deploy((A, 100))
        read_only = table.store._thread.submit(table.store._database.execute, "PRAGMA query_only = 1")
        read_only.result()
        with pytest.raises(StateUnavailable):
            await table.store.add_versions([version(A, 9)])
        table.use(ObjectKey(SHOP, "Cart", "foo"))
        with pytest.raises(StateUnavailable):
            await table.deploy((A, 100))
        assert table.use(ObjectKey(SHOP, "Cart", "bar")).assigned == A

        table.store._thread.submit(table.store._database.execute, "PRAGMA query_only = 0").result()
        await table.objects.flush()
        assert set(await table.past(1)) == {"foo", "bar"}
