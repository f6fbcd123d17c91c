"""What theory expects, worked out by hand and held against counting."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.request import NO_SIGNALS, RequestFacts
from gateway.model.version import VersionId
from gateway.simulation.formulas import Notice, expected_of, expected_without_key
from gateway.simulation.scenario import InvalidScenario
from gateway.simulation.steps import NEW, OLD
from gateway.simulation.traffic import NO_PAGE, Session, page_positions

KEY = RequestFacts(version_key="ada")


@pytest.mark.parametrize(
    ("requests", "assets", "new", "mixed", "missing"),
    [
        (1, 0, 0.5, 0.0, 0.0),
        (2, 1, 0.5, 0.5, 0.5),
        (9, 8, 0.1, 1 - 0.1**9 - 0.9**9, 8 * 2 * 0.1 * 0.9),
        (9, 8, 0.0, 0.0, 0.0),
        (9, 8, 1.0, 0.0, 0.0),
    ],
)
def test_a_session_of_independent_draws(
    requests: int, assets: int, new: float, mixed: float, missing: float
) -> None:
    """R24, R82: page and asset are independent draws; both meet one version with p^2 + (1-p)^2."""
    found = expected_without_key(requests, assets, {NEW: new, OLD: 1 - new})

    assert found == pytest.approx((mixed, missing))


@pytest.mark.parametrize(
    ("facts", "key_version", "mixed", "missing"),
    [
        ((KEY, KEY, KEY), NEW, 0.0, 0.0),
        ((NO_SIGNALS, KEY, KEY), NEW, 0.9, 2 * 0.9),
        ((NO_SIGNALS, KEY, KEY), OLD, 0.1, 2 * 0.1),
        ((KEY, NO_SIGNALS, KEY), NEW, 0.9, 0.9),
    ],
    ids=["key throughout", "first visit, new", "first visit, old", "an asset without key"],
)
def test_a_session_with_a_key(
    facts: tuple[RequestFacts, ...], key_version: VersionId, mixed: float, missing: float
) -> None:
    """R42: only from the second request on does a cookie's key hold, so the first page may disagree."""
    session = Session("ada", facts, page_positions(3, 2))

    assert expected_of(session, {NEW: 0.1, OLD: 0.9}, lambda _: key_version) == pytest.approx((mixed, missing))


@settings(deadline=None)  # other programs may hold the machine
@given(
    st.lists(st.sampled_from([NO_SIGNALS, KEY]), min_size=1, max_size=6),
    st.integers(0, 4),
    st.floats(0.0, 1.0),
    st.sampled_from([OLD, NEW]),
)
def test_theory_is_the_mean_over_all_outcomes(
    facts: list[RequestFacts], assets: int, new: float, key_version: VersionId
) -> None:
    """Every way the draws can fall, each with its probability: no approximation is left."""
    pages = page_positions(len(facts), assets)
    mixed = missing = 0.0
    shares = {NEW: new, OLD: 1.0 - new}
    choices = [(OLD, NEW) if one is NO_SIGNALS else (key_version,) for one in facts]
    for met in itertools.product(*choices):
        chance = math.prod(shares[v] for v, one in zip(met, facts, strict=True) if one is NO_SIGNALS)
        mixed += chance * (len(set(met)) > 1)
        missing += chance * sum(page != NO_PAGE and met[page] != v for v, page in zip(met, pages, strict=True))

    found = expected_of(Session("ada", facts, pages), shares, lambda _: key_version)

    assert found == pytest.approx((mixed, missing), abs=1e-9)


@pytest.mark.parametrize(
    ("notice", "of_version", "percentage", "at_edge"),
    [
        (Notice(1, 0, 95), 299, 10.0, 2990),
        (Notice(1, 0, 95), 299, 100.0, 299),
        (Notice(50, 0, 75), 2, 50.0, 4),
        (Notice(100, 0, 99), 1, 5.0, 20),
        (Notice(2, 1, 95), 1552, 10.0, 15520),
    ],
)
def test_when_errors_are_noticed(notice: Notice, of_version: int, percentage: float, at_edge: int) -> None:
    """Issue D: requests until an error rate of x % would be noticed with given confidence; the rule of three."""
    assert notice.requests_of_version() == of_version
    assert notice.requests_at_edge(percentage) == at_edge
    assert notice.requests_at_edge(0.0) is None


@settings(deadline=None)  # other programs may hold the machine
@given(st.floats(0.01, 100), st.floats(1, 99.9))
def test_one_request_less_would_not_be_enough(rate: float, confidence: float) -> None:
    """The formula's own promise: 1 - (1 - x)^n >= c, and not for n - 1."""
    needed = Notice(rate, 0.0, confidence).requests_of_version()

    assert 1 - (1 - rate / 100) ** needed >= confidence / 100 - 1e-9
    assert needed == 1 or 1 - (1 - rate / 100) ** (needed - 1) < confidence / 100 + 1e-9


@pytest.mark.parametrize("notice", [Notice(0), Notice(1, 1), Notice(1, 2), Notice(1, 0, 100), Notice(1, 0, 0)])
def test_what_cannot_be_noticed_is_refused(notice: Notice) -> None:
    """House rule 8: the error names the field, the value and what would do."""
    with pytest.raises(InvalidScenario) as caught:
        notice.checked()

    assert "out of range" in caught.value.message
    assert caught.value.remedy
