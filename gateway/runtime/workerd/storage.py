"""Objects as files: one folder a version, one a namespace in it, one database an object, one table of alarms.

``<root>/<worker>/<version>/<unique key>/<id>.sqlite`` (with ``-wal`` and ``-shm``), and ``metadata.sqlite``
beside them, which workerd reads alarms from when it starts. Where an object's ``.sqlite`` lies says who owns it;
nothing in workerd keeps two processes off one file (runtime.md, section 2). All functions here block: call them in
a thread.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from gateway.model.version import VersionId, WorkerName

METADATA: Final = "metadata.sqlite"
_DATABASE: Final = re.compile(r"([0-9a-f]{64})\.sqlite")
_PART: Final = re.compile(r"([0-9a-f]{64})\.")
_ALARMS: Final = (
    "CREATE TABLE IF NOT EXISTS _cf_ALARM (actor_id TEXT PRIMARY KEY, scheduled_time INTEGER) WITHOUT ROWID"
)
_BUSY_SECONDS: Final = 5.0
_NS_PER_MS: Final = 1_000_000


class StoredObject(NamedTuple):
    """An object by its namespace's unique key and its id."""

    key: str
    id: bytes


class Move(NamedTuple):
    """An object that changes its owner."""

    object: StoredObject
    from_version: VersionId
    to_version: VersionId


