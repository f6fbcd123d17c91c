"""Which events pass a reader's filter."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.observability.event_bus import Told
from gateway.observability.event_filters import EventFilter, Status, status_of, tail_filter_of
from gateway.observability.events import Event, EventKind
from gateway.observability.trace_items import TraceItem, trace_item
from tests.model.examples import A, B
from tests.observability.examples import (
    COMPLAINT,
    CRASHED,
    DEPLOYED,
    EACH,
    FAILED,
    GONE,
    LINE,
    REQUEST,
    RESET,
    SOCKET,
    STARTED,
    THROWN,
)
from tests.observability.traces_of_workerd import exception, log, raw, request, workerd_version

WENT = {
    "a request": (REQUEST, Status.OK),
    "a 404 of the Worker": (REQUEST._replace(status=404), Status.OK),
    "a 500 of the Worker": (REQUEST._replace(status=500), Status.ERROR),
    "no version": (FAILED, Status.ERROR),
    "refused": (REQUEST._replace(status=400, outcome="refused"), Status.ERROR),
    "a client that left": (GONE, None),
    "a line": (LINE, Status.OK),
    "console.error": (COMPLAINT, Status.ERROR),
    "an exception": (THROWN, Status.ERROR),
    "a start": (STARTED, Status.OK),
    "a crash": (CRASHED, Status.ERROR),
    "a reset": (RESET, None),
    "a deployment": (DEPLOYED, None),
    "a WebSocket's end": (SOCKET, None),
}


@pytest.mark.parametrize(("event", "status"), WENT.values(), ids=WENT)
def test_how_an_event_went(event: Told, status: Status | None) -> None:
    """Contract, ``status``: a Worker's own 5xx is an error for who looks for errors."""
    assert status_of(event) is status
    for wanted in Status:
        assert EventFilter(status=wanted).screens(event) is (status is wanted)


SCREENS: dict[str, tuple[EventFilter, tuple[Event, ...]]] = {
    "nothing": (EventFilter(), EACH),
    "kinds": (EventFilter(kinds=frozenset({EventKind.RESET})), (RESET,)),
    "another Worker": (EventFilter(worker="api"), ()),
    "its Worker": (EventFilter(worker="shop"), EACH),
    "v1": (EventFilter(version_ids=frozenset({A})), EACH),
    "v2": (EventFilter(version_ids=frozenset({B})), (RESET, DEPLOYED)),
    "method": (EventFilter(method="GET"), (REQUEST,)),
    "another method": (EventFilter(method="POST"), ()),
}


@pytest.mark.parametrize(("wanted", "passing"), SCREENS.values(), ids=SCREENS)
def test_what_passes_without_being_read(wanted: EventFilter, passing: tuple[Event, ...]) -> None:
    """Contract, query of ``/api/events``: a reset or deployment is of each version that it names."""
    assert tuple(event for event in EACH if wanted.screens(event)) == passing


SEARCHES: dict[str, tuple[str, tuple[Event, ...]]] = {
    "needle": ("needle", (LINE,)),
    "case": ("TYPEERROR", (THROWN,)),
    "path": ("/cart/", (REQUEST,)),
    "host": ("shop.localhost", (REQUEST, SOCKET)),
    "ray": ("ray-lcl", (REQUEST, SOCKET)),
    "object": ("foo", (REQUEST, RESET)),
    "a header's value": ("sid=1", ()),
    "message of a deployment": ("more", (DEPLOYED,)),
    "state": ("started", (STARTED,)),
}


@pytest.mark.parametrize(("search", "found"), SEARCHES.values(), ids=SEARCHES)
def test_what_is_searched(search: str, found: tuple[Event, ...]) -> None:
    """Texts that people read; a secret cannot be guessed by searching for it."""
    assert tuple(event for event in EACH if EventFilter(search=search).finds(event)) == found


def test_sampling_draws_only_for_what_else_passes() -> None:
    """Contract, ``sampling_rate``: a share of what is wanted, not of everything."""
    draws = [0.4, 0.6]
    wanted = EventFilter(method="GET", sampling_rate=0.5).sampled(lambda: draws.pop(0))
    everything = EventFilter(worker="shop").sampled(draws.pop)
    assert wanted
    assert everything

    assert [wanted(event) for event in (LINE, REQUEST, REQUEST)] == [False, True, False]
    assert draws == []
    assert everything(REQUEST)
    assert EventFilter(search="x").sampled(draws.pop) is None


def item(event: Any = None, **changes: Any) -> TraceItem:
    found = trace_item(raw(event or request(), **changes), workerd_version(), received_ms=1.0)
    assert found is not None
    return found


FAILING = item(outcome="exception", exceptions=[exception()])
ITEMS: dict[str, tuple[EventFilter, list[bool]]] = {
    "nothing": (EventFilter(), [True, True, True]),
    "version": (EventFilter(version_ids=frozenset({B})), [False, False, False]),
    "its version": (EventFilter(version_ids=frozenset({A})), [True, True, True]),
    "ok": (EventFilter(status=Status.OK), [True, False, False]),
    "error": (EventFilter(status=Status.ERROR), [False, True, False]),
    "method": (EventFilter(method="GET"), [True, True, True]),
    "another method": (EventFilter(method="POST"), [False, False, False]),
    "log": (EventFilter(search="NEEDLE"), [True, False, False]),
    "exception": (EventFilter(search="typeerror boom"), [False, True, False]),
}


@pytest.mark.parametrize(("wanted", "passing"), ITEMS.values(), ids=ITEMS)
def test_the_same_wish_for_tail_items(wanted: EventFilter, passing: list[bool]) -> None:
    """Issue C, tail: one set of filters for both shapes; a client that left is neither well nor ill."""
    items = [item(logs=[log("a needle")]), FAILING, item(outcome="canceled")]
    tail = tail_filter_of(wanted)

    assert [tail.passes(one, lambda: 0.0) for one in items] == passing
