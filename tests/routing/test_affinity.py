"""Affinity keys: one point for ever, spread evenly, different by Worker."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.version import VersionId, WorkerName
from gateway.routing.affinity import HASH_NAME, point_of_key, worker_seed
from gateway.routing.percentages import Split, split_of
from tests.model.examples import API, SHOP, A, B, C, shares

KEYS = [f"user-{number}" for number in range(5_000)]
SEED = worker_seed(SHOP)


def version_of(key: str, split: Split) -> VersionId:
    """Return the version a key of ``shop`` reaches."""
    return split.at(point_of_key(key, SEED)).version_id


PINNED = {
    "user-123": 8.648243025482039,
    "u1": 74.00882578934976,
    "": 37.186987432603324,
    "\u00fc": 99.09184831895075,
    "dc8dcd28-271b-4367-9840-6c244f84cb40": 78.2840267244114,
}


@pytest.mark.parametrize(("key", "point"), PINNED.items(), ids=[key or "empty" for key in PINNED])
def test_the_point_of_a_key_never_changes(key: str, point: float) -> None:
    """R37, R39: other points in a later release would move every user's key (then ``HASH_NAME`` changes)."""
    assert point_of_key(key, SEED) == point
    assert HASH_NAME == "mmh3-x64-128/1"


@given(key=st.text(st.characters(exclude_categories=["Cs"])), seed=st.integers(0, 2**32 - 1))
def test_every_key_has_a_point_from_0_to_below_100(key: str, seed: int) -> None:
    """R39: the percentages lie end to end on [0, 100); a key outside would belong to nobody."""
    point = point_of_key(key, seed)

    assert 0 <= point < 100
    assert point_of_key(key, seed) == point


def test_one_key_falls_elsewhere_for_another_worker() -> None:
    """Our choices: the Worker's name is in the hash, so that the same users do not always get the new version."""
    differing = [key for key in KEYS if point_of_key(key, SEED) != point_of_key(key, worker_seed(API))]

    assert differing == KEYS


def test_a_setting_gives_all_workers_the_same_points() -> None:
    """Our choices, ``affinity.per_worker: false``: one key, one point for all Workers."""
    seeds = {worker_seed(WorkerName(name), per_worker=False) for name in ("shop", "api", "1shop")}

    assert len(seeds) == 1


@pytest.mark.parametrize("percentage", [1, 10, 50, 90, 99])
def test_keys_spread_as_the_percentages_say(percentage: float) -> None:
    """R39: shares match; 5,000 fixed keys, so the outcome is the same in every run."""
    split = split_of(shares((B, percentage), (A, 100 - percentage)))

    share = 100 * sum(version_of(key, split) == B for key in KEYS) / len(KEYS)

    assert abs(share - percentage) < 2.5


@pytest.mark.parametrize(("before", "after"), [(0, 1), (1, 10), (10, 20), (20, 50), (50, 99.9), (99.9, 100)])
@pytest.mark.parametrize("grows", ["first", "last"])
def test_raising_a_percentage_never_takes_a_key_off_the_growing_version(
    before: float, after: float, grows: str
) -> None:
    """R38: a key that reached the new version stays on it as it grows, whichever end of the list it stands at."""

    def split(percentage: float) -> Split:
        listed = shares((B, percentage), (A, 100 - percentage))
        return split_of(listed if grows == "first" else listed[::-1])

    held = [key for key in KEYS if version_of(key, split(before)) == B]

    assert all(version_of(key, split(after)) == B for key in held)


@given(
    key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    low=st.floats(0, 100),
    high=st.floats(0, 100),
    first=st.booleans(),
)
def test_no_key_leaves_a_growing_version_whatever_the_percentages(
    key: str, low: float, high: float, first: bool
) -> None:
    """R38: holds for any two percentages, not only for round ones."""
    low, high = sorted((low, high))

    def split(percentage: float) -> Split:
        listed = shares((B, percentage), (A, 100 - percentage))
        return split_of(listed if first else listed[::-1])

    if version_of(key, split(low)) == B:
        assert version_of(key, split(high)) == B


def test_lowering_the_percentage_back_brings_every_key_back() -> None:
    """R38: none flips back unless the percentage is lowered; then exactly those that had moved do."""
    small, large = split_of(shares((B, 10), (A, 90))), split_of(shares((B, 50), (A, 50)))

    before = [version_of(key, small) for key in KEYS]
    there = [version_of(key, large) for key in KEYS]
    back = [version_of(key, small) for key in KEYS]

    assert before == back != there


def test_swapping_the_order_flips_keys_back() -> None:
    """R49: order dependence is emulated; at 50/50 the swap changes every key."""
    split, swapped = split_of(shares((B, 50), (A, 50))), split_of(shares((A, 50), (B, 50)))

    assert all(version_of(key, split) != version_of(key, swapped) for key in KEYS)


def test_one_key_reaches_one_version_within_a_deployment() -> None:
    """R37: within one deployment all requests with the same key reach the same version."""
    split = split_of(shares((A, 20), (B, 30), (C, 50)))

    assert all(len({version_of(key, split) for _ in range(3)}) == 1 for key in KEYS[:200])
