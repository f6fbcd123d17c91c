"""Which fault a request meets."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.model.durable_object import ObjectKey
from gateway.model.fault import Fault, FaultKind
from gateway.routing.faults import FaultFacts, first_met, matches
from tests.model.examples import SHOP, A, version

V2 = version(A, 2, tag="v2")
PLAIN = FaultFacts(V2, None, "/checkout/pay", None)
OF_OBJECT = PLAIN._replace(object=ObjectKey(SHOP, "Cart", "foo"))
JUST_SWITCHED = PLAIN._replace(since_switch_ms=40.0)

CASES: list[tuple[bool, dict[str, Any], FaultFacts]] = [
    (True, {}, PLAIN),
    (True, {"worker": "shop", "version": "v2", "path": "/checkout/*"}, PLAIN),
    (False, {"worker": "api"}, PLAIN),
    (True, {"version": A}, PLAIN),
    (True, {"version": A[:8]}, PLAIN),
    (False, {"version": A[:7]}, PLAIN),
    (False, {"version": "v1"}, PLAIN),
    (True, {"path": "/checkout/pay/"}, PLAIN),
    (False, {"path": "/checkout"}, PLAIN),
    (True, {"path": "*/pay"}, PLAIN),
    (False, {"object": "Cart"}, PLAIN),
    (True, {"object": "Cart"}, OF_OBJECT),
    (True, {"object": "Cart/foo"}, OF_OBJECT),
    (False, {"object": "Cart/bar"}, OF_OBJECT),
    (False, {"object": "Room/foo"}, OF_OBJECT),
    (True, {"kind": FaultKind.OBJECT_RESET, "object": "Cart/foo"}, PLAIN),
    (False, {"kind": FaultKind.OBJECT_RESET, "object": "Cart"}, PLAIN),
    (False, {"kind": FaultKind.OBJECT_RESET, "object": "Cart/bar"}, OF_OBJECT),
    (False, {"after_switch_ms": 50.0}, PLAIN),
    (True, {"after_switch_ms": 50.0}, JUST_SWITCHED),
    (False, {"after_switch_ms": 40.0}, JUST_SWITCHED),
    (True, {"kind": FaultKind.LATE_PROPAGATION, "ms": 50.0}, JUST_SWITCHED),
    (False, {"kind": FaultKind.LATE_PROPAGATION, "ms": 10.0}, JUST_SWITCHED),
    (False, {"kind": FaultKind.LATE_PROPAGATION, "ms": 50.0}, PLAIN),
    (False, {"kind": FaultKind.IGNORED_OVERRIDE, "bindings_only": True}, PLAIN),
    (True, {"kind": FaultKind.IGNORED_OVERRIDE, "bindings_only": True}, PLAIN._replace(by_binding=True)),
]


@pytest.mark.parametrize(("expected", "fields", "facts"), CASES)
def test_all_that_is_said_must_fit(expected: bool, fields: dict[str, Any], facts: FaultFacts) -> None:
    """Issue D, faults: by Worker, version, object, path, or at the moment of a switch."""
    assert matches(Fault(**{"kind": FaultKind.HANG, **fields}), facts) is expected


def test_the_first_that_fits_and_is_drawn_is_met() -> None:
    """One fault on the way: the first of those that were added."""
    other = Fault(FaultKind.HANG, worker="api")
    rare, always = Fault(FaultKind.HANG, share=10.0), Fault(FaultKind.STATUS)

    assert first_met([other, rare, always], PLAIN, lambda: 9.99) is rare
    assert first_met([other, rare, always], PLAIN, lambda: 10.0) is always
    assert first_met([other], PLAIN, lambda: 0.0) is None


def test_only_a_share_is_drawn_for() -> None:
    """Design 4: a draw that need not be must not be, or it would move all later ones."""
    draws: list[float] = []

    def draw() -> float:
        draws.append(0.0)
        return 0.0

    first_met([Fault(FaultKind.HANG, worker="api", share=5.0), Fault(FaultKind.HANG)], PLAIN, draw)

    assert draws == []
