"""The Durable Object table: assignments, moves, resets, pins, history, and what a restart makes of them."""

from __future__ import annotations

import asyncio
import sqlite3
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import NotFound, PinError, StateUnavailable
from gateway.model.deployment import CodeUpdate, VersionShare
from gateway.model.durable_object import AssignmentRule, ObjectKey
from gateway.model.version import VersionId, WorkerName
from gateway.routing.durable_objects import point_of_object
from gateway.routing.percentages import split_of
from gateway.store.objects import ACTIVE_SECONDS, FLUSH_ROWS, ObjectTable
from gateway.store.sqlite import DATABASE, MoveRow, ObjectRow, SqliteStore
from tests.model.examples import API, SHOP, A, B, C, object_at, version
from tests.store.tables import EVERY_ID, START, VERSIONS, Table, keys, opened

STICKY, HASH = AssignmentRule.STICKY, AssignmentRule.HASH
APP, COUNTER = WorkerName("app"), WorkerName("counter")


# First access.


async def test_first_access_assigns_by_the_percentages_in_force(tmp_path: Path) -> None:
    """Design 5, R47: by its point, so every gateway and every run agrees without asking."""
    async with opened(tmp_path) as table:
        await table.deploy((B, 20), (A, 80))
        found = table.use(object_at(12), START + 5)

        assert (found.assigned, found.running, found.deployment_number) == (B, B, 1)
        assert (found.pinned, found.reset) == (False, None)
        assert found.point == point_of_object(object_at(12).id)
        assert table.versions(keys(35, 80)) == [A, A]


@pytest.mark.parametrize("rule", AssignmentRule)
async def test_every_request_to_one_object_meets_the_same_version(tmp_path: Path, rule: AssignmentRule) -> None:
    """R46a: within a deployment every request to one object meets the same version."""
    async with opened(tmp_path, rule) as table:
        await table.deploy((B, 50), (A, 50))

        assert {tuple(table.versions(keys(12, 60), START + second)) for second in range(50)} == {(B, A)}


async def test_two_gateways_agree_without_asking(tmp_path: Path) -> None:
    """Design 5: an assignment is a function of (id, deployment at first access)."""
    many = [ObjectKey(SHOP, "Cart", f"cart-{number}") for number in range(300)]
    async with opened(tmp_path / "one") as one, opened(tmp_path / "two") as two:
        for table in (one, two):
            await table.deploy((B, 30), (A, 70))

        assert one.versions(many) == two.versions(reversed(many))[::-1]


async def test_looking_changes_nothing(tmp_path: Path) -> None:
    """Design 7: ``gateway explain`` asks by ``peek``, which must not assign, judge or mark anything."""
    async with opened(tmp_path) as table:
        assert table.objects.peek(object_at(12)) is None
        await table.deploy((B, 20), (A, 80))
        seen = table.objects.peek(object_at(12))
        assert seen is not None
        assert (seen.assigned, seen.deployment_number) == (B, 1)
        assert table.objects.peek(ObjectKey(SHOP, "Room", "x")) is None
        assert table.objects.peek(ObjectKey(API, "Cart", "x")) is None

        await table.deploy((A, 100))
        assert table.use(object_at(12)).deployment_number == 2


# The examples, through the table.


async def table_of(folder: Path, rule: AssignmentRule, worker: WorkerName, class_name: str) -> Table:
    """Return a table of another Worker and class, which the caller closes."""
    table = Table(SqliteStore(folder), rule, worker)
    table.objects.set_worker(worker, rule, [class_name])
    return table


async def test_the_example_under_sticky(tmp_path: Path) -> None:
    """Design 5, row S1: 10% gives user-123 v2 and user-456 v1; 50% changes neither; 100% moves user-456."""
    table = await table_of(tmp_path, STICKY, APP, "User")
    first, second, third = (ObjectKey(APP, "User", f"user-{number}") for number in (123, 456, 789))

    await table.deploy((B, 10), (A, 90))
    assert table.versions([first, second]) == [B, A]
    await table.deploy((B, 50), (A, 50))
    assert table.versions([first, second, third]) == [B, A, B]
    await table.deploy((B, 100))
    moved = [table.use(key) for key in (first, second, third)]

    assert [found.assigned for found in moved] == [B, B, B]
    assert [found.deployment_number for found in moved] == [1, 3, 2]
    assert [found.reset is not None for found in moved] == [False, True, False]
    await table.store.close()


