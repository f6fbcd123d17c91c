"""Where objects on workerd shall run: by rule, pin and deferred update; what moves, what waits, what is told."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.deployment import CodeUpdate, Deployment
from gateway.model.durable_object import AssignmentRule, ObjectKey
from gateway.model.version import VersionId
from gateway.model.worker import Namespace
from gateway.routing.durable_objects import point_of_object
from gateway.routing.percentages import split_of
from gateway.runtime.workerd.tables import OwnerTable
from gateway.store.placing import Placing
from gateway.store.store import Placement
from tests.model.examples import IMMEDIATE, SHOP, A, B, C, deployment
from tests.store.tables import START, Table, opened

KEY = "shop-Tally"
TALLY = Namespace("0" * 32, "Tally", KEY, sqlite=True)
STICKY, HASH = AssignmentRule.STICKY, AssignmentRule.HASH
SHARES = (((A, 100.0),), ((B, 20.0), (A, 80.0)), ((B, 50.0), (A, 50.0)), ((A, 50.0), (B, 50.0)), ((B, 100.0),))


def id_at(point: float) -> bytes:
    """Return an id at a point on [0, 100)."""
    return int(point / 100 * 2**32).to_bytes(4) + bytes(28)


IDS = [id_at(point) for point in (0, 5, 19.9, 20.1, 49, 51, 80, 99.9)]


class Placed:
    """A Worker's objects on workerd as ``gateway.moving`` keeps them, with nothing to move but the table."""

    def __init__(self, table: Table, rule: AssignmentRule) -> None:
        self.table = table
        table.objects.set_namespaces(SHOP, rule, [TALLY])
        self.placing = Placing(table.objects)
        self.resident: Collection[bytes] = ()

    def learn(self, *ids: bytes) -> None:
        """Learn of objects, as from their processes."""
        for id_ in ids:
            self.placing.learn(SHOP, KEY, id_, f"name of {id_.hex()[:8]}", START)

    async def look(self, coming: Deployment | None = None, now: float = START) -> Placement:
        """Return where the objects shall run."""
        return await self.placing.placement(SHOP, coming, lambda _version, _key, id_: id_ in self.resident, now)

    async def deploy(
        self, *listed: tuple[VersionId, float], now: float = START, code_update: CodeUpdate = IMMEDIATE
    ) -> Placement:
        """Make a deployment and the moves that it asks for at once."""
        coming = deployment(
            *listed,
            number=len(self.table.deployments) + 1,
            code_update=code_update,
            created_on=datetime.fromtimestamp(now, UTC),
        )
        placement = await self.look(coming, now)
        await self.table.deploy(*listed, at=now, code_update=code_update)
        await self.placing.settle(SHOP, placement.moves, now)
        return placement

    async def settle(self, now: float) -> Placement:
        """Make the moves that are due by now."""
        placement = await self.look(None, now)
        await self.placing.settle(SHOP, placement.moves, now)
        return placement

    def check(self, placement: Placement) -> None:
        """Hold what the processes are told to what the table says, for every object that is known."""
        told = OwnerTable(split_of(self.table.deployments[-1].versions), placement.exceptions)
        known = [id_ for id_ in IDS if self.running(id_) != [None]]
        assert [told.owner(id_) for id_ in known] == [self.placing.running(SHOP, KEY, id_) for id_ in known]

    def running(self, *ids: bytes) -> list[VersionId | None]:
        """Return the versions that objects run."""
        return [self.placing.running(SHOP, KEY, id_) for id_ in ids or IDS]


def by_points(shares: tuple[tuple[VersionId, float], ...]) -> list[VersionId]:
    """Return the version of each of ``IDS`` by its point alone."""
    split = split_of(deployment(*shares).versions)
    return [split.at(point_of_object(id_)).version_id for id_ in IDS]


@pytest.mark.parametrize("rule", AssignmentRule)
async def test_an_object_runs_where_its_point_says_at_its_first_use(tmp_path: Path, rule: AssignmentRule) -> None:
    """R47, R48."""
    async with opened(tmp_path, rule) as table:
        placed = Placed(table, rule)
        await placed.deploy((B, 20), (A, 80))
        placed.learn(*IDS)

        assert placed.running() == by_points(((B, 20), (A, 80)))
        assert await placed.look() == Placement([], {}, [])


async def test_by_hash_every_deployment_moves_exactly_those_whose_point_changes_hands(tmp_path: Path) -> None:
    """R46c, R49: each object that moves is named once, with the version that has it and the one that gets it."""
    async with opened(tmp_path, HASH) as table:
        placed = Placed(table, HASH)
        await placed.deploy(*SHARES[0])
        placed.learn(*IDS)
        for shares in SHARES[1:]:
            before = placed.running()
            placement = await placed.deploy(*shares)
            told = {move.id: (move.from_version, move.to_version) for move in placement.moves}
            assert told == {
                id_: (was, now) for id_, was, now in zip(IDS, before, by_points(shares), strict=True) if was != now
            }
            assert placement.exceptions == {}
            assert placed.running() == by_points(shares)


async def test_sticky_objects_are_exceptions_until_their_version_leaves(tmp_path: Path) -> None:
    """Row S1: what runs elsewhere than its point says must be told to the processes."""
    async with opened(tmp_path, STICKY) as table:
        placed = Placed(table, STICKY)
        await placed.deploy((A, 100))
        placed.learn(*IDS)
        placement = await placed.deploy((B, 50), (A, 50))
        assert placement.moves == []
        assert placement.exceptions == {id_: A for id_ in IDS if point_of_object(id_) < 50}

        placement = await placed.deploy((B, 100))

        assert {move.id for move in placement.moves} == set(IDS)
        assert placement.exceptions == {}


