"""The store on SQLite: WAL, one schema, one thread that writes; what it acknowledged survives kill -9."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, TypeVarTuple

from gateway.errors import StateTooNew, StateUnavailable
from gateway.model.deployment import CodeUpdate, Cohort, Deployment, DeploymentId, VersionShare
from gateway.model.logpush_job import JobState, LogpushJob, OutputOptions
from gateway.model.version import (
    CommandRuntime,
    Runtime,
    UrlRuntime,
    Version,
    VersionId,
    WorkerName,
)
from gateway.model.worker import Namespace, Schedule, WorkerState
from gateway.model.worker_code import Binding, Module, ModuleKind, WorkerdRuntime
from gateway.store.lock import FolderLock
from gateway.store.object_query import MOVES_OF_RANGE, OBJECT_COLUMNS, PINS_OF_RANGE, IdRange, page_query
from gateway.store.store import RunningRow

MIGRATIONS = ("schema.sql", "schema_2.sql", "schema_3.sql")
"""Each leads to the next version of the schema; one that was released is never edited."""

SCHEMA_VERSION = len(MIGRATIONS)
DATABASE = "gateway.sqlite"
PRIVATE_MODE = 0o600
"""Secrets of versions stand in the database (design 9)."""


class ObjectRow(NamedTuple):
    """A row of ``objects``; versions and deployments by number."""

    class_key: int
    id: bytes
    name: str | None
    first_version: int
    first_deployment: int
    version: int
    deployment: int
    running: int
    resets: int
    first_used: float
    last_used: float


class MoveRow(NamedTuple):
    """A row of ``moves``."""

    class_key: int
    id: bytes
    deployment: int
    from_version: int
    to_version: int
    at: float
    cause: str


class PinRow(NamedTuple):
    """A row of ``pins``."""

    class_key: int
    id: bytes
    version: int
    since_deployment: int
    until_deployment: int | None
    at: float


class ObjectHistory(NamedTuple):
    """All that is stored of one object; ``row`` is ``None`` where it was never used."""

    row: ObjectRow | None
    moves: list[MoveRow]
    pins: list[PinRow]


LoadedObject = tuple[bytes, int, int, int, int, float, float]
"""(id, version, deployment, running, resets, first_used, last_used)"""

Args = TypeVarTuple("Args")
Result = TypeVar("Result")


class SqliteStore:
    """Versions, deployments, objects, pins, on disk.

    All work happens in one thread of its own, so that the loop never waits for the disk, and in transactions, so
    that nothing is ever half written.

    Raises:
        StateInUse: Another gateway holds the folder. StateTooNew: A newer one has written it.
        StateUnavailable: The folder or database cannot be used; every method may raise it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = FolderLock(folder)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        try:
            self._database = self._thread.submit(self._open).result()
        except (sqlite3.Error, StateTooNew) as error:
            self._thread.shutdown()
            self._lock.release()
            raise error if isinstance(error, StateTooNew) else StateUnavailable(folder, error) from error

    def _open(self) -> sqlite3.Connection:
        path = self.folder / DATABASE
        path.touch(PRIVATE_MODE)
        path.chmod(PRIVATE_MODE)
        database = sqlite3.connect(path, isolation_level=None)
        database.execute("PRAGMA journal_mode = WAL")
        # FULL: what was acknowledged also survives the machine's loss of power, not only our own end.
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA foreign_keys = ON")
        (found,) = database.execute("PRAGMA user_version").fetchone()
        if found > SCHEMA_VERSION:
            database.close()
            raise StateTooNew(self.folder, found)
        for number, name in enumerate(MIGRATIONS[found:], found + 1):
            script = files("gateway.store").joinpath(name).read_text("utf-8")
            database.executescript(f"BEGIN;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
        return database

    async def close(self) -> None:
        """Finish what is under way and let go of the folder."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._database.close)
        self._thread.shutdown()
        self._lock.release()

    # Versions and deployments.

    def load_versions(self) -> list[Version]:
        """Return all versions, in the order of their numbers."""
        return self._now(_load_versions)

    def load_deployments(self) -> list[Deployment]:
        """Return all deployments, in the order of their numbers."""
        return self._now(_load_deployments)

    async def add_versions(self, versions: Sequence[Version]) -> None:
        """Remember new versions, all or none."""
        await self._later(_insert_versions, versions)

    async def remove_version(self, version_id: VersionId) -> None:
        """Forget a version that came to nothing: no deployment has ever named it."""
        await self._later(_delete_version, version_id)

    async def add_deployment(
        self,
        deployment: Deployment,
        notes: Sequence[tuple[str, str]] = (),
        workers: Sequence[WorkerState] = (),
        moved: Sequence[RunningRow] = (),
    ) -> None:
        """Remember a deployment, with the notes, the Workers' states and the moved objects that go with it.

        All in one transaction: with it a move of objects becomes final.
        """
        await self._later(_insert_deployment, deployment, notes, workers, moved)

    # Workers.

    def load_workers(self) -> list[WorkerState]:
        """Return the state of all Workers that have one."""
        return self._now(_load_workers)

    async def save_worker(self, state: WorkerState) -> None:
        """Remember a Worker's state."""
        await self._later(_write_worker, state)

    async def delete_worker(self, name: WorkerName) -> None:
        """Forget a Worker with its versions, deployments and objects."""
        await self._later(_delete_worker, name)

    # Logpush jobs.

    def load_logpush_jobs(self) -> list[LogpushJob]:
        """Return all jobs, in the order of their ids."""
        return self._now(_load_logpush_jobs)

    async def add_logpush_job(self, job: LogpushJob) -> LogpushJob:
        """Remember a new job, and return it with its id."""
        return await self._later(_insert_logpush_job, job)

    async def save_logpush_job(self, job: LogpushJob) -> None:
        """Remember what a job has become; one that was deleted meanwhile stays so."""
        await self._later(_write_logpush_job, job)

    async def delete_logpush_job(self, job_id: int) -> None:
        """Forget a job."""
        await self._later(_delete_logpush_job, job_id)

    # Notes.

    async def note(self, key: str) -> str | None:
        """Return what was noted under ``key``."""
        return await self._later(_note, key)

    # Objects.

    def class_key(self, worker: WorkerName, class_name: str) -> int:
        """Return the key of a class, made at first sight; called while a configuration is applied."""
        return self._now(_class_key, worker, class_name)

    async def find_class_key(self, worker: WorkerName, class_name: str) -> int | None:
        """Return the key of a class, if it has one."""
        return await self._later(_find_class_key, worker, class_name)

    def load_class_names(self) -> list[tuple[WorkerName, str]]:
        """Return Worker and class of all classes; of one on workerd its namespace's unique key."""
        return self._now(_load_class_names)

    def load_objects(self, class_key: int) -> list[LoadedObject]:
        """Return all objects of a class."""
        return self._now(_load_objects, class_key)

    def load_pins(self, class_key: int) -> list[tuple[bytes, int]]:
        """Return (id, version number) of the pins that hold."""
        return self._now(_load_pins, class_key)

    async def write_objects(self, rows: Sequence[ObjectRow], moves: Sequence[MoveRow]) -> None:
        """Write new and changed objects with the moves behind the changes, all or none."""
        await self._later(_write_objects, rows, moves)

    async def write_running(self, moved: Sequence[RunningRow]) -> None:
        """Write which version objects run now, all or none: with it a move becomes final."""
        await self._later(_write_running, moved)

    async def delete_class(self, worker: WorkerName, class_name: str) -> None:
        """Forget a class with all its objects."""
        await self._later(_delete_class, worker, class_name)

    async def write_pin(self, class_key: int, object_id: bytes, pin: PinRow | None, until_deployment: int) -> None:
        """End the object's pin, and begin ``pin`` if there is one."""
        await self._later(_write_pin, class_key, object_id, pin, until_deployment)

    async def objects_page(self, class_key: int, search: str, after: bytes, limit: int) -> list[ObjectRow]:
        """Return objects by id, those whose name or hex id holds ``search``, from the one after ``after``."""
        return await self._later(_objects_page, class_key, search, after, limit)

    async def object_history(self, class_key: int, object_id: bytes) -> ObjectHistory:
        """Return an object's row, its moves in order, and its pins in order."""
        return await self._later(_object_history, class_key, object_id)

    async def moves_and_pins(
        self, class_key: int, ranges: Sequence[IdRange]
    ) -> tuple[list[MoveRow], list[PinRow]]:
        """Return the moves and pins of the objects in some ranges of ids; those of one object in order."""
        return await self._later(_moves_and_pins, class_key, ranges)

    # How work gets to the thread.

    def _now(self, work: Callable[[sqlite3.Connection, *Args], Result], *args: *Args) -> Result:
        """Run at start, before the loop has anything else to do."""
        return self._thread.submit(partial(self._guarded, work, *args)).result()

    async def _later(self, work: Callable[[sqlite3.Connection, *Args], Result], *args: *Args) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._guarded, work, *args)

    def _guarded(self, work: Callable[[sqlite3.Connection, *Args], Result], *args: *Args) -> Result:
        """Run in the thread, in one transaction."""
        database = self._database
        try:
            database.execute("BEGIN")
            try:
                result = work(database, *args)
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise StateUnavailable(self.folder, error) from error
        return result


