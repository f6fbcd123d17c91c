"""Cohorts (a draft): the header that picks the list."""

from __future__ import annotations

import pytest

from gateway.model.decision import IgnoredSignal
from gateway.routing.cohorts import cohort_split
from gateway.routing.percentages import split_of
from tests.model.examples import A, B, shares

TEAM = split_of(shares((A, 100)))
EDGE = split_of(shares((B, 100)))
COHORTS = {"team": TEAM, "edge": EDGE}


@pytest.mark.parametrize("name", ["team", "Team", "TEAM"])
def test_the_name_picks_the_list_whatever_its_case(name: str) -> None:
    """R72, R22: names are case-insensitive; the cohort's list replaces the default list."""
    assert cohort_split(name, COHORTS, trusted=True) is TEAM


@pytest.mark.parametrize("name", ["tea", "teams", "", " team", "team,edge", "team, team"])
def test_an_unknown_name_is_no_error(name: str) -> None:
    """R73, R25: unknown name: default list, no error; the cause is told."""
    found = cohort_split(name, COHORTS, trusted=True)

    assert isinstance(found, IgnoredSignal)
    assert (found.signal, found.cause, found.rule) == ("cohort", "unknown", "R73")


def test_a_client_may_not_set_it_by_default() -> None:
    """R75: ``trust_client_cohort_header`` is off by default; the header is ignored and the setting is named."""
    found = cohort_split("team", COHORTS, trusted=False)

    assert isinstance(found, IgnoredSignal)
    assert (found.cause, found.rule) == ("not-trusted", "R75")
    assert "trust_client_cohort_header" in found.detail


@pytest.mark.parametrize("trusted", [True, False])
def test_without_cohorts_the_header_means_nothing(trusted: bool) -> None:
    """R71: without ``cohorts`` nothing changes, so nothing is noted either."""
    assert cohort_split("team", {}, trusted=trusted) is None