async def test_cloudflares_table_under_hash(tmp_path: Path) -> None:
    """R47: 20% B moves only ``foo``; 50% B also moves ``bar``; 100% B moves ``baz``; each is reset once (R46c)."""
    table = await table_of(tmp_path, HASH, COUNTER, "Player")
    players = [ObjectKey(COUNTER, "Player", name) for name in ("foo", "bar", "baz")]
    found: list[tuple[list[VersionId], int]] = []
    for listed in (((A, 100),), ((B, 20), (A, 80)), ((B, 50), (A, 50)), ((B, 100),)):
        await table.deploy(*listed)
        uses = [table.use(key) for key in players]
        found.append(([use.assigned for use in uses], sum(use.reset is not None for use in uses)))

    assert found == [([A, A, A], 0), ([B, A, A], 1), ([B, B, A], 1), ([B, B, B], 1)]
    await table.store.close()


# Moves and resets.


async def test_a_move_is_a_reset_that_is_told_once_and_counted(tmp_path: Path) -> None:
    """R46c, R56, design 5: an object is reset only when its assigned version changes; the loser is told."""
    async with opened(tmp_path, HASH) as table:
        (key,) = keys(35)
        await table.deploy((B, 20), (A, 80))
        table.use(key)
        await table.deploy((B, 50), (A, 50))
        first, second = table.use(key, START + 1), table.use(key, START + 2)

        assert first.reset is not None
        assert (first.reset.key, first.reset.from_version, first.reset.to_version) == (key, A, B)
        assert first.reset.deployment_number == 2
        assert second.reset is None
        view, history = await table.objects.show(SHOP, "Cart", key.id, START + 3)
        assert (view.resets, view.assigned_by, view.first_used, view.last_used) == (1, 2, START, START + 2)
        assert [(event.deployment_number, event.version_id, event.cause) for event in history] == [
            (1, A, "first access"),
            (2, B, "deployment"),
        ]


async def test_deployments_that_nobody_noticed_count_as_well(tmp_path: Path) -> None:
    """Design 5: a new deployment costs nothing; rows are judged when next used, over all between."""
    async with opened(tmp_path) as table:
        (key,) = keys(35)
        await table.deploy((A, 100))
        table.use(key)
        for listed in (((B, 100),), ((C, 100),), ((A, 100),), ((A, 50), (C, 50))):
            await table.deploy(*listed)
        found = table.use(key, START + 60)
        _, history = await table.objects.show(SHOP, "Cart", key.id, START + 61)

        assert (found.assigned, found.running, found.deployment_number) == (A, A, 4)
        assert [(event.deployment_number, event.version_id) for event in history] == [
            (1, A),
            (2, B),
            (3, C),
            (4, A),
        ]


async def test_an_object_that_came_back_unnoticed_was_never_reset(tmp_path: Path) -> None:
    """R46c: it ran no other version meanwhile, since nobody used it, so there is nothing to tell."""
    async with opened(tmp_path, HASH) as table:
        (key,) = keys(35)
        await table.deploy((A, 100))
        table.use(key)
        await table.deploy((B, 100))
        await table.deploy((A, 100))

        assert table.use(key).reset is None
        view, _ = await table.objects.show(SHOP, "Cart", key.id, START)
        assert view.resets == 0


async def test_an_object_with_an_open_socket_is_judged_without_a_request(tmp_path: Path) -> None:
    """R57: the WebSockets of an object that moved are closed at the deployment, not at the next request."""
    async with opened(tmp_path, HASH) as table:
        moving, staying = keys(35, 80)
        await table.deploy((B, 20), (A, 80))
        for key in (moving, staying):
            table.use(key)
            table.objects.open_socket(key)
        await table.deploy((B, 50), (A, 50))

        reset = table.objects.reset_if_moved(moving, START + 1)
        assert reset is not None
        assert (reset.from_version, reset.to_version) == (A, B)
        assert table.objects.reset_if_moved(moving, START + 2) is None
        assert table.objects.reset_if_moved(staying, START + 2) is None


# Deferred code updates.

DEFERRED = CodeUpdate("deferred", 300)


@pytest.fixture(params=AssignmentRule)
def rule(request: pytest.FixtureRequest) -> AssignmentRule:
    """Return either rule."""
    found: AssignmentRule = request.param
    return found


async def moving_object(table: Table, *, code_update: CodeUpdate = DEFERRED, idle: float = 5.0) -> ObjectKey:
    """Return an object used ``idle`` seconds before a deployment moved it from A to B at ``START + 100``."""
    (key,) = keys(35)
    await table.deploy((A, 100))
    table.use(key, START + 100 - idle)
    await table.deploy((B, 100), at=START + 100, code_update=code_update)
    return key


async def test_an_active_object_keeps_running_its_old_version(tmp_path: Path, rule: AssignmentRule) -> None:
    """R60-R62, S13: assigned B, running A; both facts and the moment they part are in the table."""
    async with opened(tmp_path, rule) as table:
        key = await moving_object(table)
        found = table.use(key, START + 104)
        view, history = await table.objects.show(SHOP, "Cart", key.id, START + 104)

        assert (found.assigned, found.running, found.reset) == (B, A, None)
        assert (view.assigned, view.running, view.resets) == (B, A, 0)
        assert [(event.deployment_number, event.version_id) for event in history] == [(1, A), (2, B)]


