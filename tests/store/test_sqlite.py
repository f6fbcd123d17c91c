"""The store on SQLite: what goes in comes out, all or nothing, and never a newer schema."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from importlib.resources import files
from pathlib import Path

import pytest

from gateway.errors import StateTooNew, StateUnavailable
from gateway.model.deployment import CodeUpdate, Cohort
from gateway.model.logpush_job import JobState, LogpushJob, OutputOptions
from gateway.model.version import CommandRuntime, UrlRuntime
from gateway.model.worker import Namespace, Schedule, WorkerState
from gateway.model.worker_code import Binding, Module, ModuleKind, WorkerdRuntime
from gateway.store.sqlite import DATABASE, SCHEMA_VERSION, MoveRow, ObjectRow, PinRow, SqliteStore
from tests.model.examples import API, SHOP, A, B, C, deployment, shares, version
from tests.store.tables import EVERY_ID

COMMAND = CommandRuntime(
    ("python", "-m", "app \u00fc"), cwd="here", env=(("A", "1"), ("B", "")), ready_path="/healthz"
)


async def test_versions_come_back_as_they_were(tmp_path: Path) -> None:
    """Design 9, R1: every field of a version, both runtimes, over a restart."""
    versions = [
        version(A, 1, tag="v1"),
        replace(version(B, 2, tag="v@2 \u2603", runtime=COMMAND), message="it's", source="api", author="me"),
        version(C, 1, worker=API, runtime=UrlRuntime("unix:/run/app.sock")),
    ]
    store = SqliteStore(tmp_path)
    await store.add_versions(versions[:2])
    await store.add_versions(versions[2:])
    await store.close()

    store = SqliteStore(tmp_path)
    found = store.load_versions()
    await store.close()

    assert sorted(found, key=lambda one: one.id) == versions


async def test_what_an_upload_says_of_itself_comes_back(tmp_path: Path) -> None:
    """R7, R53, R90: trigger, alias and migration tag, and the modules and bindings, secrets among them."""
    runtime = WorkerdRuntime(
        "index.js",
        (Module("index.js", ModuleKind.ES_MODULE, "0" * 64, 7),),
        (Binding("S", "secret_text", {}, "hidden"), Binding("J", "json", {"json": {"x": [1, None]}})),
        "2026-01-01",
        ("nodejs_compat",),
    )
    uploaded = replace(
        version(A, 1, runtime=runtime), triggered_by="secret", alias="beta", migration_tag="v1", source="wrangler"
    )
    store = SqliteStore(tmp_path)
    await store.add_versions([uploaded, version(B, 2)])
    await store.remove_version(B)
    await store.close()

    store = SqliteStore(tmp_path)
    found = store.load_versions()
    await store.close()

    assert found == [uploaded]


async def test_a_deployment_and_the_states_of_workers_are_written_together(tmp_path: Path) -> None:
    """R52: a class that changes hands is never with both or none."""
    namespace = Namespace("1" * 32, "Cart", "shop-Cart", sqlite=True)
    states = [
        WorkerState(API, "a" * 32, "then", "now", retired_keys=("api-Cart",), domains=("api.test",)),
        WorkerState(
            SHOP, "b" * 32, "then", "now", "v1", (namespace,), schedules=(Schedule("* * * * *", "a", "b"),)
        ),
    ]
    store = SqliteStore(tmp_path)
    await store.add_deployment(deployment((A, 100)), workers=states)
    with pytest.raises(StateUnavailable):
        await store.add_deployment(deployment((A, 100)), workers=[replace(one, tag="c" * 32) for one in states])
    found = store.load_workers()
    await store.close()

    assert found == states


async def test_deployments_come_back_as_they_were(tmp_path: Path) -> None:
    """Design 9, R13, R60, R71: order of versions, decimals, cohorts, code update, author, message, time zone."""
    made = [
        replace(
            deployment((B, 33.333), (A, 66.667), number=1, code_update=CodeUpdate("deferred", 300)),
            author="me",
            message="caf\u00e9 \U0001f980",
            source="wrangler",
            triggered_by="rollback",
        ),
        deployment((A, 100), (B, 0), number=2, cohorts=[Cohort("team", shares((B, 25.5), (A, 74.5)))]),
        deployment((C, 100), worker=API, created_on=datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))),
    ]
    store = SqliteStore(tmp_path)
    for one in made:
        await store.add_deployment(one)
    await store.close()

    store = SqliteStore(tmp_path)
    found = store.load_deployments()
    await store.close()

    assert found == [made[2], made[0], made[1]]
    assert found[0].created_on == datetime(2025, 12, 31, 23, tzinfo=UTC)


async def test_a_deployment_and_its_notes_are_written_together(tmp_path: Path) -> None:
    """``store.py``: one transaction; a deployment that cannot be written leaves no note behind."""
    store = SqliteStore(tmp_path)
    await store.add_deployment(deployment((A, 100)), [("key", "one")])
    assert await store.note("key") == "one"

    with pytest.raises(StateUnavailable):
        await store.add_deployment(deployment((B, 100)), [("key", "two"), ("other", "three")])

    assert (await store.note("key"), await store.note("other")) == ("one", None)
    assert store.load_deployments() == [deployment((A, 100))]
    await store.add_deployment(deployment((B, 100), number=2), [("key", "two")])
    assert await store.note("key") == "two"
    await store.close()


async def test_versions_are_added_all_or_none(tmp_path: Path) -> None:
    """Design 9: in transactions, so that nothing is ever half written."""
    store = SqliteStore(tmp_path)

    with pytest.raises(StateUnavailable):
        await store.add_versions([version(A, 1), version(B, 1)])

    assert store.load_versions() == []
    await store.close()


def row(key: int, number: int, name: str | None, **changed: float) -> ObjectRow:
    """Return an object's row."""
    return ObjectRow(key, bytes([number]) * 32, name, 1, 1, 1, 1, 1, 0, 10.0, 20.0)._replace(**changed)  # type: ignore[arg-type]


