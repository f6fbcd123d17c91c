"""What a new deployment does to keys, told before it is made."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.version import VersionId, WorkerName
from gateway.routing.changes import change_between, deployment_warnings
from gateway.routing.percentages import split_of
from tests.model.examples import A, B, C, deployment, shares

Listed = tuple[tuple[VersionId, float], ...]

CHANGES: dict[str, tuple[Listed, Listed, float, float]] = {
    "nothing": (((A, 90), (B, 10)), ((A, 90), (B, 10)), 0, 0),
    "B grows at the start": (((B, 10), (A, 90)), ((B, 50), (A, 50)), 40, 0),
    "B grows at the end": (((A, 90), (B, 10)), ((A, 50), (B, 50)), 40, 0),
    "B shrinks": (((A, 50), (B, 50)), ((A, 90), (B, 10)), 40, 0),
    "B takes all": (((A, 90), (B, 10)), ((B, 100),), 90, 0),
    "C replaces A": (((A, 100),), ((C, 100),), 100, 0),
    "C comes at 10 behind": (((A, 100),), ((A, 90), (C, 10)), 10, 0),
    "C comes at 10 in front": (((A, 100),), ((C, 10), (A, 90)), 10, 0),
    "same shares, swapped": (((A, 50), (B, 50)), ((B, 50), (A, 50)), 100, 100),
    "90/10 swapped": (((A, 90), (B, 10)), ((B, 10), (A, 90)), 20, 20),
    "swapped while B grows": (((A, 90), (B, 10)), ((B, 20), (A, 80)), 30, 10),
    "B at 0% joins": (((A, 100),), ((A, 100), (B, 0)), 0, 0),
    "the middle of three grows": (((A, 20), (B, 30), (C, 50)), ((A, 20), (B, 40), (C, 40)), 10, 0),
    "the first of three grows": (((A, 20), (B, 30), (C, 50)), ((A, 30), (B, 30), (C, 40)), 20, 10),
}


@pytest.mark.parametrize(("before", "after", "moved", "flipped"), CHANGES.values(), ids=CHANGES)
def test_shares_of_keys_that_move_and_that_flip(
    before: Listed, after: Listed, moved: float, flipped: float
) -> None:
    """R38, R49: a key flips when it leaves a version that did not shrink."""
    change = change_between(split_of(shares(*before)), split_of(shares(*after)))

    assert (round(change.moved, 6), round(change.flipped, 6)) == (moved, flipped)


@given(st.integers(1, 9_999))
def test_swapping_flips_twice_the_smaller_share_whatever_the_decimals(hundredths: int) -> None:
    """R49: neither version shrinks in a swap, so every key that moves flips; float noise must not hide any."""
    share, rest = hundredths / 100, (10_000 - hundredths) / 100
    change = change_between(split_of(shares((A, share), (B, rest))), split_of(shares((B, rest), (A, share))))

    assert change.moved == pytest.approx(2 * min(share, rest))
    assert change.flipped == pytest.approx(change.moved)


@given(st.integers(0, 100_000), st.integers(0, 100_000), st.booleans())
def test_growing_in_the_same_order_flips_nothing(one: int, other: int, first: bool) -> None:
    """R38: no key leaves the growing version; what moves is what it grew by."""
    low, high = (thousandths / 1000 for thousandths in sorted((one, other)))

    def listed(percentage: float) -> Listed:
        pair = ((B, percentage), (A, (100_000 - round(1000 * percentage)) / 1000))
        return pair if first else pair[::-1]

    change = change_between(split_of(shares(*listed(low))), split_of(shares(*listed(high))))

    assert change.flipped == 0
    assert change.moved == pytest.approx(high - low, abs=1e-6)


def test_a_swap_warns_with_the_share_of_keys() -> None:
    """R49, design 4: API and CLI warn with the share of keys that move, and say what to do."""
    (warning,) = deployment_warnings(deployment((A, 90), (B, 10)), deployment((B, 10), (A, 90), number=2))

    assert "20%" in warning
    assert "R49" in warning
    assert "order of the active deployment" in warning


QUIET = {
    "first deployment": (None, ((A, 100),)),
    "growth": (((A, 90), (B, 10)), ((A, 50), (B, 50))),
    "rollback": (((A, 50), (B, 50)), ((A, 100),)),
    "replacement": (((A, 100),), ((B, 100),)),
}


@pytest.mark.parametrize(("before", "after"), QUIET.values(), ids=QUIET)
def test_an_ordinary_step_warns_of_nothing(before: Listed | None, after: Listed) -> None:
    """R38: a warning at every step would be read by nobody."""
    active = deployment(*before) if before else None

    assert deployment_warnings(active, deployment(*after, number=2)) == ()


@pytest.mark.parametrize("name", ["1shop", "_shop"])
def test_a_worker_that_no_overrides_header_can_name_is_told_of(name: str) -> None:
    """R33: such a Worker can never be named in the header; worth a warning."""
    (warning,) = deployment_warnings(None, deployment((A, 100), worker=WorkerName(name)))

    assert name in warning
    assert "R33" in warning
