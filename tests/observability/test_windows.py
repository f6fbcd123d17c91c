"""Windows of time: what is in, what is out, and that they stay bounded."""

from __future__ import annotations

import pytest

from gateway.observability.sketch import DurationSketch
from gateway.observability.windows import (
    SLOTS,
    WINDOWS,
    Ring,
    Tally,
    Windows,
    closed_slots,
    total_of,
    window_start,
)

NOON = 1_800_000_000


def tally(requests: int = 1, duration_us: int = 1_000) -> Tally:
    counted = Tally()
    counted.requests = requests
    counted.outcomes["percentage", 200, "ok"] = requests
    counted.durations = DurationSketch.of({duration_us: requests})
    counted.duration_us = requests * duration_us
    return counted


@pytest.mark.parametrize("seconds", WINDOWS)
def test_a_window_holds_what_is_younger(seconds: int) -> None:
    """Issue C, metrics: the last minute, five minutes, hour."""
    windows = Windows()
    step = seconds // SLOTS
    for at in (NOON - seconds, NOON - seconds + step, NOON - 1, NOON):
        windows.add(tally(), at)

    assert windows.last(seconds, NOON).requests == 3
    assert windows.last(seconds, NOON + seconds).requests == 0
    assert window_start(seconds, NOON) == NOON - seconds + step


def test_all_since_the_deployment_is_kept_however_old() -> None:
    """Issue C, metrics: since the deployment began."""
    windows = Windows()
    for day in range(3):
        windows.add(tally(), NOON + day * 86_400)

    assert (windows.since_deployment.requests, windows.last(3600, NOON + 2 * 86_400).requests) == (3, 1)


def test_a_ring_is_bounded() -> None:
    """Issue C, metrics: bounded memory, whatever the time and the traffic."""
    ring = Ring(1)
    for second in range(10 * SLOTS):
        ring.add(tally(), NOON + second)

    assert len(list(ring.since(0))) == SLOTS + 1


@pytest.mark.parametrize("jump", [-5, -10_000, 10_000])
def test_a_clock_that_jumps_loses_no_more_than_it_must(jump: int) -> None:
    """Clocks are set; what comes after counts, and nothing of a future stays behind."""
    ring = Ring(1)
    ring.add(tally(), NOON)
    ring.add(tally(), NOON + jump)
    ring.add(tally(), NOON + jump + 1)

    assert sum(one.requests for one in ring.since(NOON + jump)) >= 2
    assert ring.slot(NOON + jump + 1) is not None


def test_slots_of_a_series_are_over() -> None:
    """The one that goes on would look like a fall in every chart."""
    assert closed_slots(60, NOON + 0.9)[-1] == NOON - 1
    assert len(closed_slots(300, NOON)) == SLOTS
    assert closed_slots(3600, NOON + 59)[-1] == NOON - 60


def test_tallies_add_up() -> None:
    """Mergeable: two halves are the whole."""
    total = total_of([tally(3, 1_000), tally(1, 9_000)])

    assert (total.requests, total.duration_us) == (4, 12_000)
    assert total.outcomes["percentage", 200, "ok"] == 4
    assert total.quantile_ms(0.5) == pytest.approx(1.0, rel=0.01)
    assert total.quantile_ms(1.0) == pytest.approx(9.0, rel=0.01)


def test_a_quantile_is_worked_out_anew_once_something_was_added() -> None:
    """Slots that are over are asked again and again; the one that goes on must not stand still."""
    counted = tally(1, 1_000)
    before = counted.quantile_ms(0.99)
    counted.add(tally(99, 50_000))

    assert before == pytest.approx(1.0, rel=0.01)
    assert counted.quantile_ms(0.99) == pytest.approx(50.0, rel=0.01)
    assert Tally().quantile_ms(0.5) is None