class ObjectStorage:
    """The storage of all objects of one Worker."""

    def __init__(self, root: Path, worker: WorkerName) -> None:
        self.root = root / worker

    def folder_of(self, version_id: VersionId) -> Path:
        """Return the folder that a version's process keeps its objects in."""
        return self.root / version_id

    def _folder(self, version_id: VersionId, key: str) -> Path:
        return self.root / version_id / key

    def versions(self) -> list[VersionId]:
        """Return the versions that have a folder."""
        with contextlib.suppress(FileNotFoundError):
            return [VersionId(entry.name) for entry in os.scandir(self.root) if entry.is_dir()]
        return []

    def keys(self, version_id: VersionId) -> list[str]:
        """Return the namespaces that a version's folder holds."""
        with contextlib.suppress(FileNotFoundError):
            return [entry.name for entry in os.scandir(self.folder_of(version_id)) if entry.is_dir()]
        return []

    def ids(self, version_id: VersionId, key: str) -> set[bytes]:
        """Return the objects whose database lies in a version's folder."""
        return {bytes.fromhex(match[1]) for match in self._names(version_id, key, _DATABASE)}

    def _names(self, version_id: VersionId, key: str, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(self._folder(version_id, key)):
                if match := pattern.fullmatch(entry.name):
                    yield match

    def holds(self, version_id: VersionId, one: StoredObject) -> bool:
        """Tell whether an object's database lies in a version's folder."""
        return (self._folder(version_id, one.key) / f"{one.id.hex()}.sqlite").exists()

    def size_bytes(self, version_id: VersionId, one: StoredObject) -> int:
        """Return what an object's files take on disk."""
        name = one.id.hex()
        total = 0
        for ending in (".sqlite", ".sqlite-wal"):
            with contextlib.suppress(FileNotFoundError):
                total += (self._folder(version_id, one.key) / f"{name}{ending}").stat().st_size
        return total

    # Moving.

    def carry(self, moves: Iterable[Move]) -> None:
        """Move objects' files to their new owners, each file in one step; what lies there under the id goes.

        Raises:
            OSError: A file could not be moved; those moved so far stay moved (``carry`` the other way).
        """
        for key, from_version, to_version, ids in _grouped(moves):
            source, target = self._folder(from_version, key), self._folder(to_version, key)
            target.mkdir(parents=True, exist_ok=True)
            parts = _parts(source, ids)
            for object_id, names in _parts(target, parts.keys()).items():
                if f"{object_id}.sqlite" in parts[object_id]:
                    _remove(target, names)
            _rename_all(source, target, parts.values())

    def give(
        self, version_id: VersionId, key: str, ids: Iterable[bytes], taker: ObjectStorage, to_version: VersionId
    ) -> None:
        """Move files of a namespace's objects to another Worker's storage.

        Raises:
            OSError: A file could not be moved; those moved so far stay moved.
        """
        source, target = self._folder(version_id, key), taker._folder(to_version, key)
        target.mkdir(parents=True, exist_ok=True)
        _rename_all(source, target, _parts(source, {id_.hex() for id_ in ids}).values())

    def remove(self, version_id: VersionId, objects: Iterable[StoredObject]) -> None:
        """Delete objects' files from a version's folder: strays of an object that another version owns."""
        for key in {one.key for one in objects}:
            folder = self._folder(version_id, key)
            for names in _parts(folder, {one.id.hex() for one in objects if one.key == key}).values():
                _remove(folder, names)

    def remove_namespace(self, key: str) -> None:
        """Delete all objects of a namespace, in every version's folder."""
        for version_id in self.versions():
            shutil.rmtree(self._folder(version_id, key), ignore_errors=True)

    def remove_all(self) -> None:
        """Delete all objects of the Worker."""
        shutil.rmtree(self.root, ignore_errors=True)

    # Alarms.

    def alarms(self, version_id: VersionId, key: str) -> dict[bytes, int]:
        """Return the alarms in a version's folder, in milliseconds since the epoch; workerd may be running."""
        path = self._folder(version_id, key) / METADATA
        if not path.exists():
            return {}
        with contextlib.closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as database:
            try:
                rows = database.execute("SELECT actor_id, scheduled_time FROM _cf_ALARM").fetchall()
            except sqlite3.OperationalError:
                return {}  # no alarm was ever set here
        return {bytes.fromhex(actor): time // _NS_PER_MS for actor, time in rows}

    def set_alarms(self, version_id: VersionId, key: str, alarms: Mapping[bytes, int]) -> None:
        """Schedule alarms, in milliseconds, of a version whose process does not run."""
        with contextlib.closing(self._alarm_table(version_id, key)) as database, database:
            database.executemany(
                "INSERT INTO _cf_ALARM (actor_id, scheduled_time) VALUES (?, ?) "
                "ON CONFLICT (actor_id) DO UPDATE SET scheduled_time = excluded.scheduled_time",
                [(object_id.hex(), time_ms * _NS_PER_MS) for object_id, time_ms in alarms.items()],
            )

    def delete_alarms(self, version_id: VersionId, key: str, ids: Iterable[bytes]) -> None:
        """Delete alarms of a version whose process does not run."""
        with contextlib.closing(self._alarm_table(version_id, key)) as database, database:
            database.executemany(
                "DELETE FROM _cf_ALARM WHERE actor_id = ?", [(object_id.hex(),) for object_id in ids]
            )

    def _alarm_table(self, version_id: VersionId, key: str) -> sqlite3.Connection:
        path = self._folder(version_id, key) / METADATA
        path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(path, timeout=_BUSY_SECONDS)
        database.execute(_ALARMS)
        return database


def _grouped(moves: Iterable[Move]) -> Iterator[tuple[str, VersionId, VersionId, set[str]]]:
    groups: dict[tuple[str, VersionId, VersionId], set[str]] = {}
    for move in moves:
        group = groups.setdefault((move.object.key, move.from_version, move.to_version), set())
        group.add(move.object.id.hex())
    for (key, from_version, to_version), ids in groups.items():
        yield key, from_version, to_version, ids


def _parts(folder: Path, ids: Collection[str]) -> dict[str, list[str]]:
    """Return the files of some objects by their ids; the folder is listed once."""
    found: dict[str, list[str]] = {}
    if not ids:
        return found
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir(folder):
            match = _PART.match(entry.name)
            if match and match[1] in ids:
                found.setdefault(match[1], []).append(entry.name)
    return found


def _rename_all(source: Path, target: Path, objects: Iterable[list[str]]) -> None:
    """Move objects' files between two folders; by descriptors, for a hundred thousand paths take twice as long."""
    if not source.exists():
        return
    from_fd = os.open(source, os.O_RDONLY)
    try:
        to_fd = os.open(target, os.O_RDONLY)
        try:
            for names in objects:
                # The database last: an end in between leaves it where its owner still is.
                for name in sorted(names, key=_database_last) if len(names) > 1 else names:
                    os.rename(name, name, src_dir_fd=from_fd, dst_dir_fd=to_fd)
        finally:
            os.close(to_fd)
    finally:
        os.close(from_fd)


def _database_last(name: str) -> tuple[bool, str]:
    return name.endswith(".sqlite"), name


def _remove(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        (folder / name).unlink(missing_ok=True)
