"""Objects as files: moved whole, alarms beside them, strays removed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.model.version import WorkerName
from gateway.runtime.workerd.storage import METADATA, Move, ObjectStorage, StoredObject
from tests.model.examples import A, B, C

KEY, OTHER_KEY = "shop-Cart", "shop-Order"
ONE, TWO = StoredObject(KEY, bytes([1]) * 32), StoredObject(KEY, bytes([2]) * 32)


@pytest.fixture
def storage(tmp_path: Path) -> ObjectStorage:
    """The storage of one Worker's objects, empty."""
    return ObjectStorage(tmp_path, WorkerName("shop"))


def lay(storage: ObjectStorage, version: str, one: StoredObject, *endings: str, content: str = "") -> None:
    """Lay an object's files into a version's folder."""
    folder = storage.root / version / one.key
    folder.mkdir(parents=True, exist_ok=True)
    for ending in endings or (".sqlite", ".sqlite-wal", ".sqlite-shm"):
        (folder / f"{one.id.hex()}{ending}").write_text(content or f"{version}{ending}", "utf-8")


def files(storage: ObjectStorage, version: str, key: str = KEY) -> dict[str, str]:
    """Return what a version's folder holds of a namespace: name -> content; ids by their first two digits."""
    folder = storage.root / version / key
    return {path.name[:2] + path.name[64:]: path.read_text("utf-8") for path in sorted(folder.glob("*"))}


def test_an_object_is_moved_with_all_its_files(storage: ObjectStorage) -> None:
    """Runtime.md 5: ``.sqlite``, ``-wal``, ``-shm``, and those of facets; nobody else's."""
    lay(storage, A, ONE, ".sqlite", ".sqlite-wal", ".sqlite-shm", ".facets", ".1.sqlite")
    lay(storage, A, TWO)

    storage.carry([Move(ONE, A, B)])

    assert files(storage, B).keys() == {"01.sqlite", "01.sqlite-wal", "01.sqlite-shm", "01.facets", "01.1.sqlite"}
    assert files(storage, A).keys() == {"02.sqlite", "02.sqlite-wal", "02.sqlite-shm"}
    assert (storage.holds(A, ONE), storage.holds(B, ONE)) == (False, True)


def test_what_lies_at_the_new_owner_under_the_same_id_goes(storage: ObjectStorage) -> None:
    """Runtime.md 5: an empty stray there must neither win nor mix: its log belongs to another database."""
    lay(storage, A, ONE, ".sqlite")
    lay(storage, B, ONE, content="stray")

    storage.carry([Move(ONE, A, B)])

    assert files(storage, B) == {"01.sqlite": f"{A}.sqlite"}


def test_an_object_that_left_no_files_takes_none_away(storage: ObjectStorage) -> None:
    """An object that was only touched has no file: what lies at its new owner stays."""
    lay(storage, B, ONE)

    storage.carry([Move(ONE, A, B)])

    assert files(storage, B)["01.sqlite"] == f"{B}.sqlite"


def test_moves_of_many_objects_between_many_versions_are_made_at_once(storage: ObjectStorage) -> None:
    """One call carries a whole deployment's moves."""
    other = StoredObject(OTHER_KEY, ONE.id)
    for version, one in ((A, ONE), (B, TWO), (A, other)):
        lay(storage, version, one)

    storage.carry([Move(ONE, A, C), Move(TWO, B, A), Move(other, A, B)])

    assert (storage.ids(C, KEY), storage.ids(A, KEY), storage.ids(B, OTHER_KEY)) == ({ONE.id}, {TWO.id}, {ONE.id})
    assert storage.ids(A, OTHER_KEY) == storage.ids(B, KEY) == set()


def test_carrying_back_undoes_a_move_that_failed_half_way(storage: ObjectStorage) -> None:
    """The database is moved last: while it is not, the object is still where it was, and its log comes back."""
    lay(storage, A, ONE)
    target = storage.root / B / KEY
    (target / f"{ONE.id.hex()}.sqlite" / "in the way").mkdir(parents=True)

    with pytest.raises(OSError, match=r"\S"):
        storage.carry([Move(ONE, A, B)])

    assert storage.holds(A, ONE)


