"""Pages of the object table: SQLite finds them by key, whatever their number, and a search misses none."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.object_query import (
    MOVES_OF_RANGE,
    PINS_OF_RANGE,
    IdRange,
    PageQuery,
    page_query,
    ranges_of,
)
from gateway.store.sqlite import DATABASE, ObjectRow, SqliteStore
from tests.model.examples import SHOP

OBJECTS = 20_000
PAGE = 100
STEPS_AT_ONCE = 100
NAMES = [f"user-{number}" if number % 7 else None for number in range(OBJECTS)]
IDS = [sha256(f"{number}".encode()).digest() for number in range(OBJECTS)]


async def fill(folder: Path) -> None:
    """Write 20,000 objects of one class."""
    store = SqliteStore(folder)
    key = store.class_key(SHOP, "Cart")
    rows = [ObjectRow(key, id_, name, 1, 1, 1, 1, 1, 0, 0.0, 0.0) for id_, name in zip(IDS, NAMES, strict=True)]
    await store.write_objects(rows, [])
    await store.close()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """A database that holds them, for reading."""
    folder = tmp_path_factory.mktemp("objects")
    asyncio.run(fill(folder))
    database = sqlite3.connect(folder / DATABASE)
    yield database
    database.close()


def steps_of(database: sqlite3.Connection, query: PageQuery) -> int:
    """Return about how many steps SQLite's machine takes for a query: what time would say, on any machine."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += STEPS_AT_ONCE
        return 0

    database.set_progress_handler(count, STEPS_AT_ONCE)
    try:
        assert database.execute(*query).fetchall()
    finally:
        database.set_progress_handler(None, 0)
    return steps


@pytest.mark.parametrize("search", ["", "user-1", "ff00"])
def test_a_page_is_found_by_key_and_never_sorted(database: sqlite3.Connection, search: str) -> None:
    """Design 5: a million objects are comfortable: no table is scanned, and no page waits for a sort."""
    text, values = page_query(1, search, IDS[5], PAGE)
    (step,) = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {text}", values)]

    assert step.endswith("objects USING PRIMARY KEY (class=? AND id>?)")


@pytest.mark.parametrize(("query", "table"), [(MOVES_OF_RANGE, "moves"), (PINS_OF_RANGE, "pins")])
def test_the_past_of_a_page_is_found_by_key(database: sqlite3.Connection, query: str, table: str) -> None:
    """Design 5: a page as of an old deployment reads the moves of its own objects, not those of a million."""
    (step,) = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {query}", (1, IDS[5], IDS[5]))]

    assert step.endswith(f"{table} USING INDEX {table}_by_object (class=? AND id>? AND id<?)")


@pytest.mark.parametrize(
    ("ids", "search", "ranges"),
    [
        ([], "", []),
        ([b"a"], "", [(b"a", b"a")]),
        ([b"a", b"b", b"c"], "", [(b"a", b"c")]),
        ([b"a", b"c"], "x", [(b"a", b"a"), (b"c", b"c")]),
        ([], "x", []),
    ],
)
def test_a_page_s_objects_lie_in_few_ranges(ids: list[bytes], search: str, ranges: list[IdRange]) -> None:
    """Neighbours are one range; what a search found lies apart, with objects between that nobody asked for."""
    assert ranges_of(ids, search) == ranges


def test_the_last_page_takes_no_more_steps_than_the_first(database: sqlite3.Connection) -> None:
    """Design 5: pages are found by the id before them; with an offset each would count through all before it."""
    first = steps_of(database, page_query(1, "", b"", PAGE))
    last = steps_of(database, page_query(1, "", sorted(IDS)[-PAGE - 1], PAGE))

    assert abs(first - last) <= 2 * STEPS_AT_ONCE
    assert last < PAGE * 50


def test_a_search_for_no_id_looks_into_names_alone(database: sqlite3.Connection) -> None:
    """Ids in hex are written out only where the text can be part of one: that is most of the work."""
    as_name = steps_of(database, page_query(1, f"user-{OBJECTS - 2}", b"", PAGE))
    as_both = steps_of(database, page_query(1, f"{OBJECTS - 2}", b"", PAGE))

    assert as_name < as_both


@given(
    st.sampled_from(["user-19", "9", "ser", "USER", "a0", "A0b", "zz", "%", "_", "\0", "ü", "12345"])
    | st.text("0123456789abcdefABCDEF", min_size=1, max_size=4)
    | st.sampled_from([id_.hex() for id_ in IDS[:5]] + [IDS[0].hex().upper(), IDS[0].hex() + "0"])
)
def test_a_search_finds_what_has_the_text_in_name_or_id(database: sqlite3.Connection, search: str) -> None:
    """Design 1: part of a name as it is written, part of an id in either case; page after page, each once."""
    wanted = sorted(
        id_
        for id_, name in zip(IDS, NAMES, strict=True)
        if (name and search in name) or search.lower() in id_.hex()
    )
    found: list[bytes] = []
    after = b""
    while rows := database.execute(*page_query(1, search, after, 2_000)).fetchall():
        found += [row[1] for row in rows]
        after = found[-1]

    assert found == wanted