async def test_its_wait_ends_when_it_hibernates(tmp_path: Path, rule: AssignmentRule) -> None:
    """R61, R59: until it hibernates: 10 s without events."""
    async with opened(tmp_path, rule) as table:
        key = await moving_object(table)
        assert table.use(key, START + 104).running == A
        assert table.use(key, START + 104 + ACTIVE_SECONDS - 0.1).running == A

        found = table.use(key, START + 104 + 2 * ACTIVE_SECONDS)
        assert (found.running, found.reset is not None) == (B, True)


async def test_its_wait_ends_at_the_latest_after_max_delay(tmp_path: Path, rule: AssignmentRule) -> None:
    """R60, R61: or ``max_delay`` ends, counted from the deployment, however busy the object is."""
    async with opened(tmp_path, rule) as table:
        key = await moving_object(table)
        running = [table.use(key, START + 100 + second).running for second in range(0, 310, 5)]

        assert running == [A] * 60 + [B] * 2


async def test_an_open_socket_keeps_it_active(tmp_path: Path, rule: AssignmentRule) -> None:
    """R59, R61: an object with a WebSocket does not go idle; only ``max_delay`` ends its wait."""
    async with opened(tmp_path, rule) as table:
        key = await moving_object(table)
        table.objects.open_socket(key)

        assert table.objects.reset_if_moved(key, START + 200) is None
        assert table.use(key, START + 399).running == A
        table.objects.close_socket(key)
        assert table.objects.reset_if_moved(key, START + 400) is not None


async def test_an_inactive_object_starts_on_its_new_version(tmp_path: Path, rule: AssignmentRule) -> None:
    """R61: an inactive object starts on its new version at the next request."""
    async with opened(tmp_path, rule) as table:
        key = await moving_object(table, idle=60)

        assert table.use(key, START + 101).running == B


async def test_an_immediate_deployment_ends_all_waits(tmp_path: Path, rule: AssignmentRule) -> None:
    """R61: an ``immediate`` deployment ends all waits, although it moves nothing itself."""
    async with opened(tmp_path, rule) as table:
        key = await moving_object(table)
        assert table.use(key, START + 101).running == A
        await table.deploy((B, 100), at=START + 102)

        assert table.use(key, START + 103).running == B


async def test_the_first_timer_to_end_wins(tmp_path: Path, rule: AssignmentRule) -> None:
    """R61: each deployment starts its own timer; the first to end wins."""
    async with opened(tmp_path, rule) as table:
        key = await moving_object(table)
        assert table.use(key, START + 101).running == A
        await table.deploy((B, 100), at=START + 102, code_update=CodeUpdate("deferred", 20))
        assert table.use(key, START + 110).running == A
        assert table.use(key, START + 119).running == A

        assert table.use(key, START + 122).running == B


async def test_a_later_timer_does_not_prolong_the_wait(tmp_path: Path, rule: AssignmentRule) -> None:
    """R61: the first to end wins, also where it is the older one."""
    async with opened(tmp_path, rule) as table:
        key = await moving_object(table, code_update=CodeUpdate("deferred", 20))
        assert table.use(key, START + 104).running == A
        await table.deploy((B, 100), at=START + 106, code_update=DEFERRED)
        assert table.use(key, START + 112).running == A

        assert table.use(key, START + 120).running == B


async def test_it_is_reset_onto_the_latest_deployments_version(tmp_path: Path, rule: AssignmentRule) -> None:
    """R61: then it is reset onto the **latest** deployment's version, once, from the one it ran."""
    async with opened(tmp_path, rule) as table:
        key = await moving_object(table)
        assert table.use(key, START + 101).running == A
        await table.deploy((C, 100), at=START + 102, code_update=DEFERRED)
        assert table.use(key, START + 103).running == A
        found = table.use(key, START + 150)
        view, _ = await table.objects.show(SHOP, "Cart", key.id, START + 150)

        assert found.reset is not None
        assert (found.reset.from_version, found.reset.to_version, view.resets) == (A, C, 1)


async def test_a_wait_that_leads_back_is_over_without_a_reset(tmp_path: Path, rule: AssignmentRule) -> None:
    """R46c, R61: assigned B for a while but never run there: no reset."""
    async with opened(tmp_path, rule) as table:
        key = await moving_object(table)
        assert table.use(key, START + 101).running == A
        await table.deploy((A, 100), at=START + 102, code_update=DEFERRED)
        found = table.use(key, START + 500)

        assert (found.assigned, found.running, found.reset) == (A, A, None)


