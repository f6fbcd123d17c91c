"""The Durable Object table: in memory for the request path, on disk for the next start.

One column is one array: a million objects take less than 200 MB, hold nothing that the garbage collector must
walk, and a use changes two numbers in place. Versions and deployments stand as their numbers.

Writing lags behind: an assignment is a function of the object's id and the deployment in force at its first
access, so one that is lost with the process is made again, the same, by the next (design 5). Two things must not
lag. Before a deployment becomes active everything of the one before it is written, and first accesses wait
meanwhile; and a pin is written before it is acknowledged.
"""

from __future__ import annotations

import asyncio
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Final

import structlog

from gateway.errors import NotFound, PinError, StateUnavailable
from gateway.model.deployment import Deployment
from gateway.model.durable_object import (
    AssignedObject,
    AssignmentRule,
    ObjectKey,
    ObjectReset,
    native_object_id,
    object_id,
)
from gateway.model.version import Version, VersionId, WorkerName
from gateway.model.worker import Namespace
from gateway.routing.durable_objects import (
    Assignment,
    DeploymentStep,
    PinInterval,
    assign,
    follow_pinned,
    point_of_object,
    running_version,
    step_of,
)
from gateway.store.object_past import Past
from gateway.store.object_query import ranges_of
from gateway.store.sqlite import MoveRow, ObjectRow, PinRow, SqliteStore
from gateway.store.store import ObjectChange, ObjectEvent, ObjectView

log = structlog.get_logger("gateway.objects")

ACTIVE_SECONDS: Final = 10.0
"""R59: an object without events for this long has left memory."""

FLUSH_SECONDS: Final = 0.5
FLUSH_ROWS: Final = 5_000
"""Rows in one write, so that neither the loop nor the disk is busy for long."""

MOST_COUNTED: Final = 200_000
COUNTED_AT_ONCE: Final = 2_000
"""Objects asked for in one go before others get their turn on the loop."""

NAMED_ID_LENGTH: Final = 64


class ClassTable:
    """All objects of one class, by column; what is not on disk yet stands in ``dirty`` and ``moves``."""

    def __init__(self, class_name: str, key: int, unique_key: str = "") -> None:
        self.class_name = class_name
        self.key = key
        self.unique_key = unique_key
        self.rows: dict[bytes, int] = {}
        self.version = array("I")
        self.deployment = array("I")
        self.judged = array("I")
        self.running = array("I")
        self.resets = array("I")
        self.first_used = array("d")
        self.last_used = array("d")
        self.pins: dict[bytes, int] = {}
        self.sockets: Counter[bytes] = Counter()
        self.wait_ends_at: dict[bytes, float] = {}
        # A name is held in memory only until it is written.
        self.dirty: dict[bytes, str | None] = {}
        self.moves: list[MoveRow] = []

    def add(
        self,
        id_: bytes,
        version: int,
        deployment: int,
        running: int,
        resets: int,
        first_used: float,
        last_used: float,
    ) -> int:
        """Append a row, judged up to the deployment that assigned it."""
        row = self.rows[id_] = len(self.version)
        self.version.append(version)
        self.deployment.append(deployment)
        self.judged.append(deployment)
        self.running.append(running)
        self.resets.append(resets)
        self.first_used.append(first_used)
        self.last_used.append(last_used)
        return row

    def stored_row(self, id_: bytes, name: str | None) -> ObjectRow:
        """Return the row as it goes to disk."""
        row = self.rows[id_]
        version, deployment = self.version[row], self.deployment[row]
        return ObjectRow(
            self.key,
            id_,
            name,
            version,
            deployment,
            version,
            deployment,
            self.running[row],
            self.resets[row],
            self.first_used[row],
            self.last_used[row],
        )


class WorkerObjects:
    """The classes of one Worker, and the deployments its objects are judged by."""

    def __init__(self, rule: AssignmentRule) -> None:
        self.rule = rule
        self.classes: dict[str, ClassTable] = {}
        self.steps: list[DeploymentStep] = []
        self.wait_limits: list[float] = []
        self.number_of: dict[VersionId, int] = {}
        self.version_of: dict[int, VersionId] = {}
        self.runnable: frozenset[VersionId] = frozenset()
        self.activation: asyncio.Event | None = None

    @property
    def current(self) -> int:
        """Number of the active deployment, 0 before the first."""
        return len(self.steps)

    def add_deployment(self, deployment: Deployment) -> None:
        """Judge by ``deployment`` from now on."""
        self.steps.append(step_of(deployment))
        self.wait_limits.append(wait_limit(deployment))


