"""The split: ranges end to end on [0, 100), in listed order."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.model.deployment import SUM_TOLERANCE, VersionShare
from gateway.model.version import VersionId
from gateway.routing.percentages import Placed, Split, split_of
from tests.model.examples import A, B, C, shares

LAYOUTS = {
    "one version": (((A, 100),), ((A, 0, 100),)),
    "two": (((B, 20), (A, 80)), ((B, 0, 20), (A, 20, 100))),
    "swapped": (((A, 80), (B, 20)), ((A, 0, 80), (B, 80, 100))),
    "0% last": (((A, 100), (B, 0)), ((A, 0, 100),)),
    "0% first": (((B, 0), (A, 100)), ((A, 0, 100),)),
    "0% in the middle": (((A, 50), (B, 0), (C, 50)), ((A, 0, 50), (C, 50, 100))),
    "three": (((A, 20), (B, 30), (C, 50)), ((A, 0, 20), (B, 20, 50), (C, 50, 100))),
    "sum 99.9995": (((A, 49.9995), (B, 50)), ((A, 0, 49.9995), (B, 49.9995, 100))),
    "sum 100.0005": (((A, 50.0005), (B, 50)), ((A, 0, 50.0005), (B, 50.0005, 100))),
}


@pytest.mark.parametrize(("listed", "ranges"), LAYOUTS.values(), ids=LAYOUTS)
def test_ranges_lie_end_to_end_in_listed_order(
    listed: tuple[tuple[VersionId, float], ...], ranges: tuple[tuple[VersionId, float, float], ...]
) -> None:
    """R39, R14: percentages end to end on [0, 100); a version at 0% has no range."""
    assert split_of(shares(*listed)).placed == tuple(Placed(*one) for one in ranges)


@pytest.mark.parametrize(
    ("point", "version_id"),
    [(0, B), (19.999999, B), (20, A), (20.000001, A), (99.999999999, A)],
    ids=["start", "just below the border", "border", "just above it", "end"],
)
def test_a_range_holds_its_lower_border_only(point: float, version_id: VersionId) -> None:
    """R39: [low, high), so that each point belongs to exactly one version."""
    assert split_of(shares((B, 20), (A, 80))).at(point).version_id == version_id


@st.composite
def share_lists(draw: st.DrawFn, most: int = 2) -> tuple[VersionShare, ...]:
    """Return shares as the model allows them: a sum within 0.001 of 100, zeros and tiny shares included."""
    cuts = draw(st.lists(st.floats(0, 100), max_size=most - 1))
    borders = [0.0, *sorted(cuts), 100.0]
    found = [high - low for low, high in pairwise(borders)]
    index = draw(st.integers(0, len(found) - 1))
    off = draw(st.floats(-0.9 * SUM_TOLERANCE, 0.9 * SUM_TOLERANCE))
    found[index] = min(100.0, max(0.0, found[index] + off))
    return tuple(VersionShare(VersionId(str(number)), share) for number, share in enumerate(found))


def covers_once(split: Split) -> bool:
    """Tell whether the ranges begin at 0, end at 100, and each begins where the one before ends."""
    borders = [placed.low for placed in split.placed] + [split.placed[-1].high]
    ends = [placed.high for placed in split.placed]
    return borders[0] == 0 and borders[-1] == 100 and borders == sorted(borders) and borders[1:] == ends


@given(listed=share_lists(), point=st.floats(0, 100, exclude_max=True))
def test_the_ranges_of_two_versions_cover_every_point_exactly_once(
    listed: tuple[VersionShare, ...], point: float
) -> None:
    """R39, R13: also where percentages miss 100 by up to 0.001."""
    split = split_of(listed)

    assert covers_once(split)
    found = split.at(point)
    assert found.low <= point < found.high


@given(listed=share_lists(most=5))
@example(listed=shares((A, 100), (B, 0.0004), (C, 0.0004)))
def test_the_ranges_of_more_versions_cover_every_point_exactly_once(listed: tuple[VersionShare, ...]) -> None:
    """R39, R11, R13: with ``max_versions`` above two as well, where the sum is up to 0.001 above 100."""
    assert covers_once(split_of(listed))


@given(listed=share_lists(most=4))
def test_every_version_keeps_its_share(listed: tuple[VersionShare, ...]) -> None:
    """R13: a range is as long as the percentage says, but for what the sum misses 100 by."""
    lengths = {placed.version_id: placed.high - placed.low for placed in split_of(listed).placed}

    assert all(abs(lengths.get(share.version_id, 0.0) - share.percentage) <= 2 * SUM_TOLERANCE for share in listed)


def test_90_to_10_over_20_000_draws() -> None:
    """R44, R24: a probability for each request; seeded, and bounds of more than ten standard deviations."""
    random, split = Random(42), split_of(shares((A, 90), (B, 10)))  # noqa: S311 - traffic shares, no secrets

    found = [split.at(random.random() * 100).version_id for _ in range(20_000)]

    assert 1_600 < found.count(B) < 2_400
    assert found.count(A) + found.count(B) == 20_000


def test_ten_draws_at_10_percent_may_hold_none() -> None:
    """R44: the percentage is no quota; of 1,000 runs of ten draws many hold none, some three or more."""
    random, split = Random(7), split_of(shares((A, 90), (B, 10)))  # noqa: S311 - traffic shares, no secrets

    runs = [sum(split.at(random.random() * 100).version_id == B for _ in range(10)) for _ in range(1_000)]

    assert runs.count(0) > 200
    assert max(runs) >= 3
