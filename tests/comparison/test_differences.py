"""What counts as a difference between two answers, and what is noise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.comparison.answers import Answer, Difference, InvalidComparison, Kind
from gateway.comparison.compare import Pair, answer_differences
from gateway.comparison.ignored import parse_ignored, without_noise
from gateway.comparison.json_shape import json_differences

JSON = ("Content-Type", "application/json")


def headers(*pairs: tuple[str, str]) -> Answer:
    return Answer(200, pairs)


def told(before: Answer, after: Answer) -> list[tuple[str, ...]]:
    return [tuple(one) for one in answer_differences(Pair(before, after))]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (headers(), headers(), []),
        (Answer(200, ()), Answer(404, ()), [("status", "changed", "200", "404")]),
        (
            headers(("Content-Type", "text/html")), headers(("content-type", "text/plain")),
            [("header:content-type", "changed", "text/html", "text/plain")],
        ),
        (headers(("Cache-Control", "max-age=1, public")), headers(("cache-control", "Public,max-age=1")), []),
        (
            headers(("Cache-Control", "no-store")), headers(),
            [("header:cache-control", "removed", "no-store", "")],
        ),
        (headers(), headers(("Location", "/a")), [("header:location", "added", "", "/a")]),
        (headers(("ETag", '"1"')), headers(("ETag", '"2"')), []),
        (headers(("ETag", '"1"')), headers(), [("header:etag", "removed", "present", "")]),
        (headers(("Date", "1"), ("CF-Ray", "a")), headers(("Date", "2"), ("CF-Ray", "b"), ("X-Own", "1")), []),
        (
            headers(("Set-Cookie", "a=1; Path=/; HttpOnly"), ("Set-Cookie", "b=1")),
            headers(("Set-Cookie", "a=2; HttpOnly; Path=/; Max-Age=5")),
            [("header:set-cookie:b", "removed", "set", "")],
        ),
        (
            headers(("Set-Cookie", "a=1; Secure")), headers(("Set-Cookie", "a=1")),
            [("header:set-cookie:a", "changed", "set; Secure", "set")],
        ),
        (
            headers(("Content-Security-Policy", "script-src 'nonce-abc'")),
            headers(("Content-Security-Policy", "script-src 'nonce-xyz'")),
            [],
        ),
        (
            headers(("Content-Security-Policy", "default-src 'none'")),
            headers(("Content-Security-Policy", "default-src *")),
            [("header:content-security-policy", "changed", "default-src 'none'", "default-src *")],
        ),
        (
            headers(("Access-Control-Allow-Origin", "*")), headers(),
            [("header:access-control-allow-origin", "removed", "*", "")],
        ),
        (headers(("Vary", "Cookie"), ("Vary", "Accept")), headers(("Vary", "accept, cookie")), []),
    ],
)  # fmt: skip
def test_headers_that_matter(before: Answer, after: Answer, found: list[tuple[str, ...]]) -> None:
    """Issue D, compare: status, headers that matter, names of cookies, presence of tags; no dates or ray ids."""
    assert told(before, after) == found


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({"a": 1}, {"a": 2.5}, []),
        ({"a": 1}, {"a": "1"}, ["json:/a retyped number string"]),
        ({"a": 1}, {"a": True}, ["json:/a retyped number boolean"]),
        ({"a": 1}, {"b": 1}, ["json:/a removed number ", "json:/b added  number"]),
        ({"a": {"b": {"c": 1}}}, {"a": {}}, ["json:/a/b removed object "]),
        ({"a": {"b": 1}}, {"a": [1]}, ["json:/a retyped object array"]),
        ({"items": [{"id": 1}]}, {"items": [{"id": 1, "name": ""}, {"id": 2, "name": ""}]},
         ["json:/items/*/name added  string"]),
        ({"items": []}, {"items": [{"id": 1}]}, []),
        ({"items": [{"id": 1}]}, {"items": []}, []),
        ({"user": None}, {"user": {"name": "a"}}, ["json:/user retyped null object"]),
        ({"list": [1, "a"]}, {"list": ["a"]}, ["json:/list/* retyped number or string string"]),
        ({"a/b": 1, "c~d": 1}, {}, ["json:/a~1b removed number ", "json:/c~0d removed number "]),
        ([1], [], []),
        ([], {}, ["json: retyped array object"]),
        (5, 6, []),
    ],
)  # fmt: skip
def test_shapes_of_json(before: Any, after: Any, found: list[str]) -> None:
    """Issue D, compare: paths added, removed, retyped; values say nothing; of an empty list nothing is known."""
    differences = json_differences(json.dumps(before).encode(), json.dumps(after).encode())

    assert [f"{one.field} {one.kind} {one.before} {one.after}" for one in differences] == found


def test_what_is_no_json_is_told_once() -> None:
    """A version whose API answers with garbage is a difference; two that do are none."""
    assert [tuple(one) for one in json_differences(b"{}", b"<oops>")] == [
        ("json:", "retyped", "object", "no JSON")
    ]
    assert list(json_differences(b"<oops>", b"")) == []
    assert list(json_differences(b"[" * 100_000, b"[" * 100_000)) == []


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@settings(deadline=None)  # other programs may hold the machine
@given(VALUES, VALUES)
def test_a_shape_equals_itself_and_differences_have_two_directions(one: Any, other: Any) -> None:
    """What is added one way is removed the other way; nothing else changes with the direction."""
    first, second = (json.dumps(value).encode() for value in (one, other))
    mirrored = {Kind.ADDED: Kind.REMOVED, Kind.REMOVED: Kind.ADDED, Kind.RETYPED: Kind.RETYPED}
    there, back = list(json_differences(first, second)), list(json_differences(second, first))

    assert list(json_differences(first, first)) == []
    assert [(d.field, mirrored[d.kind], d.after, d.before) for d in there] == [tuple(d) for d in back]


def test_json_is_compared_only_where_both_are() -> None:
    """Where the type differs, that is the difference; RFC 6839's +json counts."""
    problem = Answer(200, (("Content-Type", "application/problem+json; charset=utf-8"),), b'{"a":1}')
    other = Answer(200, (("Content-Type", "application/problem+json; charset=utf-8"),), b'{"b":1}')
    html = Answer(200, (("Content-Type", "text/html"),), b"<p>")

    assert [one[0] for one in told(problem, other)] == ["json:/a", "json:/b"]
    assert [one[0] for one in told(problem, html)] == ["header:content-type"]