async def test_an_object_does_not_wait_on_a_version_that_is_gone(tmp_path: Path, rule: AssignmentRule) -> None:
    """R61: best effort, not a promise; a version that cannot answer any more holds nobody."""
    async with opened(tmp_path, rule) as table:
        key = await moving_object(table)
        table.objects.set_runnable(SHOP, frozenset({B}))

        assert table.use(key, START + 101).running == B


async def test_an_object_first_used_under_a_deferred_deployment_does_not_wait(tmp_path: Path) -> None:
    """R61: only newly assigned objects wait that run another version."""
    async with opened(tmp_path) as table:
        await table.deploy((A, 100))
        await table.deploy((B, 100), code_update=DEFERRED)

        assert table.use(object_at(35)).running == B


async def test_looking_at_a_waiting_object_says_what_runs_it(tmp_path: Path, rule: AssignmentRule) -> None:
    """R62, design 7: ``peek`` says what ``use`` would; an explanation names the version that answers."""
    async with opened(tmp_path, rule) as table:
        key = await moving_object(table)
        used = table.use(key, START + 104)
        seen = table.objects.peek(key)

        assert seen is not None
        assert (seen.assigned, seen.running) == (used.assigned, used.running) == (B, A)


# Activation.


async def test_first_accesses_wait_while_a_deployment_becomes_active(tmp_path: Path) -> None:
    """Design 5: flush before a new deployment becomes active; nobody is first assigned in between."""
    async with opened(tmp_path) as table:
        known, new = keys(12, 80)
        await table.deploy((A, 100))
        table.use(known)
        await table.objects.begin_activation(SHOP)
        waiting = asyncio.create_task(table.objects.activation_over())
        await asyncio.sleep(0)

        assert table.objects.use(new, START) is None
        assert table.objects.use(known, START) is not None
        assert not waiting.done()
        table.objects.end_activation(SHOP)
        await waiting
        assert table.use(new).assigned == A


async def test_another_worker_does_not_wait(tmp_path: Path) -> None:
    """Design 5: a Worker's deployment concerns its own objects."""
    async with opened(tmp_path) as table:
        table.objects.set_worker(API, STICKY, ["Cart"])
        table.objects.add_versions(API, [version(C, 1, worker=API)])
        await table.deploy((A, 100))
        await table.objects.begin_activation(API)

        assert table.objects.use(object_at(12), START) is not None
        table.objects.end_activation(API)


async def test_all_is_written_before_a_deployment_becomes_active(tmp_path: Path) -> None:
    """Design 5: writing may lag behind the request, but not behind the next deployment."""
    async with opened(tmp_path) as table:
        many = [ObjectKey(SHOP, "Cart", f"cart-{number}") for number in range(50)]
        await table.deploy((B, 50), (A, 50))
        before = table.versions(many)
        await table.objects.begin_activation(SHOP)
        rows = table.store.load_objects(table.store.class_key(SHOP, "Cart"))
        table.objects.end_activation(SHOP)

        assert {row[0] for row in rows} == {key.id for key in many}
        assert Counter(row[1] for row in rows) == Counter(1 if found == A else 2 for found in before)


class Failing(SqliteStore):
    """A store whose disk can be said to be full."""

    full = False

    async def write_objects(self, rows: Sequence[ObjectRow], moves: Sequence[MoveRow]) -> None:
        if self.full:
            raise StateUnavailable(self.folder, sqlite3.OperationalError("database or disk is full"))
        await super().write_objects(rows, moves)


async def test_a_full_disk_stops_the_deployment_and_not_the_traffic(tmp_path: Path) -> None:
    """Design 9: an error to the one who writes, never the end of the data plane; nothing is lost."""
    store = Failing(tmp_path)
    await store.add_versions(VERSIONS)
    table = Table(store, STICKY)
    await table.deploy((B, 50), (A, 50))
    store.full = True
    assert table.versions(keys(12)) == [B]

    with pytest.raises(StateUnavailable):
        await table.deploy((A, 100))
    assert table.versions(keys(12, 35)) == [B, B]
    await asyncio.wait_for(table.objects.activation_over(), 5)
    views, total = await table.objects.page(SHOP, "Cart", search="", after="", limit=10, now=START)
    assert (views, total) == ([], 2)

    store.full = False
    await table.deploy((B, 100))
    assert set(await table.past(1)) == {key.name for key in keys(12, 35)}
    await store.close()


class Busy(SqliteStore):
    """A store during whose every write an object is used again, as under steady traffic."""

    table: ObjectTable
    writes = 0

    async def write_objects(self, rows: Sequence[ObjectRow], moves: Sequence[MoveRow]) -> None:
        await super().write_objects(rows, moves)
        self.writes += 1
        if self.writes < 50:
            self.table.use(object_at(12), START + self.writes)