async def test_objects_keep_what_they_were_first_and_their_name(tmp_path: Path) -> None:
    """Design 5: the table keeps name, first and present assignment, running version, resets, uses."""
    store = SqliteStore(tmp_path)
    key = store.class_key(SHOP, "Cart")
    await store.write_objects([row(key, 1, "one"), row(key, 2, None)], [])
    later = row(
        key,
        1,
        None,
        first_version=9,
        version=2,
        deployment=3,
        running=2,
        resets=1,
        first_used=99.0,
        last_used=30.0,
    )
    await store.write_objects([later, row(key, 2, "two")], [MoveRow(key, later.id, 3, 1, 2, 25.0, "deployment")])

    one, two = await store.objects_page(key, "", b"", 10)
    history = await store.object_history(key, later.id)

    assert one == later._replace(name="one", first_version=1, first_used=10.0)
    assert two.name == "two"
    assert history.row == one
    assert history.moves == [MoveRow(key, later.id, 3, 1, 2, 25.0, "deployment")]
    assert sorted(store.load_objects(key)) == [
        (one.id, 2, 3, 2, 1, 10.0, 30.0),
        (two.id, 1, 1, 1, 0, 10.0, 20.0),
    ]
    await store.close()


async def test_objects_and_moves_are_written_all_or_none(tmp_path: Path) -> None:
    """Design 9: a move without its object, or an object without its move, would tell a wrong history."""
    store = SqliteStore(tmp_path)
    key = store.class_key(SHOP, "Cart")

    with pytest.raises(StateUnavailable):
        await store.write_objects([row(key, 1, "one")], [MoveRow(key + 1, b"x", 1, 1, 2, 1.0, "deployment")])

    assert store.load_objects(key) == []
    await store.close()


async def test_classes_are_kept_apart(tmp_path: Path) -> None:
    """Design 5: an object is (worker, class, id)."""
    store = SqliteStore(tmp_path)
    keys = [store.class_key(worker, name) for worker in (SHOP, API) for name in ("Cart", "Room")]
    await store.write_objects([row(keys[0], 1, "one")], [])

    assert len(set(keys)) == 4
    assert store.class_key(SHOP, "Cart") == keys[0]
    assert [len(store.load_objects(key)) for key in keys] == [1, 0, 0, 0]
    await store.close()


SEARCHES = {
    "all": ("", ["cart-1", "cart-2", "100%", "a_b", None]),
    "part of a name": ("cart", ["cart-1", "cart-2"]),
    "per cent sign": ("%", ["100%"]),
    "underscore": ("_", ["a_b"]),
    "part of an id": ("0505", [None]),
    "id in upper case": ("0A" * 3, []),
    "quote": ("'", []),
    "nothing": ("nobody", []),
}


@pytest.mark.parametrize(("search", "names"), SEARCHES.values(), ids=SEARCHES)
async def test_objects_are_found_by_part_of_name_or_id(
    tmp_path: Path, search: str, names: list[str | None]
) -> None:
    """Design 1, 5: the table can be searched; nothing in the search is a pattern."""
    store = SqliteStore(tmp_path)
    key = store.class_key(SHOP, "Cart")
    await store.write_objects(
        [row(key, n, name) for n, name in enumerate(("cart-1", "cart-2", "100%", "a_b", None), 1)], []
    )

    assert [found.name for found in await store.objects_page(key, search, b"", 10)] == names
    await store.close()


async def test_pages_follow_each_other_without_gap_or_repeat(tmp_path: Path) -> None:
    """Design 5: a million objects are listed page by page, by id."""
    store = SqliteStore(tmp_path)
    key = store.class_key(SHOP, "Cart")
    await store.write_objects([row(key, number, f"cart-{number}") for number in range(25)], [])

    found: list[str | None] = []
    last = b""
    while page := await store.objects_page(key, "", last, 10):
        found += [one.name for one in page]
        last = page[-1].id

    assert found == [f"cart-{number}" for number in range(25)]
    await store.close()