@pytest.mark.parametrize(
    ("rule", "field", "covers"),
    [
        ("status", "status", True), ("status", "header:status", False),
        ("header:Cache-Control", "header:cache-control", True), ("header:X-*", "header:x-frame-options", True),
        ("header:Set-Cookie:Sid", "header:set-cookie:Sid", True),
        ("header:set-cookie:sid", "header:set-cookie:b", False),
        ("header:set-cookie:*", "header:set-cookie:b", True), ("header:vary", "json:/vary", False),
        ("json:/a", "json:/a", True), ("json:/a", "json:/a/b", True), ("json:/a", "json:/ab", False),
        ("json:/a/b", "json:/a", False), ("json:/*/id", "json:/items/id", True), ("json:/*", "json:", False),
        ("json:/items/*/id", "json:/items/*/id", True), ("json:/items/*/id", "json:/items/*/name", False),
        ("subresource:/ads/*", "subresource:/ads/1.js", True), ("subresource:/a.js", "subresource:/b.js", False),
    ],
)  # fmt: skip
def test_noise_is_named_by_field(rule: str, field: str, covers: bool) -> None:
    """Issue D, compare: ignoring configured noise."""
    difference = Difference(field, Kind.CHANGED, "1", "2")

    assert without_noise([difference], [parse_ignored(rule)]) == ([] if covers else [difference])


@pytest.mark.parametrize("rule", ["", "Date", "header:", "json:a", "json:", "body:x", "status:200"])
def test_a_rule_that_names_no_field_is_refused(rule: str) -> None:
    """House rule 8: value and remedy."""
    with pytest.raises(InvalidComparison) as caught:
        parse_ignored(rule)

    assert repr(rule) in caught.value.message
    assert "header:Date" in caught.value.remedy
