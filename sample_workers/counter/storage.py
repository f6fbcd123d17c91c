"""The storage of the objects: one SQLite file that all versions of the Worker share (R4).

Only one version runs an object at a time (R46), but the processes of two versions keep the file open together:
hence WAL, a patient busy timeout, and nothing but single statements, each of which is atomic by itself.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

BUSY_TIMEOUT_SECONDS = 10.0

# Both versions create it and both can read what the other wrote (R51): a new column would need a default.
SCHEMA = """
CREATE TABLE IF NOT EXISTS counters (
    object     TEXT PRIMARY KEY,
    count      INTEGER NOT NULL DEFAULT 0,
    resets     INTEGER NOT NULL DEFAULT 0,
    last_reset TEXT  -- JSON
) WITHOUT ROWID
"""

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Stored:
    """What storage knows of one object; it outlives every version that ran it."""

    count: int = 0
    resets: int = 0
    last_reset: Mapping[str, Any] | None = None


class Storage:
    """Counts and resets by object; every call runs in one thread of its own, in the order of the calls."""

    def __init__(self, thread: ThreadPoolExecutor, connection: sqlite3.Connection) -> None:
        self._thread = thread
        self._connection = connection

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open the file, made if need be.

        Raises:
            OSError: Its folder cannot be made.
            sqlite3.Error: It cannot be opened, or is no database.
        """
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="counter-storage")
        try:
            connection = await asyncio.get_running_loop().run_in_executor(thread, _connect, path)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(thread, connection)

    async def close(self) -> None:
        """Close the file, after what was asked before."""
        await self._run(self._connection.close)
        self._thread.shutdown(wait=False)

    async def read(self, name: str) -> Stored:
        """Return what is stored of an object, zeros for one that was never used."""
        return await self._row("SELECT count, resets, last_reset FROM counters WHERE object = ?", name)

    async def increment(self, name: str, by: int = 1) -> Stored:
        """Add to an object's count; return what is stored then."""
        return await self._row(
            "INSERT INTO counters (object, count) VALUES (?, ?)"
            " ON CONFLICT (object) DO UPDATE SET count = count + excluded.count"
            " RETURNING count, resets, last_reset",
            name,
            by,
        )

    async def record_reset(self, name: str, reset: Mapping[str, Any]) -> Stored:
        """Remember one more reset of an object, and why; return what is stored then."""
        return await self._row(
            "INSERT INTO counters (object, resets, last_reset) VALUES (?, 1, ?)"
            " ON CONFLICT (object) DO UPDATE SET resets = resets + 1, last_reset = excluded.last_reset"
            " RETURNING count, resets, last_reset",
            name,
            json.dumps(reset),
        )

    async def _row(self, statement: str, *values: str | int) -> Stored:
        # fetchall, not fetchone: a RETURNING statement commits when it has been read to its end.
        rows = await self._run(lambda: self._connection.execute(statement, values).fetchall())
        if not rows:
            return Stored()
        count, resets, last_reset = rows[0]
        return Stored(count, resets, json.loads(last_reset) if last_reset else None)

    async def _run(self, work: Callable[[], ResultT]) -> ResultT:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)
    try:
        _switch_to_wal(connection)
        # WAL with NORMAL keeps what was acknowledged when the process is killed, without a sync at each count.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # Two versions that start together may both switch a new file: SQLite then refuses one of them at once,
    # without its busy timeout, since waiting could be a deadlock.
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