def _runtime_to_json(runtime: Runtime) -> str:
    return json.dumps({"kind": _KINDS[type(runtime)], **asdict(runtime)})


def _runtime_from_json(text: str) -> Runtime:
    fields = json.loads(text)
    kind = fields.pop("kind")
    if kind == "url":
        return UrlRuntime(**fields)
    if kind == "workerd":
        return WorkerdRuntime(
            fields["main_module"],
            tuple(Module(**{**module, "kind": ModuleKind(module["kind"])}) for module in fields["modules"]),
            tuple(Binding(**binding) for binding in fields["bindings"]),
            fields["compatibility_date"],
            tuple(fields["compatibility_flags"]),
        )
    env = tuple((name, value) for name, value in fields.pop("env"))
    return CommandRuntime(argv=tuple(fields.pop("argv")), env=env, **fields)


_KINDS: dict[type, str] = {UrlRuntime: "url", CommandRuntime: "command", WorkerdRuntime: "workerd"}


def _load_versions(db: sqlite3.Connection) -> list[Version]:
    rows = db.execute(
        "SELECT id, worker, number, runtime, created_on, tag, message, source, author, triggered_by, alias, "
        "migration_tag FROM versions ORDER BY number"
    )
    return [
        Version(
            VersionId(id_),
            WorkerName(worker),
            number,
            _runtime_from_json(runtime),
            datetime.fromisoformat(created),
            *rest,
        )
        for id_, worker, number, runtime, created, *rest in rows
    ]