def wait_limit(deployment: Deployment) -> float:
    """Return until when objects may keep an older version (R60), in seconds since the epoch; 0 for not at all."""
    update = deployment.code_update
    return deployment.created_on.timestamp() + update.max_delay_seconds if update.mode == "deferred" else 0.0


class ObjectTable:
    """See the module's first line; ``DurableObjects`` for the data plane, the rest for the control plane."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._workers: dict[WorkerName, WorkerObjects] = {}
        self._flushing = asyncio.Lock()
        self._trouble = ""

    @property
    def workers(self) -> Collection[WorkerName]:
        """The Workers the table knows."""
        return self._workers.keys()

    # Set up, while a configuration is applied.

    def set_worker(self, worker: WorkerName, rule: AssignmentRule, class_names: Iterable[str]) -> None:
        """Know a Worker's classes, loading what is on disk of those that are new.

        Raises:
            StateUnavailable: The store cannot be read.
        """
        known = self._workers.setdefault(worker, WorkerObjects(rule))
        known.rule = rule
        for name in class_names:
            if name not in known.classes:
                known.classes[name] = self._load(worker, name)

    def set_namespaces(self, worker: WorkerName, rule: AssignmentRule, namespaces: Iterable[Namespace]) -> None:
        """Know a Worker's namespaces on workerd; a renamed one keeps its objects, one that is gone is forgotten.

        Raises:
            StateUnavailable: The store cannot be read.
        """
        known = self._workers.setdefault(worker, WorkerObjects(rule))
        known.rule = rule
        before = {table.unique_key: table for table in known.classes.values() if table.unique_key}
        known.classes = {name: table for name, table in known.classes.items() if not table.unique_key}
        for one in namespaces:
            table = before.get(one.unique_key) or self._load(worker, one.unique_key, one.unique_key)
            table.class_name = one.class_name
            known.classes[one.class_name] = table

    def forget_worker(self, worker: WorkerName) -> None:
        """Forget a Worker that was deleted."""
        self._workers.pop(worker, None)

    def _load(self, worker: WorkerName, class_name: str, unique_key: str = "") -> ClassTable:
        table = ClassTable(class_name, self._store.class_key(worker, class_name), unique_key)
        for row in self._store.load_objects(table.key):
            table.add(*row)
        table.pins.update(self._store.load_pins(table.key))
        return table

    def add_versions(self, worker: WorkerName, versions: Iterable[Version]) -> None:
        """Know the numbers of a Worker's versions."""
        known = self._workers[worker]
        for version in versions:
            known.number_of[version.id] = version.number
            known.version_of[version.number] = version.id

    def set_runnable(self, worker: WorkerName, version_ids: frozenset[VersionId]) -> None:
        """Know which versions can answer; an object does not wait on a version that is gone."""
        self._workers[worker].runnable = version_ids

    # The request path.

    def use(self, key: ObjectKey, now: float) -> AssignedObject | None:
        """Return the object's version; see ``DurableObjects.use``."""
        known = self._workers[key.worker]
        table = known.classes[key.class_name]
        id_ = key.id
        row = self._judged_row(known, table, id_, key.name, now)
        if row is None:
            return None
        reset = None
        if table.running[row] != table.version[row]:
            reset = self._settle(known, table, id_, row, key, now)
        if id_ not in table.dirty:
            table.dirty[id_] = None
        table.last_used[row] = now
        version_of = known.version_of
        return AssignedObject(
            key,
            point_of_object(id_),
            version_of[table.version[row]],
            version_of[table.running[row]],
            table.deployment[row],
            id_ in table.pins,
            reset,
        )

    def peek(self, key: ObjectKey) -> AssignedObject | None:
        """Return what ``use`` would say, changing nothing; ``None`` where the Worker has no such class."""
        known = self._workers.get(key.worker)
        if known is None or key.class_name not in known.classes or not known.steps:
            return None
        table, id_ = known.classes[key.class_name], key.id
        point, row = point_of_object(id_), known.classes[key.class_name].rows.get(id_)
        if row is None:
            held = assign(point, known.steps[-1])
            return AssignedObject(key, point, held.version_id, held.version_id, held.deployment_number)
        pin = table.pins.get(id_)
        pins = () if pin is None else (PinInterval(known.version_of[pin], 0, None),)
        held = Assignment(known.version_of[table.version[row]], table.deployment[row])
        held = follow_pinned(point, held, known.steps[table.judged[row] :], known.rule, pins)
        running = known.version_of[table.running[row]]
        if id_ not in table.wait_ends_at or running not in known.runnable:
            running = held.version_id
        return AssignedObject(key, point, held.version_id, running, held.deployment_number, pin is not None)

    async def activation_over(self) -> None:
        """Return when no deployment is being made active."""
        for known in list(self._workers.values()):
            if known.activation is not None:
                await known.activation.wait()

    def open_socket(self, key: ObjectKey) -> None:
        """Count a WebSocket of the object."""
        self._table(key.worker, key.class_name).sockets[key.id] += 1

    def close_socket(self, key: ObjectKey) -> None:
        """Uncount a WebSocket."""
        sockets = self._table(key.worker, key.class_name).sockets
        sockets[key.id] -= 1
        if sockets[key.id] <= 0:
            del sockets[key.id]

    def _judged_row(
        self, known: WorkerObjects, table: ClassTable, id_: bytes, name: str, now: float
    ) -> int | None:
        """Return an object's row, assigned and up to date; ``None`` for a first access that must wait."""
        row = table.rows.get(id_)
        if row is None:
            return None if known.activation is not None else self._first_use(known, table, id_, name, now)
        if table.judged[row] != len(known.steps):
            self._judge(known, table, id_, row, now)
        return row

    def _first_use(self, known: WorkerObjects, table: ClassTable, id_: bytes, name: str | None, now: float) -> int:
        held = assign(point_of_object(id_), known.steps[-1])
        number = known.number_of[held.version_id]
        table.dirty[id_] = name and storable(name)
        return table.add(id_, number, held.deployment_number, number, 0, now, now)

    def _judge(self, known: WorkerObjects, table: ClassTable, id_: bytes, row: int, now: float) -> None:
        """Bring an assignment up to the active deployment, noting each change on the way."""
        point = point_of_object(id_)
        held = Assignment(known.version_of[table.version[row]], table.deployment[row])
        pin = table.pins.get(id_)
        pins = () if pin is None else (PinInterval(known.version_of[pin], 0, None),)
        for step in known.steps[table.judged[row] :]:
            after = follow_pinned(point, held, (step,), known.rule, pins)
            if after.version_id != held.version_id:
                self._move(known, table, id_, row, after, "deployment", now)
                held = after
            limit = known.wait_limits[step.number - 1]
            table_limit = table.wait_ends_at.get(id_, float("inf"))
            if table.running[row] != table.version[row] or limit == 0.0:
                table.wait_ends_at[id_] = min(limit, table_limit)
        table.judged[row] = len(known.steps)
        if table.running[row] == table.version[row]:
            table.wait_ends_at.pop(id_, None)

    def _move(
        self,
        known: WorkerObjects,
        table: ClassTable,
        id_: bytes,
        row: int,
        after: Assignment,
        cause: str,
        now: float,
    ) -> None:
        number = known.number_of[after.version_id]
        table.moves.append(
            MoveRow(table.key, id_, after.deployment_number, table.version[row], number, now, cause)
        )
        table.version[row] = number
        table.deployment[row] = after.deployment_number
        table.dirty.setdefault(id_, None)

    def _settle(
        self, known: WorkerObjects, table: ClassTable, id_: bytes, row: int, key: ObjectKey, now: float
    ) -> ObjectReset | None:
        """Let an object run its assigned version, unless its update is deferred (R60-R62)."""
        assigned, running = known.version_of[table.version[row]], known.version_of[table.running[row]]
        active = id_ in table.sockets or now - table.last_used[row] < ACTIVE_SECONDS
        wait_ends_at = table.wait_ends_at.get(id_, 0.0) if running in known.runnable else 0.0
        if running_version(assigned, running, active=active, wait_ends_at=wait_ends_at, now=now) != assigned:
            return None
        table.wait_ends_at.pop(id_, None)
        table.running[row] = table.version[row]
        table.resets[row] += 1
        return ObjectReset(key, running, assigned, table.deployment[row])

    def worker(self, worker: WorkerName) -> WorkerObjects | None:
        """Return what is known of a Worker's objects."""
        return self._workers.get(worker)

    def settle_move(
        self, worker: WorkerName, table: ClassTable, id_: bytes, version_id: VersionId, now: float
    ) -> None:
        """Note that an object on workerd runs another version from now on (``placing.py``)."""
        known = self._workers[worker]
        row = table.rows[id_]
        if table.judged[row] != len(known.steps):
            self._judge(known, table, id_, row, now)
        table.running[row] = known.number_of[version_id]
        table.resets[row] += 1
        table.wait_ends_at.pop(id_, None)
        table.dirty.setdefault(id_, None)

    # Deployments.

    async def begin_activation(self, worker: WorkerName) -> None:
        """Let first accesses wait, and write all that was assigned so far.

        Raises:
            StateUnavailable: It cannot be written; then the new deployment must not become active, and first
                accesses go on under the present one.
        """
        known = self._workers.get(worker)
        if known is None:
            return  # not in the configuration: nobody uses its objects, and they are judged once it is back
        known.activation = asyncio.Event()
        try:
            await self.flush()
        except BaseException:
            self.end_activation(worker)
            raise

    def activate(self, deployment: Deployment) -> None:
        """Judge by ``deployment`` from now on; costs the same for one object and for a million."""
        known = self._workers.get(deployment.worker)
        if known is not None:
            known.add_deployment(deployment)

    def end_activation(self, worker: WorkerName) -> None:
        """Let first accesses go on."""
        known = self._workers.get(worker)
        if known is not None and known.activation is not None:
            known.activation.set()
            known.activation = None

    async def count_moving(self, deployment: Deployment) -> int | None:
        """Return how many known objects would get another version; ``None`` where they are too many to ask."""
        known = self._workers.get(deployment.worker)
        if known is None:
            return 0
        tables = list(known.classes.values())
        if sum(len(table.rows) for table in tables) > MOST_COUNTED:
            return None
        step, moving = step_of(deployment), 0
        for table in tables:
            for count, id_ in enumerate(list(table.rows), 1):
                moving += self._would_move(known, table, id_, step)
                if count % COUNTED_AT_ONCE == 0:
                    await asyncio.sleep(0)
        return moving

    def _would_move(self, known: WorkerObjects, table: ClassTable, id_: bytes, step: DeploymentStep) -> bool:
        row, point, pin = table.rows[id_], point_of_object(id_), table.pins.get(id_)
        pins = () if pin is None else (PinInterval(known.version_of[pin], 0, None),)
        held = Assignment(known.version_of[table.version[row]], table.deployment[row])
        now = follow_pinned(point, held, known.steps[table.judged[row] :], known.rule, pins)
        return follow_pinned(point, now, (step,), known.rule, pins).version_id != now.version_id

    def reset_if_moved(self, key: ObjectKey, now: float) -> ObjectReset | None:
        """Judge an object that holds a WebSocket, and return the reset if its version changed."""
        known = self._workers[key.worker]
        table = known.classes[key.class_name]
        id_ = key.id
        row = table.rows[id_]
        if table.judged[row] != len(known.steps):
            self._judge(known, table, id_, row, now)
        if table.running[row] == table.version[row]:
            return None
        table.dirty.setdefault(id_, None)
        return self._settle(known, table, id_, row, key, now)

    # Writing.

    async def flush(self) -> None:
        """Write all that is not on disk yet.

        Raises:
            StateUnavailable: Nothing is lost; it is tried again.
        """
        async with self._flushing:
            for known in list(self._workers.values()):
                for table in list(known.classes.values()):
                    if table.dirty or table.moves:
                        await self._flush_class(table)

    async def _flush_class(self, table: ClassTable) -> None:
        """Write what is unwritten now; what is used meanwhile is written the next time."""
        dirty, table.dirty = table.dirty, {}
        moves, table.moves = table.moves, []
        ids = list(dirty)
        try:
            for start in range(0, max(len(ids), 1), FLUSH_ROWS):
                some = dict.fromkeys(ids[start : start + FLUSH_ROWS])
                rows = [table.stored_row(id_, dirty[id_]) for id_ in some]
                # A move goes with its object's row: an end in between must not leave one without the other.
                write = asyncio.ensure_future(
                    self._store.write_objects(rows, [move for move in moves if move.id in some])
                )
                cancelled = await _finished(write)
                moves = [move for move in moves if move.id not in some]
                for id_ in some:
                    del dirty[id_]
                if cancelled is not None:
                    raise cancelled  # noqa: TRY301 - what was not written yet is put back below
        except BaseException:
            table.moves = moves + table.moves
            table.dirty = {**table.dirty, **dirty}
            raise

    async def keep_flushing(self) -> None:
        """Write now and then, for ever; a store that fails is told once and tried again."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
            except StateUnavailable as error:
                if error.message != self._trouble:
                    log.error("objects.not_written", error=error.message, remedy=error.remedy)
                self._trouble = error.message
            else:
                if self._trouble:
                    log.info("objects.written_again")
                self._trouble = ""

    # What people see and do.

    def find_id(self, worker: WorkerName, class_name: str, reference: str) -> bytes:
        """Return the id of an object given by name, or by its id in hex.

        Raises:
            NotFound: The Worker has no such class.
        """
        table = self._table(worker, class_name)
        if len(reference) == NAMED_ID_LENGTH:
            try:
                id_ = bytes.fromhex(reference)
            except ValueError:
                pass
            else:
                if id_ in table.rows:
                    return id_
        if table.unique_key:
            return native_object_id(table.unique_key, reference)
        return object_id(worker, class_name, reference)

    async def page(
        self, worker: WorkerName, class_name: str, *, search: str, after: str, limit: int, now: float
    ) -> tuple[list[ObjectView], int]:
        """Return up to ``limit`` objects by id after ``after`` (hex), and how many the class has in all."""
        table = self._table(worker, class_name)
        await self._flush_if_possible()
        rows = await self._store.objects_page(table.key, search, bytes.fromhex(after), limit)
        views = [self._view(worker, table, row.id, row.name, now) for row in rows]
        return views, len(table.rows)

    async def show(
        self, worker: WorkerName, class_name: str, id_: bytes, now: float
    ) -> tuple[ObjectView, list[ObjectEvent]]:
        """Return an object and its history.

        Raises:
            NotFound: It was never used.
        """
        table, known = self._table(worker, class_name), self._workers[worker]
        if id_ not in table.rows:
            raise NotFound(
                f"Worker {worker} has seen no {class_name} object with id {id_.hex()}",
                remedy="gateway objects list shows those it has seen.",
            )
        view = self._view(worker, table, id_, None, now)
        await self._flush_if_possible()
        history = await self._store.object_history(table.key, id_)
        events: list[ObjectEvent] = []
        if history.row is not None:
            row = history.row
            view = view._replace(name=row.name)
            first = known.version_of[row.first_version]
            events.append(ObjectEvent(row.first_deployment, first, "first access", row.first_used))
        events += [
            ObjectEvent(move.deployment, known.version_of[move.to_version], move.cause, move.at)
            for move in history.moves
        ]
        return view, events

    async def pin(self, key: ObjectKey, version_id: VersionId, now: float) -> ObjectView:
        """Keep an object on a version of the active deployment, whatever the percentages say.

        Raises:
            PinError: The version is not in the active deployment.
            StateUnavailable: Nothing was changed.
        """
        table, known = self._table(key.worker, key.class_name), self._workers[key.worker]
        if not known.steps or version_id not in known.steps[-1].deployed:
            raise PinError(
                f"version {version_id} is not in the active deployment of {key.worker}",
                remedy="Deploy it first (0% will do), then pin the object.",
            )
        return await self._change_pin(known, table, key, version_id, now)

    async def unpin(self, key: ObjectKey, now: float) -> ObjectView:
        """Let the rule decide again; under ``sticky`` the object stays where it is.

        Raises:
            PinError: The object is not pinned.
            StateUnavailable: Nothing was changed.
        """
        table, known = self._table(key.worker, key.class_name), self._workers[key.worker]
        if key.id not in table.pins:
            raise PinError(f"object {key.class_name}/{key.name} is not pinned", remedy="Nothing needs doing.")
        return await self._change_pin(known, table, key, None, now)

    async def _change_pin(
        self, known: WorkerObjects, table: ClassTable, key: ObjectKey, version_id: VersionId | None, now: float
    ) -> ObjectView:
        id_ = key.id
        # Not `use`: the reset of an object that is due to move belongs to its next request, which tells it.
        while self._judged_row(known, table, id_, key.name, now) is None:
            await self.activation_over()
        await self.flush()
        current = known.current
        pin = None
        if version_id is not None:
            pin = PinRow(table.key, id_, known.number_of[version_id], current, None, now)
        await self._store.write_pin(table.key, id_, pin, current)
        row = table.rows[id_]
        if pin is not None:
            table.pins[id_] = pin.version
            after = Assignment(known.version_of[pin.version], known.current)
        else:
            del table.pins[id_]
            after = Assignment(known.version_of[table.version[row]], table.deployment[row])
            if known.rule is AssignmentRule.HASH:
                after = assign(point_of_object(id_), known.steps[-1])
        if known.number_of[after.version_id] != table.version[row]:
            self._move(known, table, id_, row, after, "pinned" if pin else "unpinned", now)
        await self.flush()
        return self._view(key.worker, table, id_, key.name, now)

    async def table_at(
        self, worker: WorkerName, class_name: str, number: int, *, search: str, after: str, limit: int
    ) -> list[tuple[ObjectRow, VersionId]]:
        """Return up to ``limit`` objects as they were assigned under deployment ``number``.

        Raises:
            NotFound: There was no such deployment.
        """
        table, known = self._table(worker, class_name), self._workers[worker]
        self._check_number(known, number)
        await self._flush_if_possible()
        rows = await self._store.objects_page(table.key, search, bytes.fromhex(after), limit)
        past = await self._past(known, table, rows, search)
        return [(row, version) for row in rows if (version := past.version_at(row, number)) is not None]

    async def diff(
        self, worker: WorkerName, class_name: str, before: int, after: int, *, limit: int
    ) -> tuple[list[ObjectChange], int]:
        """Return up to ``limit`` objects whose version differs between two deployments, and how many do in all.

        Raises:
            NotFound: There was no such deployment.
        """
        table, known = self._table(worker, class_name), self._workers[worker]
        self._check_number(known, before)
        self._check_number(known, after)
        if before == after:
            return [], 0
        await self._flush_if_possible()
        changes: list[ObjectChange] = []
        total = 0
        last = b""
        while rows := await self._store.objects_page(table.key, "", last, FLUSH_ROWS):
            last = rows[-1].id
            past = await self._past(known, table, rows)
            found, count = await asyncio.to_thread(past.changes, rows, before, after, limit - len(changes))
            changes += found
            total += count
        return changes, total

    async def _past(
        self, known: WorkerObjects, table: ClassTable, rows: Sequence[ObjectRow], search: str = ""
    ) -> Past:
        """Return what is known of the past of some objects: that of a million would be another million rows."""
        moves, pins = await self._store.moves_and_pins(table.key, ranges_of([row.id for row in rows], search))
        return Past(known.steps, known.rule, known.version_of, moves, pins)

    def _check_number(self, known: WorkerObjects, number: int) -> None:
        if not 1 <= number <= known.current:
            raise NotFound(
                f"there is no deployment {number}; the active one is {known.current}",
                remedy="gateway deployments list shows their numbers.",
            )

    def _table(self, worker: WorkerName, class_name: str) -> ClassTable:
        known = self._workers.get(worker)
        if known is None or class_name not in known.classes:
            has = ", ".join(known.classes) if known and known.classes else "none"
            raise NotFound(
                f"Worker {worker} has no Durable Object class {class_name!r} (it has: {has})",
                remedy="Name its classes under durable_objects.bindings in the configuration.",
            )
        return known.classes[class_name]

    def class_names(self, worker: WorkerName) -> Sequence[str]:
        """Return the classes of a Worker."""
        known = self._workers.get(worker)
        return list(known.classes) if known else []

    async def _flush_if_possible(self) -> None:
        """Bring the disk up to date for a listing; a disk that cannot be written can still be read."""
        try:
            await self.flush()
        except StateUnavailable as error:
            log.warning("objects.listed_from_older_state", error=error.message)

    def _view(self, worker: WorkerName, table: ClassTable, id_: bytes, name: str | None, now: float) -> ObjectView:
        known = self._workers[worker]
        row = table.rows[id_]
        if table.judged[row] != len(known.steps):
            self._judge(known, table, id_, row, now)
        pin = table.pins.get(id_)
        return ObjectView(
            table.class_name,
            id_.hex(),
            name,
            point_of_object(id_),
            known.version_of[table.version[row]],
            table.deployment[row],
            known.version_of[table.running[row]],
            known.version_of[pin] if pin is not None else None,
            table.resets[row],
            table.first_used[row],
            table.last_used[row],
        )


async def _finished(write: asyncio.Future[None]) -> asyncio.CancelledError | None:
    """Wait for a write that the store's thread ends in any case; return the cancellation that came meanwhile."""
    try:
        await asyncio.shield(write)
    except asyncio.CancelledError as cancelled:
        await write
        return cancelled
    return None


def storable(name: str) -> str:
    """Return a name that SQLite takes: bytes that are no UTF-8 are shown as U+FFFD (the id has them)."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
