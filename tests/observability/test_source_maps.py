"""Source maps: places of a bundle -> places that were written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.observability.source_maps import (
    NoSourceMap,
    Place,
    SourceMap,
    files_of,
    mapped_stack,
    parse_source_map,
)

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

# Written by hand: line 1 has nothing; line 2 comes from a.ts line 3, its columns 4 to 8 from b.ts line 1 and the
# rest from nowhere.
BY_HAND = {"version": 3, "sources": ["src/a.ts", "src/b.ts"], "mappings": ";AAEA,ICFA,I"}


def encoded(*numbers: int) -> str:
    """Return numbers as base64 VLQ."""
    text = ""
    for number in numbers:
        left = abs(number) << 1 | (number < 0)
        while True:
            digit, left = left & 31, left >> 5
            text += DIGITS[digit | (32 if left else 0)]
            if not left:
                break
    return text


def of(**members: object) -> SourceMap:
    return parse_source_map(json.dumps({"version": 3, "sources": ["a.ts"], "mappings": "", **members}))


def test_every_place_of_a_map_written_by_hand() -> None:
    """ECMA-426: a mapping holds until the next one on its line; lines and columns of stacks count from 1."""
    source_map = parse_source_map(json.dumps(BY_HAND))
    places = {column: source_map.original(2, column) for column in (1, 4, 5, 8, 9)}

    assert places == {
        1: Place("src/a.ts", 3, 1),
        4: Place("src/a.ts", 3, 1),
        5: Place("src/b.ts", 1, 1),
        8: Place("src/b.ts", 1, 1),
        9: None,
    }
    assert [source_map.original(line, 1) for line in (0, 1, 3)] == [None, None, None]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 10**6), st.integers(0, 10**5)), min_size=1))
def test_what_was_encoded_is_decoded(written: list[tuple[int, int, int]]) -> None:
    """ECMA-426, VLQ: differences of any sign; each segment here is one column wide."""
    mappings, before = [], (0, 0, 0)
    for index, place in enumerate(written):
        steps = [now - then for now, then in zip(place, before, strict=True)]
        mappings.append(encoded(1 if index else 0, *steps))
        before = place
    source_map = of(sources=["a", "b", "c", "d"], mappings=",".join(mappings))

    for index, (source, line, column) in enumerate(written):
        assert source_map.original(1, index + 1) == Place("abcd"[source], line + 1, column + 1)


def test_a_segment_may_have_a_name_too() -> None:
    """ECMA-426: five fields, of which the last names a thing."""
    assert of(mappings="AACAA").original(1, 1) == Place("a.ts", 2, 1)


def test_sources_may_have_a_root_or_be_unknown() -> None:
    """ECMA-426 ``sourceRoot``; a source may be null."""
    assert of(mappings="AAAA", sourceRoot="src/").original(1, 1) == Place("src/a.ts", 1, 1)
    assert of(mappings="AAAA", sources=[None]).original(1, 1) == Place("(unknown)", 1, 1)


BAD = [
    b"", b"\xff", "[]", "null", "{", "[" * 100_000,
    {"version": 2}, {"version": "3"}, {"mappings": 1}, {"sources": "a"}, {"sections": []},
    {"mappings": "!"}, {"mappings": "\u00e9"}, {"mappings": "g"}, {"mappings": "ACAA"},
    {"mappings": "ADAA"}, {"mappings": "ggggggggggggB"},
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: str(bad)[:30])
def test_what_is_no_source_map_is_told(bad: object) -> None:
    """A user may upload anything as ``index.js.map``."""
    base = {"version": 3, "sources": ["a.ts"], "mappings": "AAAA"}
    text = bad if isinstance(bad, str | bytes) else json.dumps({**base, **bad})  # type: ignore[dict-item]
    with pytest.raises(NoSourceMap):
        parse_source_map(text)


STACK = """\
    at boom (index.js:2:5)
    at Object.fetch (./index.js:2:2)
    at index.js:2:1
    at async Promise.all (index 0)
    at new Cart (other.js:2:1)
    at index.js:99:1"""


def test_a_stack_names_the_places_that_were_written() -> None:
    """Issue B, errors clients see: the exception with source-mapped stack."""
    source_map = parse_source_map(json.dumps(BY_HAND))
    mapped = mapped_stack(STACK, {"index.js": source_map, "./index.js": source_map}.get)

    assert (
        mapped
        == """\
    at boom (src/b.ts:1:1)
    at Object.fetch (src/a.ts:3:1)
    at src/a.ts:3:1
    at async Promise.all (index 0)
    at new Cart (other.js:2:1)
    at index.js:99:1"""
    )
    assert files_of(STACK) == {"index.js", "./index.js", "other.js"}