def _insert_versions(db: sqlite3.Connection, versions: Sequence[Version]) -> None:
    db.executemany(
        "INSERT INTO versions (id, worker, number, runtime, created_on, tag, message, source, author, "
        "triggered_by, alias, migration_tag) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                version.id,
                version.worker,
                version.number,
                _runtime_to_json(version.runtime),
                version.created_on.isoformat(),
                version.tag,
                version.message,
                version.source,
                version.author,
                version.triggered_by,
                version.alias,
                version.migration_tag,
            )
            for version in versions
        ],
    )


def _delete_version(db: sqlite3.Connection, version_id: VersionId) -> None:
    db.execute("DELETE FROM versions WHERE id = ?", (version_id,))


def _shares_to_json(shares: Iterable[VersionShare]) -> list[tuple[str, float]]:
    return [(share.version_id, share.percentage) for share in shares]


def _shares_from_json(rows: Iterable[Sequence[Any]]) -> tuple[VersionShare, ...]:
    return tuple(VersionShare(VersionId(id_), percentage) for id_, percentage in rows)


def _load_deployments(db: sqlite3.Connection) -> list[Deployment]:
    rows = db.execute(
        "SELECT id, worker, number, versions, created_on, source, author, message, triggered_by, cohorts, "
        "code_update FROM deployments ORDER BY worker, number"
    )
    return [
        Deployment(
            DeploymentId(id_),
            WorkerName(worker),
            number,
            _shares_from_json(json.loads(versions)),
            datetime.fromisoformat(created),
            source,
            author,
            message,
            triggered_by,
            tuple(Cohort(name, _shares_from_json(shares)) for name, shares in json.loads(cohorts)),
            CodeUpdate(*json.loads(code_update)),
        )
        for (
            id_, worker, number, versions, created, source, author, message, triggered_by, cohorts, code_update,
        ) in rows
    ]  # fmt: skip


