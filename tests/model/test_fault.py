"""Faults are read strictly: each field where it belongs, in its range."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.model.fault import NEEDED_FIELDS, OWN_FIELDS, Fault, FaultKind, FirstByte, InvalidFault, fault_from

WHOLE = {"ms": 5.0, "jitter_ms": 1.0, "status": 500, "first_byte": "after", "bytes_per_second": 9.0}
ONE_OF_EACH: list[dict[str, Any]] = [
    {"kind": kind.value, "name": "f", **{name: WHOLE.get(name, True) for name in OWN_FIELDS[kind]}}
    for kind in FaultKind
]


@pytest.mark.parametrize("content", ONE_OF_EACH, ids=lambda content: str(content["kind"]))
def test_a_fault_is_shown_as_it_was_written(content: dict[str, Any]) -> None:
    """What the API shows can be sent again."""
    where = {"worker": "shop", "version": "v2", "path": "/a*", "share": 10.0, "after_switch_ms": 50.0, "times": 2}

    assert fault_from(content).to_json() == content
    assert fault_from(content | where).to_json() == content | where


def test_what_is_left_out_has_a_default() -> None:
    """Design 8: small requests."""
    assert fault_from({"kind": "status"}) == Fault(FaultKind.STATUS, status=503, share=100.0)
    assert fault_from({"kind": "reset"}).first_byte is FirstByte.BEFORE


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("kind", {}),
    ("kind", {"kind": "flood"}),
    ("kind", {"kind": None}),
    ("status", {"kind": "latency", "ms": 5, "status": 500}),
    ("speed", {"kind": "hang", "speed": 1}),
    ("ms", {"kind": "latency"}),
    ("ms", {"kind": "latency", "ms": "5"}),
    ("ms", {"kind": "latency", "ms": True}),
    ("ms", {"kind": "latency", "ms": -1}),
    ("ms", {"kind": "latency", "ms": float("nan")}),
    ("ms", {"kind": "latency", "ms": 3_600_001}),
    ("jitter_ms", {"kind": "latency", "ms": 5, "jitter_ms": -5}),
    ("bytes_per_second", {"kind": "slow_body"}),
    ("bytes_per_second", {"kind": "slow_body", "bytes_per_second": 0.5}),
    ("status", {"kind": "status", "status": 101}),
    ("status", {"kind": "status", "status": 600}),
    ("status", {"kind": "status", "status": 500.5}),
    ("first_byte", {"kind": "reset", "first_byte": "never"}),
    ("first_byte", {"kind": "reset", "first_byte": ["after"]}),
    ("bindings_only", {"kind": "ignored_override", "bindings_only": "yes"}),
    ("share", {"kind": "hang", "share": 0}),
    ("share", {"kind": "hang", "share": 100.5}),
    ("times", {"kind": "hang", "times": 0}),
    ("times", {"kind": "hang", "times": 1.5}),
    ("after_switch_ms", {"kind": "hang", "after_switch_ms": -1}),
    ("worker", {"kind": "hang", "worker": ""}),
    ("version", {"kind": "hang", "version": 2}),
    ("path", {"kind": "hang", "path": "checkout"}),
    ("name", {"kind": "hang", "name": "a b"}),
]


@pytest.mark.parametrize(("field", "content"), WRONG, ids=str)
def test_a_mistake_names_its_field_and_the_remedy(field: str, content: dict[str, Any]) -> None:
    """Rule 6: bad input gets a clear error."""
    with pytest.raises(InvalidFault) as caught:
        fault_from(content)

    assert caught.value.field == field
    assert field in caught.value.message
    assert caught.value.remedy


def test_what_a_kind_needs_is_its_own() -> None:
    """The two tables agree."""
    assert set(OWN_FIELDS) == set(FaultKind)
    assert all(set(needed) <= set(OWN_FIELDS[kind]) for kind, needed in NEEDED_FIELDS.items())