async def test_a_pin_ends_the_one_before_it(tmp_path: Path) -> None:
    """Design 5: one pin holds at a time, and the earlier ones stay in the history."""
    store = SqliteStore(tmp_path)
    key, object_id = store.class_key(SHOP, "Cart"), bytes(32)
    await store.write_pin(key, object_id, PinRow(key, object_id, 1, 1, None, 10.0), 1)
    await store.write_pin(key, object_id, PinRow(key, object_id, 2, 3, None, 20.0), 3)
    held = store.load_pins(key)
    await store.write_pin(key, object_id, None, 5)

    history = await store.object_history(key, object_id)
    assert held == [(object_id, 2)]
    assert store.load_pins(key) == []
    assert history.row is None
    assert [(pin.version, pin.since_deployment, pin.until_deployment) for pin in history.pins] == [
        (1, 1, 3),
        (2, 3, 5),
    ]
    assert (await store.moves_and_pins(key, [EVERY_ID]))[1] == history.pins
    await store.close()


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """Design 9: forward migrations only; an older gateway must not touch what a newer one wrote."""
    await SqliteStore(tmp_path).close()
    database = sqlite3.connect(tmp_path / DATABASE)
    database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    database.close()
    before = (tmp_path / DATABASE).read_bytes()

    with pytest.raises(StateTooNew, match=f"newer gateway .*{SCHEMA_VERSION + 1}"):
        SqliteStore(tmp_path)

    assert (tmp_path / DATABASE).read_bytes() == before


async def test_the_remedy_for_a_newer_schema_is_no_free_disk_space(tmp_path: Path) -> None:
    """House rule 8: an error tells the user what to do next, and that is another gateway or another folder."""
    await SqliteStore(tmp_path).close()
    database = sqlite3.connect(tmp_path / DATABASE)
    database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    database.close()

    with pytest.raises(StateTooNew) as caught:
        SqliteStore(tmp_path)

    assert "disk space" not in caught.value.remedy


async def test_what_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Design 9: a folder that holds something else is not overwritten; the lock is let go."""
    (tmp_path / DATABASE).write_bytes(b"something else " * 1_000)

    for _ in range(2):
        with pytest.raises(StateUnavailable, match="not a database"):
            SqliteStore(tmp_path)

    assert (tmp_path / DATABASE).read_bytes() == b"something else " * 1_000


async def test_the_database_is_durable(tmp_path: Path) -> None:
    """Design 9: SQLite in WAL mode; what is acknowledged survives power-off, so each commit is synced."""
    store = SqliteStore(tmp_path)

    def pragmas() -> tuple[object, ...]:
        return tuple(
            store._database.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "user_version")
        )

    assert store._thread.submit(pragmas).result() == ("wal", 2, SCHEMA_VERSION)
    await store.close()


async def test_the_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Design 9: the state may hold secrets (a version's variables), so the folder is made with mode 0700."""
    store = SqliteStore(tmp_path / "deep" / "state")
    await store.close()

    assert (tmp_path / "deep" / "state").stat().st_mode & 0o777 == 0o700


async def test_logpush_jobs_come_back_as_they_were(tmp_path: Path) -> None:
    """Issue C, Logpush: jobs survive restarts; an id is never given twice."""
    output = OutputOptions(("Outcome", "ScriptVersion"), "rfc3339", 0.5, cve_2021_44228=True)
    job = LogpushJob(0, "all \u2603", True, "https://logs.test/?header_X=s", output, 1, 2, 3)
    store = SqliteStore(tmp_path)
    first, second = await store.add_logpush_job(job), await store.add_logpush_job(job)
    changed = replace(first, enabled=False, state=JobState("2027-01-15T08:00:00Z", "", "gone"))
    await store.save_logpush_job(changed)
    await store.delete_logpush_job(second.id)
    await store.save_logpush_job(second)
    await store.close()

    store = SqliteStore(tmp_path)
    found = store.load_logpush_jobs()
    third = await store.add_logpush_job(job)
    await store.close()

    assert found == [changed]
    assert (first.id, second.id, third.id) == (1, 2, 3)


async def test_state_of_an_older_gateway_is_led_forward(tmp_path: Path) -> None:
    """Design 9, forward migrations: what version 2 of the schema wrote is there, with room for jobs."""
    database = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)
    for name in ("schema.sql", "schema_2.sql"):
        database.executescript(files("gateway.store").joinpath(name).read_text("utf-8"))
    database.execute("PRAGMA user_version = 2")
    database.execute("INSERT INTO notes VALUES ('a', 'b')")
    database.close()

    store = SqliteStore(tmp_path)
    noted, jobs = await store.note("a"), store.load_logpush_jobs()
    await store.close()

    assert (noted, jobs) == ("b", [])