def _insert_deployment(
    db: sqlite3.Connection,
    deployment: Deployment,
    notes: Sequence[tuple[str, str]],
    workers: Sequence[WorkerState],
    moved: Sequence[RunningRow],
) -> None:
    db.execute(
        "INSERT INTO deployments (id, worker, number, versions, created_on, source, author, message, "
        "triggered_by, cohorts, code_update) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            deployment.id,
            deployment.worker,
            deployment.number,
            json.dumps(_shares_to_json(deployment.versions)),
            deployment.created_on.isoformat(),
            deployment.source,
            deployment.author,
            deployment.message,
            deployment.triggered_by,
            json.dumps([(cohort.name, _shares_to_json(cohort.versions)) for cohort in deployment.cohorts]),
            json.dumps([deployment.code_update.mode, deployment.code_update.max_delay_seconds]),
        ),
    )
    _write_notes(db, notes)
    for worker in workers:
        _write_worker(db, worker)
    _write_running(db, moved)


def _load_workers(db: sqlite3.Connection) -> list[WorkerState]:
    return [_worker_from_json(text) for (text,) in db.execute("SELECT state FROM workers ORDER BY name")]


def _worker_from_json(text: str) -> WorkerState:
    fields = json.loads(text)
    fields["namespaces"] = tuple(Namespace(**one) for one in fields["namespaces"])
    fields["schedules"] = tuple(Schedule(**one) for one in fields["schedules"])
    for name in ("retired_keys", "routes", "domains", "deleted_deployments"):
        fields[name] = tuple(fields[name])
    return WorkerState(**fields)


def _write_worker(db: sqlite3.Connection, state: WorkerState) -> None:
    db.execute(
        "INSERT INTO workers (name, state) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET state = excluded.state",
        (state.name, json.dumps(asdict(state))),
    )


def _delete_worker(db: sqlite3.Connection, name: WorkerName) -> None:
    of_class = "(SELECT key FROM classes WHERE worker = ?)"
    for table in ("objects", "moves", "pins"):
        db.execute(f"DELETE FROM {table} WHERE class IN {of_class}", (name,))  # noqa: S608 - constants
    for table in ("classes", "versions", "deployments"):
        db.execute(f"DELETE FROM {table} WHERE worker = ?", (name,))  # noqa: S608 - constants
    db.execute("DELETE FROM workers WHERE name = ?", (name,))
    db.execute("DELETE FROM notes WHERE key = ?", (f"file-deployment:{name}",))


def _load_logpush_jobs(db: sqlite3.Connection) -> list[LogpushJob]:
    rows = db.execute("SELECT id, job FROM logpush_jobs ORDER BY id")
    return [_logpush_job_from_json(job_id, text) for job_id, text in rows]


def _logpush_job_from_json(job_id: int, text: str) -> LogpushJob:
    fields = json.loads(text)
    output = fields.pop("output")
    output["field_names"] = tuple(output["field_names"])
    state = JobState(**fields.pop("state"))
    return LogpushJob(**{**fields, "id": job_id}, output=OutputOptions(**output), state=state)


def _insert_logpush_job(db: sqlite3.Connection, job: LogpushJob) -> LogpushJob:
    cursor = db.execute("INSERT INTO logpush_jobs (job) VALUES (?)", (json.dumps(asdict(job)),))
    return replace(job, id=cursor.lastrowid or 0)


def _write_logpush_job(db: sqlite3.Connection, job: LogpushJob) -> None:
    db.execute("UPDATE logpush_jobs SET job = ? WHERE id = ?", (json.dumps(asdict(job)), job.id))


def _delete_logpush_job(db: sqlite3.Connection, job_id: int) -> None:
    db.execute("DELETE FROM logpush_jobs WHERE id = ?", (job_id,))


def _write_notes(db: sqlite3.Connection, notes: Sequence[tuple[str, str]]) -> None:
    db.executemany(
        "INSERT INTO notes (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        notes,
    )


def _note(db: sqlite3.Connection, key: str) -> str | None:
    row = db.execute("SELECT value FROM notes WHERE key = ?", (key,)).fetchone()
    return row[0] if row else None


def _class_key(db: sqlite3.Connection, worker: WorkerName, class_name: str) -> int:
    db.execute("INSERT OR IGNORE INTO classes (worker, class) VALUES (?, ?)", (worker, class_name))
    (key,) = db.execute("SELECT key FROM classes WHERE worker = ? AND class = ?", (worker, class_name)).fetchone()
    return int(key)