async def test_steady_traffic_does_not_keep_a_deployment_from_becoming_active(tmp_path: Path) -> None:
    """Design 10: a new deployment is active at once; what is used during the flush waits for the next."""
    store = Busy(tmp_path)
    await store.add_versions(VERSIONS)
    table = Table(store, STICKY)
    store.table = table.objects
    await table.deploy((B, 50), (A, 50))
    table.use(object_at(12))

    await table.deploy((A, 50), (B, 50))

    assert store.writes <= 3
    await store.close()


async def test_a_pin_during_an_activation_waits_for_it(tmp_path: Path) -> None:
    """Design 5: a pin of an object that was never used is a first access, and those wait."""
    async with opened(tmp_path) as table:
        await table.deploy((B, 50), (A, 50))
        await table.objects.begin_activation(SHOP)
        pinning = asyncio.create_task(table.objects.pin(object_at(12), A, START))
        for _ in range(100):  # let it go as far as it can
            await asyncio.sleep(0)
        assert not pinning.done()
        table.objects.end_activation(SHOP)

        assert (await pinning).pinned == A


class Crashing(SqliteStore):
    """A store whose process ends, as far as the disk can tell, after so many writes."""

    writes_left = 1_000

    async def write_objects(self, rows: Sequence[ObjectRow], moves: Sequence[MoveRow]) -> None:
        if self.writes_left == 0:
            raise StateUnavailable(self.folder, sqlite3.OperationalError("gone"))
        self.writes_left -= 1
        await super().write_objects(rows, moves)


async def test_an_end_in_the_middle_of_a_flush_tells_no_move_twice(tmp_path: Path) -> None:
    """Design 9: nothing is ever half written: a move stands on disk only together with the object it moved."""
    many = [ObjectKey(SHOP, "Cart", str(number)) for number in range(FLUSH_ROWS + 1_000)]
    store = Crashing(tmp_path)
    await store.add_versions(VERSIONS)
    table = Table(store, HASH)
    await table.deploy((A, 100))
    table.versions(many)
    await table.deploy((B, 100))
    table.versions(many)
    store.writes_left = 1
    with pytest.raises(StateUnavailable):
        await table.objects.flush()
    await store.close()

    async with opened(tmp_path, HASH) as again:
        again.versions(many)
        await again.objects.flush()
        moves, _ = await again.store.moves_and_pins(again.store.class_key(SHOP, "Cart"), [EVERY_ID])

    assert set(Counter(move.id for move in moves).values()) == {1}
    assert len(moves) == len(many)


# Pins.


async def test_a_pin_moves_an_object_and_is_history(tmp_path: Path) -> None:
    """Design 1, 5: objects can be pinned, whatever the percentages say; the history says so."""
    async with opened(tmp_path) as table:
        (key,) = keys(12)
        await table.deploy((B, 50), (A, 50))
        assert table.use(key).assigned == B
        view = await table.objects.pin(key, A, START + 1)
        found = table.use(key, START + 2)

        assert (view.assigned, view.pinned, view.name) == (A, A, key.name)
        assert (found.assigned, found.running, found.pinned) == (A, A, True)
        assert found.reset is not None
        _, history = await table.objects.show(SHOP, "Cart", key.id, START + 3)
        assert [(event.version_id, event.cause) for event in history] == [(B, "first access"), (A, "pinned")]


async def test_a_pin_on_the_version_it_has_resets_nothing(tmp_path: Path) -> None:
    """R46c: no change of version, no reset."""
    async with opened(tmp_path) as table:
        (key,) = keys(12)
        await table.deploy((B, 50), (A, 50))
        table.use(key)
        await table.objects.pin(key, B, START + 1)

        assert table.use(key, START + 2).reset is None


async def test_an_object_can_be_pinned_before_anyone_used_it(tmp_path: Path) -> None:
    """R48: an assignment holds for objects that were never used; so can a pin."""
    async with opened(tmp_path) as table:
        await table.deploy((B, 50), (A, 50))
        await table.objects.pin(object_at(12), A, START)

        assert table.use(object_at(12)).assigned == A


async def test_a_pin_holds_over_deployments_that_have_its_version(tmp_path: Path, rule: AssignmentRule) -> None:
    """Design 5: pinned to A, it follows the rule while A is away, and returns when A does."""
    async with opened(tmp_path, rule) as table:
        (key,) = keys(12)
        await table.deploy((B, 50), (A, 50))
        await table.objects.pin(key, A, START)
        found = []
        for listed in (((B, 90), (A, 10)), ((B, 100), (A, 0)), ((B, 100),), ((B, 50), (A, 50))):
            await table.deploy(*listed)
            found.append(table.use(key).assigned)

        assert found == [A, A, B, A]


