"""Groups, sums, quantiles, order and limit."""

from __future__ import annotations

import pytest
from graphql import GraphQLError

from gateway.control.graphql.groups import MAX_LIMIT, QUANTILES, SUMS, groups_of, order_names
from gateway.control.graphql.rows import Row
from gateway.observability.sketch import DurationSketch
from gateway.observability.statuses import InvocationStatus
from gateway.observability.windows import Tally

MINUTE = 1_800_000_000


def row(
    version_id: str, requests: int, *, minute: int = 0, status: str = "success", duration_us: int = 1_000
) -> Row:
    """Return a row whose requests took equally long and had ten bytes each."""
    tally = Tally()
    tally.requests = requests
    tally.durations = DurationSketch.of({duration_us: requests})
    tally.duration_us = requests * duration_us
    tally.response_bytes = 10 * requests
    return Row(MINUTE + 60 * minute, "shop", "tag", version_id, InvocationStatus(status), "LCL", tally)


ROWS = [
    row("v1", 90),
    row("v1", 10, minute=1, duration_us=9_000),
    row("v2", 5, status="scriptThrewException", duration_us=50_000),
    row("v2", 1, status="exceededResources"),
    row("v2", 2, status="clientDisconnected"),
    row("v2", 4, minute=1),
]


def test_without_dimensions_all_is_one() -> None:
    """R115, R116: sums; errors are the three failed statuses, and clients that left are none."""
    (group,) = groups_of(ROWS, [], [], 1)

    assert {name: group.value("sum", name) for name in SUMS} == {
        "requests": 112,
        "errors": 6,
        "clientDisconnects": 2,
        "responseBodySize": 1_120,
        "wallTime": 90_000 + 90_000 + 250_000 + 1_000 + 2_000 + 4_000,
        "requestDuration": 437_000,
        "subrequests": 0,
        "cpuTimeUs": 0,
        "duration": 0,
    }
    assert group.value("avg", "sampleInterval") == 1


def test_dimensions_tell_groups_apart() -> None:
    """R115: scriptVersion beside any other, in the order of their values."""
    groups = groups_of(ROWS, ["scriptVersion", "datetime"], [], 10)

    assert [(group.dimensions["scriptVersion"], group.value("sum", "requests")) for group in groups] == [
        ("v1", 90),
        ("v1", 10),
        ("v2", 8),
        ("v2", 4),
    ]
    assert groups[1].value("dimensions", "datetime") == "2027-01-15T08:01:00Z"


@pytest.mark.parametrize(
    ("name", "microseconds"),
    [("wallTimeP50", 1_000), ("wallTimeP95", 9_000), ("requestDurationP999", 50_000), ("cpuTimeP99", 0)],
)
def test_quantiles_are_of_the_whole_group(name: str, microseconds: float) -> None:
    """R115: in microseconds, from merged sketches; what is not known is 0."""
    (group,) = groups_of(ROWS, [], [], 1)

    assert group.value("quantiles", name) == pytest.approx(microseconds, rel=0.01)
    assert group.value("max", "wallTime") == pytest.approx(50_000, rel=0.01)
    assert QUANTILES["wallTimeP999"] == 0.999


ORDERS = [
    (["sum_requests_DESC"], ["v1", "v2"]),
    (["sum_errors_DESC"], ["v2", "v1"]),
    (["scriptVersion_DESC"], ["v2", "v1"]),
    (["avg_sampleInterval_ASC", "quantiles_wallTimeP50_DESC"], ["v1", "v2"]),
    (["max_wallTime_ASC"], ["v1", "v2"]),
]


@pytest.mark.parametrize(("order", "versions"), ORDERS)
def test_groups_come_in_the_order_that_is_asked_for(order: list[str], versions: list[str]) -> None:
    """Cloudflare docs, GraphQL sorting: the first counts most, equal ones by the next."""
    assert [
        group.dimensions["scriptVersion"] for group in groups_of(ROWS, ["scriptVersion"], order, 2)
    ] == versions
    assert {one.rpartition("_")[0] for one in order} <= set(order_names())


def test_a_limit_keeps_the_first() -> None:
    """Cloudflare docs, GraphQL limits: up to 10,000."""
    assert len(groups_of(ROWS, ["scriptVersion", "datetime", "status"], [], 3)) == 3
    for limit in (0, -1, MAX_LIMIT + 1):
        with pytest.raises(GraphQLError, match="limit must be positive number and not greater than 10000"):
            groups_of(ROWS, [], [], limit)


def test_order_by_what_is_not_asked_for_is_told() -> None:
    """A group has many values of it."""
    with pytest.raises(GraphQLError, match="cannot order by status"):
        groups_of(ROWS, ["scriptVersion"], ["status_ASC"], 1)