def _find_class_key(db: sqlite3.Connection, worker: WorkerName, class_name: str) -> int | None:
    row = db.execute("SELECT key FROM classes WHERE worker = ? AND class = ?", (worker, class_name)).fetchone()
    return int(row[0]) if row else None


def _load_objects(db: sqlite3.Connection, class_key: int) -> list[LoadedObject]:
    rows = db.execute(
        "SELECT id, version, deployment, running, resets, first_used, last_used FROM objects WHERE class = ?",
        (class_key,),
    )
    return rows.fetchall()


def _load_pins(db: sqlite3.Connection, class_key: int) -> list[tuple[bytes, int]]:
    query = "SELECT id, version FROM pins WHERE class = ? AND until_deployment IS NULL"
    return db.execute(query, (class_key,)).fetchall()


def _write_objects(db: sqlite3.Connection, rows: Sequence[ObjectRow], moves: Sequence[MoveRow]) -> None:
    # What an object was first stays; a name, once known, is not forgotten.
    db.executemany(
        f"INSERT INTO objects ({OBJECT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608 - constants
        "ON CONFLICT (class, id) DO UPDATE SET version = excluded.version, deployment = excluded.deployment, "
        "running = excluded.running, resets = excluded.resets, last_used = excluded.last_used, "
        "name = coalesce(name, excluded.name)",
        rows,
    )
    db.executemany("INSERT INTO moves VALUES (?, ?, ?, ?, ?, ?, ?)", moves)


def _write_running(db: sqlite3.Connection, moved: Sequence[RunningRow]) -> None:
    db.executemany("UPDATE objects SET running = ? WHERE class = ? AND id = ?", moved)


def _load_class_names(db: sqlite3.Connection) -> list[tuple[WorkerName, str]]:
    return [(WorkerName(worker), name) for worker, name in db.execute("SELECT worker, class FROM classes")]


def _delete_class(db: sqlite3.Connection, worker: WorkerName, class_name: str) -> None:
    which = (worker, class_name)
    of_class = "(SELECT key FROM classes WHERE worker = ? AND class = ?)"
    for table in ("objects", "moves", "pins"):
        db.execute(f"DELETE FROM {table} WHERE class IN {of_class}", which)  # noqa: S608 - constants
    db.execute("DELETE FROM classes WHERE worker = ? AND class = ?", which)


def _write_pin(
    db: sqlite3.Connection, class_key: int, object_id: bytes, pin: PinRow | None, until_deployment: int
) -> None:
    db.execute(
        "UPDATE pins SET until_deployment = ? WHERE class = ? AND id = ? AND until_deployment IS NULL",
        (until_deployment, class_key, object_id),
    )
    if pin is not None:
        db.execute("INSERT INTO pins VALUES (?, ?, ?, ?, ?, ?)", pin)


def _objects_page(
    db: sqlite3.Connection, class_key: int, search: str, after: bytes, limit: int
) -> list[ObjectRow]:
    text, values = page_query(class_key, search, after, limit)
    return [ObjectRow(*row) for row in db.execute(text, values)]


def _object_history(db: sqlite3.Connection, class_key: int, object_id: bytes) -> ObjectHistory:
    key = (class_key, object_id)
    query = f"SELECT {OBJECT_COLUMNS} FROM objects WHERE class = ? AND id = ?"  # noqa: S608 - constants
    row = db.execute(query, key).fetchone()
    moves = db.execute("SELECT * FROM moves WHERE class = ? AND id = ? ORDER BY rowid", key)
    pins = db.execute("SELECT * FROM pins WHERE class = ? AND id = ? ORDER BY rowid", key)
    return ObjectHistory(
        ObjectRow(*row) if row else None, [MoveRow(*move) for move in moves], [PinRow(*pin) for pin in pins]
    )


def _moves_and_pins(
    db: sqlite3.Connection, class_key: int, ranges: Sequence[IdRange]
) -> tuple[list[MoveRow], list[PinRow]]:
    moves = [MoveRow(*move) for one in ranges for move in db.execute(MOVES_OF_RANGE, (class_key, *one))]
    pins = [PinRow(*pin) for one in ranges for pin in db.execute(PINS_OF_RANGE, (class_key, *one))]
    return moves, pins