@pytest.mark.parametrize(("rule", "version_id"), [(STICKY, A), (HASH, B)])
async def test_without_its_pin_the_rule_decides_again(
    tmp_path: Path, rule: AssignmentRule, version_id: VersionId
) -> None:
    """Rows S1: under sticky it stays where it is, under hash it follows its point."""
    async with opened(tmp_path, rule) as table:
        (key,) = keys(12)
        await table.deploy((B, 50), (A, 50))
        await table.objects.pin(key, A, START)
        view = await table.objects.unpin(key, START + 1)

        assert (view.assigned, view.pinned) == (version_id, None)
        assert (table.use(key).assigned, table.use(key).pinned) == (version_id, False)


async def test_pins_that_cannot_be(tmp_path: Path) -> None:
    """House rule 8: only a deployed version, only a known class, only a pinned object; each with its remedy."""
    async with opened(tmp_path) as table:
        await table.deploy((A, 100))
        for key, version_id, error in (
            (object_at(12), B, PinError),
            (object_at(12), None, PinError),
            (ObjectKey(SHOP, "Room", "x"), A, NotFound),
            (ObjectKey(API, "Cart", "x"), A, NotFound),
            (ObjectKey(API, "Cart", "x"), None, NotFound),
        ):
            with pytest.raises(error) as caught:
                await (
                    table.objects.pin(key, version_id, START) if version_id else table.objects.unpin(key, START)
                )
            assert caught.value.remedy


async def test_an_acknowledged_pin_is_on_disk(tmp_path: Path) -> None:
    """``store/objects.py``: a pin is written before it is acknowledged, and the move it caused."""
    async with opened(tmp_path) as table:
        await table.deploy((B, 50), (A, 50))
        await table.objects.pin(object_at(12), A, START)
        with sqlite3.connect(f"file:{tmp_path / DATABASE}?mode=ro", uri=True) as other:
            pins = other.execute("SELECT version, until_deployment FROM pins").fetchall()
            moves = other.execute("SELECT to_version, cause FROM moves").fetchall()
        other.close()

        assert pins == [(1, None)]
        assert moves == [(1, "pinned")]


# What people see.


@pytest.mark.parametrize("rule", AssignmentRule)
@pytest.mark.parametrize("search", ["", "cart-1", "7"])
async def test_a_page_of_the_past_is_that_part_of_the_whole(
    tmp_path: Path, rule: AssignmentRule, search: str
) -> None:
    """Design 5: page by page, found or listed, each object has the moves and pins that the whole table has."""
    many = [ObjectKey(SHOP, "Cart", f"cart-{number}") for number in range(40)]
    async with opened(tmp_path, rule) as table:
        for number, listed in enumerate([((A, 100),), ((A, 60), (B, 40)), ((B, 100),), ((B, 30), (A, 70))], 1):
            await table.deploy(*listed, at=START + number)
            table.versions(many, START + number)
            for key in many[number::9]:
                await table.objects.pin(key, listed[0][0], START + number)
        for key in many[3::9]:
            await table.objects.unpin(key, START + 9)

        for number in range(1, 5):
            whole = await table.past(number)
            found: dict[str | None, VersionId] = {}
            after = ""
            while True:
                page = await table.objects.table_at(SHOP, "Cart", number, search=search, after=after, limit=3)
                found.update((row.name, version_id) for row, version_id in page)
                if not page:
                    break
                after = page[-1][0].id.hex()
            assert found.items() <= whole.items()
            assert {str(name) for name in found} >= {name for name in whole if search and name and search in name}
            assert search or found == whole


async def test_a_page_shows_names_and_a_search_finds_them(tmp_path: Path) -> None:
    """Design 1: the table can be read and searched."""
    async with opened(tmp_path) as table:
        await table.deploy((B, 50), (A, 50))
        many = [ObjectKey(SHOP, "Cart", f"cart-{number}") for number in range(30)]
        table.versions(many)

        found: list[str | None] = []
        after = ""
        while True:
            page, total = await table.objects.page(SHOP, "Cart", search="", after=after, limit=7, now=START)
            found += [view.name for view in page]
            assert total == 30
            if len(page) < 7:
                break
            after = page[-1].id
        one, _ = await table.objects.page(SHOP, "Cart", search="cart-17", after="", limit=7, now=START)

        assert sorted(filter(None, found)) == sorted(key.name for key in many)
        assert [view.name for view in one] == ["cart-17"]


async def test_an_object_is_found_by_name_or_id(tmp_path: Path) -> None:
    """Design 8: an object is named by its name, or by its id in hex, in either case."""
    async with opened(tmp_path) as table:
        await table.deploy((A, 100))
        key = ObjectKey(SHOP, "Cart", "foo")
        table.use(key)
        find = table.objects.find_id

        assert find(SHOP, "Cart", "foo") == find(SHOP, "Cart", key.id.hex()) == key.id
        assert find(SHOP, "Cart", key.id.hex().upper()) == key.id
        unknown = "ab" * 32
        assert find(SHOP, "Cart", unknown) == ObjectKey(SHOP, "Cart", unknown).id
        with pytest.raises(NotFound, match="Room"):
            find(SHOP, "Room", "foo")
        with pytest.raises(NotFound, match="seen no Cart"):
            await table.objects.show(SHOP, "Cart", bytes(32), START)