@pytest.mark.parametrize("rule", AssignmentRule)
async def test_a_pin_is_a_move_and_holds_over_deployments(tmp_path: Path, rule: AssignmentRule) -> None:
    """Issue 2, pins: wherever the pinned version is deployed; an object that was never used too."""
    async with opened(tmp_path, rule) as table:
        placed = Placed(table, rule)
        await placed.deploy((A, 50), (B, 50))
        placed.learn(*IDS)
        unused = id_at(77)
        for id_, version in ((IDS[0], B), (unused, A)):
            await table.objects.pin(ObjectKey(SHOP, "Tally", "pinned", id_), version, START)
        await placed.settle(START)
        assert placed.running(IDS[0], unused) == [B, A]

        await placed.deploy((A, 90), (B, 10))

        assert placed.running(IDS[0], unused) == [B, A]
        await placed.deploy((A, 100))
        assert placed.running(IDS[0], unused) == [A, A]


async def test_only_resident_objects_wait_and_no_longer_than_their_limit(tmp_path: Path) -> None:
    """R60, R61: the others move at once; who waits is an exception until it leaves memory or time is up."""
    async with opened(tmp_path, HASH) as table:
        placed = Placed(table, HASH)
        await placed.deploy((A, 100))
        placed.learn(*IDS)
        busy, busier, idle = IDS[0], IDS[1], IDS[2:]
        placed.resident = {busy, busier}

        placement = await placed.deploy((B, 100), code_update=CodeUpdate("deferred", 60.0))

        assert {move.id for move in placement.moves} == set(idle)
        assert {waiting.move.id for waiting in placement.waiting} == {busy, busier}
        assert {waiting.until for waiting in placement.waiting} == {START + 60}
        assert placement.exceptions == {busy: A, busier: A}
        assert (await placed.settle(START + 59)).moves == []
        placed.resident = {busier}
        assert [move.id for move in (await placed.settle(START + 59)).moves] == [busy]
        assert [move.id for move in (await placed.settle(START + 61)).moves] == [busier]
        assert set(placed.running()) == {B}


async def test_the_first_limit_to_end_wins_and_immediate_ends_all(tmp_path: Path) -> None:
    """R61: each deployment starts its own timer, the first to end wins; an immediate one ends all waits."""
    for second, moved in ((CodeUpdate("deferred", 300.0), 61), (CodeUpdate("deferred", 5.0), 16), (IMMEDIATE, 10)):
        async with opened(tmp_path / str(moved), HASH) as table:
            placed = Placed(table, HASH)
            await placed.deploy((A, 100))
            placed.learn(IDS[0])
            placed.resident = IDS
            await placed.deploy((B, 100), code_update=CodeUpdate("deferred", 60.0))
            await placed.deploy((C, 100), now=START + 10, code_update=second)

            await placed.settle(START + moved)

            assert placed.running(IDS[0]) == [C]


async def test_an_object_found_in_a_folder_is_where_it_was_found(tmp_path: Path) -> None:
    """Runtime.md 5: after a fall the files say where objects that nobody knows of were."""
    async with opened(tmp_path, STICKY) as table:
        placed = Placed(table, STICKY)
        await placed.deploy((A, 50), (B, 50))
        known = placed.placing.learn(SHOP, KEY, IDS[0], None, START, at=B)
        assert known is True
        assert placed.placing.learn(SHOP, KEY, IDS[0], "now with a name", START) is False
        assert placed.running(IDS[0]) == [B]


async def test_what_nobody_knows_is_not_learnt(tmp_path: Path) -> None:
    """A Worker that is gone, a class that was deleted, a Worker before its first deployment."""
    async with opened(tmp_path, STICKY) as table:
        placed = Placed(table, STICKY)
        assert placed.placing.learn(SHOP, KEY, IDS[0], None, START) is False
        await placed.deploy((A, 100))
        assert placed.placing.learn(SHOP, "shop-Gone", IDS[0], None, START) is False
        assert placed.running(IDS[0]) == [None]


async def test_moves_outlive_a_restart(tmp_path: Path) -> None:
    """``running`` in the database is the journal: what was written is where objects are after a start."""
    async with opened(tmp_path, HASH) as table:
        placed = Placed(table, HASH)
        await placed.deploy((A, 100))
        placed.learn(*IDS)
        await table.objects.flush()
        placement = await placed.deploy((B, 50), (A, 50))
        await table.store.write_running(placed.placing.rows(SHOP, placement.moves))
    async with opened(tmp_path, HASH) as table:
        placed = Placed(table, HASH)
        assert placed.running() == by_points(((B, 50), (A, 50)))
        assert await placed.look() == Placement([], {}, [])


STEPS = st.lists(
    st.tuples(
        st.sampled_from(SHARES),
        st.sampled_from([IMMEDIATE, CodeUpdate("deferred", 30.0)]),
        st.sets(st.sampled_from(IDS)),
        st.floats(min_value=0.0, max_value=40.0),
    ),
    min_size=1,
    max_size=6,
)


@given(rule=st.sampled_from(AssignmentRule), steps=STEPS)
@settings(max_examples=40)
def test_the_processes_table_always_says_where_each_object_runs(
    rule: AssignmentRule, steps: list[tuple[tuple[tuple[VersionId, float], ...], CodeUpdate, set[bytes], float]]
) -> None:
    """R46: split and exceptions together name, for every object, the one version that has its files."""

    async def check() -> None:
        with TemporaryDirectory() as folder:
            async with opened(Path(folder), rule) as table:
                placed = Placed(table, rule)
                now = START
                for shares, update, resident, pause in steps:
                    placed.resident = resident
                    placed.check(await placed.deploy(*shares, now=now, code_update=update))
                    placed.learn(*IDS)
                    now += pause
                    placed.check(await placed.settle(now))

    asyncio.run(check())