def test_folders_tell_versions_namespaces_and_objects(storage: ObjectStorage) -> None:
    """Runtime.md 9: the set of objects of a class is the directory listing."""
    assert (storage.versions(), storage.keys(A), storage.ids(A, KEY)) == ([], [], set())
    lay(storage, A, ONE)
    lay(storage, B, StoredObject(OTHER_KEY, TWO.id))
    (storage.root / A / KEY / METADATA).write_text("", "utf-8")

    assert sorted(storage.versions()) == [A, B]
    assert (storage.keys(A), storage.keys(B)) == ([KEY], [OTHER_KEY])
    assert (storage.ids(A, KEY), storage.ids(B, OTHER_KEY)) == ({ONE.id}, {TWO.id})


def test_an_objects_size_is_that_of_its_database_and_its_log(storage: ObjectStorage) -> None:
    """What the object table shows; the shared memory beside them is no storage."""
    lay(storage, A, ONE, content="12345")

    assert (storage.size_bytes(A, ONE), storage.size_bytes(B, ONE)) == (10, 0)


def test_strays_and_namespaces_are_removed_alone(storage: ObjectStorage) -> None:
    """A deleted class takes its own objects, in every version's folder, and no others."""
    for version in (A, B):
        for one in (ONE, TWO, StoredObject(OTHER_KEY, ONE.id)):
            lay(storage, version, one)

    storage.remove(A, [ONE])
    assert (storage.ids(A, KEY), storage.ids(B, KEY)) == ({TWO.id}, {ONE.id, TWO.id})
    storage.remove_namespace(KEY)
    assert [storage.ids(version, key) for key in (KEY, OTHER_KEY) for version in (A, B)] == [
        set(), set(), {ONE.id}, {ONE.id},
    ]  # fmt: skip
    storage.remove_all()
    assert storage.versions() == []


# Alarms.


def test_alarms_are_read_set_anew_and_deleted(storage: ObjectStorage) -> None:
    """Runtime.md 5: in milliseconds here, in nanoseconds in workerd's table."""
    assert storage.alarms(A, KEY) == {}
    storage.set_alarms(A, KEY, {ONE.id: 1_700_000_000_123, TWO.id: 5})
    storage.set_alarms(A, KEY, {TWO.id: 6})
    assert storage.alarms(A, KEY) == {ONE.id: 1_700_000_000_123, TWO.id: 6}
    assert storage.alarms(B, KEY) == {}

    storage.delete_alarms(A, KEY, [ONE.id])

    assert storage.alarms(A, KEY) == {TWO.id: 6}


def test_alarms_are_written_as_workerd_reads_them(storage: ObjectStorage) -> None:
    """The newer workerd has a column for the name too, which a row of ours leaves empty."""
    folder = storage.root / A / KEY
    folder.mkdir(parents=True)
    with closing(sqlite3.connect(folder / METADATA)) as database, database:
        database.execute(
            "CREATE TABLE _cf_ALARM "
            "(actor_id TEXT PRIMARY KEY, scheduled_time INTEGER, actor_name TEXT) WITHOUT ROWID"
        )

    storage.set_alarms(A, KEY, {ONE.id: 7})

    with closing(sqlite3.connect(folder / METADATA)) as database:
        rows = database.execute("SELECT actor_id, scheduled_time, actor_name FROM _cf_ALARM").fetchall()
    assert rows == [(ONE.id.hex(), 7_000_000, None)]


def test_a_database_that_never_had_an_alarm_has_none(storage: ObjectStorage) -> None:
    """Workerd makes the file before its table."""
    folder = storage.root / A / KEY
    folder.mkdir(parents=True)
    sqlite3.connect(folder / METADATA).close()

    assert storage.alarms(A, KEY) == {}