async def test_a_name_of_any_bytes_is_an_object_like_others(tmp_path: Path) -> None:
    """Design 3: a path may hold any byte; one such request must not keep the others from being written."""
    async with opened(tmp_path) as table:
        await table.deploy((B, 50), (A, 50))
        odd = [ObjectKey(SHOP, "Cart", name) for name in ("\udcff", "a\0b", "", "\U0001f980", "x" * 10_000)]
        found = table.versions(odd)
        await table.objects.flush()
        await table.deploy((A, 50), (B, 50))

        assert table.versions(odd) == found
        page, total = await table.objects.page(SHOP, "Cart", search="", after="", limit=10, now=START)
        assert (len(page), total) == (5, 5)


async def test_past_tables_can_be_worked_out(tmp_path: Path) -> None:
    """Design 5: the table as it was at any past deployment follows from what is stored."""
    async with opened(tmp_path, HASH) as table:
        twelve, thirty_five, eighty = keys(12, 35, 80)
        await table.deploy((B, 20), (A, 80))
        table.versions([twelve, thirty_five])
        await table.deploy((B, 50), (A, 50))
        await table.deploy((B, 100))
        table.use(eighty)
        await table.deploy((A, 100))

        assert await table.past(1) == {twelve.name: B, thirty_five.name: A}
        assert await table.past(2) == {twelve.name: B, thirty_five.name: B}
        assert await table.past(3) == {twelve.name: B, thirty_five.name: B, eighty.name: B}
        assert await table.past(4) == {twelve.name: A, thirty_five.name: A, eighty.name: A}
        for number in (0, 5, -1):
            with pytest.raises(NotFound, match="no deployment"):
                await table.past(number)


async def test_a_difference_lists_what_changed_and_counts_all(tmp_path: Path) -> None:
    """Design 7: ``gateway objects diff``; objects that did not exist yet have no version before."""
    async with opened(tmp_path, HASH) as table:
        twelve, thirty_five, eighty = keys(12, 35, 80)
        await table.deploy((B, 20), (A, 80))
        table.versions([twelve, thirty_five])
        await table.deploy((B, 50), (A, 50))
        table.versions([eighty])

        changes, total = await table.objects.diff(SHOP, "Cart", 1, 2, limit=10)
        assert total == 2
        assert {change.name: (change.before, change.after) for change in changes} == {
            thirty_five.name: (A, B),
            eighty.name: (None, A),
        }
        assert (await table.objects.diff(SHOP, "Cart", 1, 2, limit=1))[1] == 2
        assert await table.objects.diff(SHOP, "Cart", 2, 2, limit=10) == ([], 0)
        back, _ = await table.objects.diff(SHOP, "Cart", 2, 1, limit=10)
        assert {change.name: (change.before, change.after) for change in back} == {
            thirty_five.name: (B, A),
            eighty.name: (A, None),
        }


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("deploy"),
            st.sampled_from(
                [
                    ((B, 20), (A, 80)),
                    ((B, 50), (A, 50)),
                    ((A, 50), (B, 50)),
                    ((B, 100),),
                    ((A, 100), (B, 0)),
                    ((C, 40), (A, 60)),
                ]
            ),
            st.just(0),
        ),
        st.tuples(st.just("use"), st.just(()), st.integers(0, 4)),
        st.tuples(st.sampled_from(["pin", "unpin"]), st.sampled_from([A, B, C]), st.integers(0, 4)),
        st.tuples(st.just("restart"), st.just(()), st.just(0)),
    ),
    max_size=14,
)
WALKERS = keys(5, 12, 35, 60, 80)


@settings(max_examples=40, deadline=None)
@given(steps=STEPS, drawn=st.sampled_from(AssignmentRule))
def test_over_any_history_the_past_stays_what_it_was(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, object, int]], drawn: AssignmentRule
) -> None:
    """Design 5: what the table said under a deployment it says of it ever after, restarts included."""

    async def walk() -> None:
        folder = tmp_path_factory.mktemp("state")
        seen: dict[int, dict[str | None, VersionId]] = {}
        remaining = [("deploy", ((B, 50), (A, 50)), 0), *steps]
        while remaining:
            async with opened(folder, drawn) as table:
                if not table.deployments:
                    await table.deploy((B, 50), (A, 50))
                while remaining:
                    step = remaining.pop(0)
                    if step[0] == "restart":
                        break
                    await take(table, *step)
                    seen[len(table.deployments)] = {
                        view.name: view.assigned
                        for view in (
                            await table.objects.page(SHOP, "Cart", search="", after="", limit=10, now=START)
                        )[0]
                    }
                for number, expected in seen.items():
                    past = await table.past(number)
                    assert {name: past[name] for name in expected} == expected

    asyncio.run(walk())


