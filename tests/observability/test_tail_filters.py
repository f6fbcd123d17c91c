"""wrangler's filters: which events pass, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import BadRequest
from gateway.observability.tail_filters import TailFilter, parse_filters
from gateway.observability.trace_items import TraceItem, trace_item
from tests.model.examples import A, B
from tests.observability.traces_of_workerd import log, raw, request, workerd_version

OWN_IP = "127.0.0.1"


def item(event: Any = None, **changes: Any) -> TraceItem:
    """Return a tail item; a POST from this machine unless another event is given."""
    event = event or request(method="POST", X_A="b-c", cf_connecting_ip=OWN_IP, cookie="sid=1")
    found = trace_item(raw(event, **changes), workerd_version(), received_ms=1.0)
    assert found is not None
    return found


def passes(filters: Any, one: TraceItem) -> bool:
    return parse_filters(filters, OWN_IP).passes(one, lambda: 0.0)


RPC = {"rpcMethod": "x"}
CASES: list[tuple[Any, TraceItem, bool]] = [
    (None, item(), True),
    ([], item(), True),
    ([{"outcome": ["ok"]}], item(), True),
    ([{"outcome": ["exception", "exceededCpu", "exceededMemory", "unknown"]}], item(), False),
    ([{"outcome": ["exception", "unknown"]}], item(outcome="exception"), True),
    ([{"method": ["GET", "POST"]}], item(), True),
    ([{"method": ["post"]}], item(), True),
    ([{"method": ["GET"]}], item(), False),
    ([{"method": ["GET"]}], item(RPC), False),
    ([{"header": {"key": "X-A"}}], item(), True),
    ([{"header": {"key": "x-a", "query": "b"}}], item(), True),
    ([{"header": {"key": "X-A", "query": "d"}}], item(), False),
    ([{"header": {"key": "X-B"}}], item(), False),
    ([{"header": {"key": "X-A"}}], item(RPC), False),
    ([{"header": {"key": "Cookie", "query": "sid=1"}}], item(), True),
    ([{"client_ip": ["self"]}], item(), True),
    ([{"client_ip": [OWN_IP]}], item(), True),
    ([{"client_ip": ["10.0.0.1"]}], item(), False),
    ([{"client_ip": ["10.0.0.1", "self"]}], item(), True),
    ([{"client_ip": ["self"]}], item(RPC), False),
    ([{"query": "needle"}], item(logs=[log("hay"), log("a needle")]), True),
    ([{"query": "needle"}], item(logs=[log({"deep": ["needle"]})]), True),
    ([{"query": "needle"}], item(logs=[{"message": "needle", "level": "log"}]), True),
    ([{"query": "needle"}], item(logs=[log("hay")]), False),
    ([{"query": "caf\u00e9"}], item(logs=[log({"a": "caf\u00e9"})]), True),
    ([{"scriptVersion": A}], item(), True),
    ([{"scriptVersion": B}], item(), False),
    ([{"method": ["POST"]}, {"outcome": ["ok"]}], item(), True),
    ([{"method": ["POST"]}, {"outcome": ["canceled"]}], item(), False),
]


@pytest.mark.parametrize(("filters", "one", "expected"), CASES)
def test_what_a_filter_lets_pass(filters: Any, one: TraceItem, expected: bool) -> None:
    """wrangler-api, section 10: every filter that wrangler can send; R106 for the version."""
    assert passes(filters, one) is expected


def test_a_sample_is_drawn_last_and_only_where_it_is_wanted() -> None:
    """``--sampling-rate``: that share of what the other filters let pass."""
    half = parse_filters([{"sampling_rate": 0.5}, {"method": ["POST"]}], OWN_IP)
    draws = iter([0.49, 0.5])

    assert half.passes(item(), draws.__next__)
    assert not half.passes(item(), draws.__next__)
    assert not half.passes(item(RPC), draws.__next__)
    assert TailFilter().passes(item(), draws.__next__)


BAD: list[Any] = [
    {}, "x", 1, [1], ["outcome"], [{"colour": "red"}], [{"sampling_rate": "0.5"}], [{"sampling_rate": 0}],
    [{"sampling_rate": 1.1}], [{"sampling_rate": True}], [{"sampling_rate": float("nan")}], [{"outcome": "ok"}],
    [{"method": [1]}], [{"header": "X-A"}], [{"header": {}}], [{"header": {"key": "a", "value": "b"}}],
    [{"header": {"key": "a", "query": 1}}], [{"client_ip": "self"}], [{"query": ["x"]}], [{"scriptVersion": None}],
]  # fmt: skip


@pytest.mark.parametrize("filters", BAD, ids=str)
def test_a_filter_that_cannot_be_meant_is_refused(filters: Any) -> None:
    """House rule 8: it says which, and what would do."""
    with pytest.raises(BadRequest) as refused:
        parse_filters(filters, OWN_IP)

    assert refused.value.remedy
