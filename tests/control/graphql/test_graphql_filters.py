"""Filters: which rows a query wants."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLError

from gateway.control.graphql.filters import MAX_CONDITIONS, condition_of, filter_fields
from gateway.control.graphql.rows import DIMENSIONS, Row
from gateway.observability.statuses import InvocationStatus
from gateway.observability.windows import Tally

ROW = Row(1_800_000_000 + 7 * 60, "shop", "0" * 32, "v1", InvocationStatus.SUCCESS, "LCL", Tally())
"""Of the minute that begins at 08:07."""

HOLDS: list[tuple[dict[str, Any] | None, bool]] = [
    (None, True),
    ({}, True),
    ({"scriptName": None}, True),
    ({"scriptName": "shop"}, True),
    ({"scriptName": "api"}, False),
    ({"scriptName_neq": "api"}, True),
    ({"scriptName_in": ["api", "shop"]}, True),
    ({"scriptName_notin": ["api", "shop"]}, False),
    ({"scriptVersion": "v1", "status": "success"}, True),
    ({"scriptVersion": "v1", "status": "internalError"}, False),
    ({"scriptName_gt": "a", "scriptName_lt": "t"}, True),
    ({"isPreview": 0, "coloCode": "LCL"}, True),
    ({"isPreview": 1}, False),
    ({"AND": [{"scriptName": "shop"}, {"status_neq": "success"}]}, False),
    ({"OR": [{"scriptName": "api"}, {"status": "success"}]}, True),
    ({"OR": []}, False),
    ({"AND": []}, True),
    ({"scriptName": "shop", "OR": [{"scriptName": "api"}, {"AND": [{"status": "success"}]}]}, True),
    # A minute counts from its first moment to its last: else the newest requests would be passed over.
    ({"datetime_geq": "2027-01-15T08:07:30Z"}, True),
    ({"datetime_geq": "2027-01-15T08:08:00Z"}, False),
    ({"datetime_gt": "2027-01-15T08:07:59.5Z"}, True),
    ({"datetime_leq": "2027-01-15T08:07:00Z"}, True),
    ({"datetime_lt": "2027-01-15T08:07:00Z"}, False),
    ({"datetime_leq": "2027-01-15T10:06:59+02:00"}, False),
    ({"datetime": "2027-01-15T08:07:12Z"}, True),
    ({"datetime_neq": "2027-01-15T08:07:12Z"}, False),
    ({"datetime_in": ["2027-01-15T08:07:00Z"]}, True),
    ({"datetimeHour": "2027-01-15T08:00:00Z"}, True),
    ({"datetimeFiveMinutes": "2027-01-15T08:05:00+00:00"}, True),
    ({"datetimeSixHours_lt": "2027-01-15T06:00:00Z"}, False),
    ({"date": "2027-01-15", "date_geq": "2027-01-01", "date_leq": "2027-01-31"}, True),
    ({"date_gt": "2027-01-15"}, False),
    ({"datetime_geq": "2027-01-15"}, True),
]


@pytest.mark.parametrize(("wanted", "holds"), HOLDS, ids=[str(wanted) for wanted, _ in HOLDS])
def test_all_of_a_filter_must_hold(wanted: dict[str, Any] | None, holds: bool) -> None:
    """R115; Cloudflare docs, GraphQL filtering: operators, lists, AND, OR."""
    assert condition_of(wanted)(ROW) is holds


UNREADABLE: list[dict[str, Any]] = [
    {"datetime_geq": "yesterday"},
    {"datetime_geq": 5},
    {"date": "2027-13-01"},
    {"scriptName": 5},
    {"scriptName_in": ["shop", None]},
    {"isPreview": "no"},
    {"OR": [{"datetimeHour": ""}]},
]


@pytest.mark.parametrize("wanted", UNREADABLE, ids=map(str, UNREADABLE))
def test_what_cannot_be_compared_is_told(wanted: dict[str, Any]) -> None:
    """Cloudflare's own words: "error parsing args"; with the member, its value and what it must be."""
    with pytest.raises(GraphQLError, match=r"error parsing args: filter \w+ is .*, not an? "):
        condition_of(wanted)


def test_a_filter_is_bounded() -> None:
    """A hostile query asks each row many times, on the loop that requests pass through."""
    wanted = {"OR": [{"AND": [{"scriptName": str(number)}]} for number in range(MAX_CONDITIONS)]}
    with pytest.raises(GraphQLError, match="more than 200"):
        condition_of(wanted)


def test_every_dimension_can_be_filtered_by() -> None:
    """R115: all dimensions, with every operator."""
    names = [name for name, _ in filter_fields()]

    assert len(names) == len(set(names)) == 8 * len(DIMENSIONS)
    assert {"datetime_geq", "scriptName_in", "status_neq", "scriptVersion"} <= set(names)