async def take(table: Table, kind: str, detail: object, index: int) -> None:
    """Do one step of a history; a pin that cannot be is no step."""
    key = WALKERS[index]
    try:
        if kind == "deploy":
            await table.deploy(*detail)  # type: ignore[misc]
        elif kind == "use":
            table.use(key)
        elif kind == "pin":
            await table.objects.pin(key, detail, START)  # type: ignore[arg-type]
        else:
            await table.objects.unpin(key, START)
    except PinError:
        return


# Restarts.


async def test_a_restart_changes_nothing(tmp_path: Path, rule: AssignmentRule) -> None:
    """Design 5, 9: assigned, running, pinned, resets, first and last use, and who assigned it, all as before."""
    many = [ObjectKey(SHOP, "Cart", f"cart-{number}") for number in range(60)]
    async with opened(tmp_path, rule) as table:
        await table.deploy((B, 20), (A, 80))
        table.versions(many[:40])
        await table.deploy((B, 50), (A, 50))
        table.versions(many[20:], START + 5)
        await table.objects.pin(many[0], A, START + 6)
        before, _ = await table.objects.page(SHOP, "Cart", search="", after="", limit=100, now=START + 7)

    async with opened(tmp_path, rule) as table:
        after, total = await table.objects.page(SHOP, "Cart", search="", after="", limit=100, now=START + 7)
        assert after == before
        assert total == 60
        assert table.versions(many, START + 8) == [
            {view.name: view.assigned for view in before}[key.name] for key in many
        ]


async def test_what_was_lost_with_the_process_is_made_again_the_same(tmp_path: Path, rule: AssignmentRule) -> None:
    """Design 5: an assignment not written yet follows from id and deployment; nothing can disagree."""
    many = [ObjectKey(SHOP, "Cart", f"cart-{number}") for number in range(100)]
    async with opened(tmp_path, rule) as table:
        await table.deploy((B, 20), (A, 80))
        before = table.versions(many)
        for known in table.objects._workers[SHOP].classes.values():
            known.dirty.clear()

    async with opened(tmp_path, rule) as table:
        assert table.store.load_objects(table.store.class_key(SHOP, "Cart")) == []
        assert table.versions(many) == before


async def test_a_wait_ends_with_the_process(tmp_path: Path, rule: AssignmentRule) -> None:
    """R61: memory is gone with the process, so there is nothing left to wait for; best effort."""
    async with opened(tmp_path, rule) as table:
        key = await moving_object(table)
        assert table.use(key, START + 101).running == A

    async with opened(tmp_path, rule) as table:
        assert table.use(key, START + 102).running == B


async def test_a_class_can_be_added_to_a_running_worker(tmp_path: Path) -> None:
    """Design 6: editing the file while running applies it; what is on disk of the class is there at once."""
    async with opened(tmp_path) as table:
        await table.deploy((A, 100))
        table.use(object_at(12))
        table.objects.set_worker(SHOP, STICKY, ["Cart", "Room"])

        assert list(table.objects.class_names(SHOP)) == ["Cart", "Room"]
        assert table.objects.class_names(WorkerName("nobody")) == []
        assert table.use(ObjectKey(SHOP, "Room", "x")).assigned == A
        assert table.use(object_at(12)).deployment_number == 1


# Size.


async def test_an_object_takes_less_than_300_bytes(tmp_path: Path) -> None:
    """Design 10: a million sticky objects in under 300 MB more memory, once they are written."""
    async with opened(tmp_path) as table:
        await table.deploy((B, 10), (A, 90))
        table.use(object_at(12))
        tracemalloc.start()
        for number in range(20_000):
            table.use(ObjectKey(SHOP, "Cart", str(number)))
        await table.objects.flush()
        used, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert used / 20_000 < 300


async def test_100_000_objects_are_written_in_pieces_and_are_no_work_for_a_deployment(tmp_path: Path) -> None:
    """Design 5, 10: a new deployment is active at once, since no row is touched by it."""
    async with opened(tmp_path) as table:
        await table.deploy((B, 10), (A, 90))
        many = [ObjectKey(SHOP, "Cart", str(number)) for number in range(100_000)]
        for key in many:
            table.objects.use(key, START)
        rows = table.objects._workers[SHOP].classes["Cart"]

        await table.deploy((B, 50), (A, 50))

        assert not rows.dirty
        assert set(rows.judged) == {1}
        assert len(table.store.load_objects(rows.key)) == len(many) > FLUSH_ROWS
        split = split_of([VersionShare(B, 10), VersionShare(A, 90)])
        assert Counter(rows.version)[2] == sum(split.at(point_of_object(key.id)).version_id == B for key in many)
