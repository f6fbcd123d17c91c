"""Deployments: what may stand in one, and what is refused with which words."""

from __future__ import annotations

import dataclasses
import math

import pytest

from gateway.errors import (
    DeploymentError,
    GatewayError,
    InvalidCohortName,
    PercentageOutOfRange,
    PercentagesDoNotAddUp,
    VersionListedTwice,
)
from gateway.model.deployment import CodeUpdate, Cohort, VersionShare
from gateway.model.version import VersionId
from tests.model.examples import A, B, C, deployment, shares

Listed = tuple[tuple[VersionId, float], ...]

GOOD: dict[str, Listed] = {
    "one version": ((A, 100),),
    "two versions": ((A, 90), (B, 10)),
    "one at 0%": ((A, 100), (B, 0)),
    "0% first": ((A, 0), (B, 100)),
    "decimals": ((A, 99.5), (B, 0.5)),
    "thirds": ((A, 33.333), (B, 33.333), (C, 33.334)),
    "0.0009 too little": ((A, 99.9991),),
    "0.0009 too much": ((A, 50.0009), (B, 50)),
    "0.1 and 0.2 as floats": ((A, 0.1), (B, 0.2), (C, 99.7)),
}


@pytest.mark.parametrize("listed", GOOD.values(), ids=GOOD)
def test_percentages_that_total_100_make_a_deployment(listed: Listed) -> None:
    """R10, R13, R14: versions in order, percentages total 100 within 0.001, decimals and 0% allowed."""
    made = deployment(*listed)

    assert made.versions == shares(*listed)


BAD: dict[str, tuple[Listed, type[DeploymentError]]] = {
    "90": (((A, 90),), PercentagesDoNotAddUp),
    "101 in two": (((A, 50), (B, 51)), PercentagesDoNotAddUp),
    "0.002 too little": (((A, 99.998),), PercentagesDoNotAddUp),
    "0.002 too much": (((A, 50.002), (B, 50)), PercentagesDoNotAddUp),
    "all at 0%": (((A, 0), (B, 0)), PercentagesDoNotAddUp),
    "listed twice": (((A, 50), (A, 50)), VersionListedTwice),
    "listed twice, once at 0%": (((A, 100), (A, 0)), VersionListedTwice),
    "no version": ((), DeploymentError),
}


@pytest.mark.parametrize(("listed", "error"), BAD.values(), ids=BAD)
def test_other_lists_make_none(listed: Listed, error: type[DeploymentError]) -> None:
    """R13: anything else is refused with 400 and a remedy."""
    with pytest.raises(error) as caught:
        deployment(*listed)

    assert (caught.value.status, bool(caught.value.remedy)) == (400, True)


@pytest.mark.parametrize("percentage", [-0.001, -1, 100.001, 101, 1e308, math.inf, -math.inf, math.nan])
def test_a_percentage_lies_between_0_and_100(percentage: float) -> None:
    """R13, text R103: "Percentage value 101% (from ...) is out of range. ... must be between 0 and 100."."""
    with pytest.raises(PercentageOutOfRange) as caught:
        VersionShare(A, percentage)

    assert caught.value.message == (
        f"Percentage value {percentage:g}% (from '{A}') is out of range. Percentages must be between 0 and 100."
    )


def test_the_text_of_a_wrong_sum_is_wranglers() -> None:
    """R103: "The specified traffic percentages add up to 90%, but must total exactly 100%."; the remedy counts."""
    with pytest.raises(PercentagesDoNotAddUp) as caught:
        deployment((A, 80), (B, 10))

    assert caught.value.message == "The specified traffic percentages add up to 90%, but must total exactly 100%."
    assert "+10" in caught.value.remedy


def test_a_deployment_is_never_edited() -> None:
    """R15: every change of percentages is a new deployment."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        deployment((A, 100)).versions = ()  # type: ignore[misc]


def test_its_versions_are_those_of_every_list() -> None:
    """R14, R73: a version at 0% and one of a cohort belong to the deployment."""
    made = deployment((A, 100), (B, 0), cohorts=[Cohort("team", shares((B, 100)))])

    assert made.version_ids == {A, B}
    assert [share.version_id for share in made.all_shares()] == [A, B, B]


COHORT_NAMES = ["a", "Team", "0123456789", "a-b_c", "-", "_"]
BAD_COHORT_NAMES = {
    "empty": "",
    "11 characters": "01234567890",
    "space": "a b",
    "dot": "a.b",
    "accent": "\u00e9",
    "full-width digit": "\uff11",
    "newline behind": "team\n",
    "comma": "a,b",
}


@pytest.mark.parametrize("name", COHORT_NAMES)
def test_cohort_names_of_letters_digits_dash_and_underscore(name: str) -> None:
    """R72: letters, digits, ``-``, ``_``, at most 10 characters."""
    assert Cohort(name, shares((A, 100))).name == name


@pytest.mark.parametrize("name", BAD_COHORT_NAMES.values(), ids=BAD_COHORT_NAMES)
def test_other_cohort_names_are_refused(name: str) -> None:
    """R72: any breach is a 400 at deploy time."""
    with pytest.raises(InvalidCohortName) as caught:
        Cohort(name, shares((A, 100)))

    assert caught.value.status == 400


def test_the_list_of_a_cohort_totals_100_on_its_own() -> None:
    """R71: each list totals 100 on its own; the error names the cohort."""
    with pytest.raises(PercentagesDoNotAddUp, match="'team'"):
        Cohort("team", shares((A, 60), (B, 30)))


def cohorts(*names: str, version_id: VersionId = A) -> list[Cohort]:
    """Return cohorts with one version each."""
    return [Cohort(name, shares((version_id, 100))) for name in names]


def test_five_cohorts_over_two_versions_are_allowed() -> None:
    """R72: at most 5 cohorts and 2 distinct versions over all lists."""
    made = deployment((A, 100), cohorts=[*cohorts("a", "b", "c"), *cohorts("d", "e", version_id=B)])

    assert len(made.cohorts) == 5


BAD_COHORTS = {
    "six": (cohorts(*"abcdef"), "6 cohorts"),
    "same name": (cohorts("a", "a"), "same name"),
    "same name, other case": (cohorts("team", "TEAM"), "same name"),
    "third version": (cohorts("a", version_id=C), "3 different versions"),
}


@pytest.mark.parametrize(("groups", "text"), BAD_COHORTS.values(), ids=BAD_COHORTS)
def test_cohorts_beyond_the_limits_are_refused(groups: list[Cohort], text: str) -> None:
    """R72: 5 cohorts, 2 versions, names unique without case."""
    with pytest.raises(DeploymentError, match=text) as caught:
        deployment((A, 50), (B, 50), cohorts=groups)

    assert caught.value.remedy


def test_without_cohorts_more_than_two_versions_are_a_matter_of_the_setting() -> None:
    """R71, R11: without cohorts nothing changes; the limit of versions is a setting, not the value's."""
    assert len(deployment((A, 50), (B, 30), (C, 20)).versions) == 3


@pytest.mark.parametrize("seconds", [0, 0.5, 300, 86_400])
def test_a_deferred_update_waits_up_to_a_day(seconds: float) -> None:
    """R60: ``deferred`` with ``max_delay`` up to 86,400 s."""
    assert CodeUpdate("deferred", seconds).max_delay_seconds == seconds


@pytest.mark.parametrize("seconds", [-1, 86_400.5, math.inf, math.nan])
def test_other_delays_are_refused(seconds: float) -> None:
    """R60: the maximum is 86,400 s."""
    with pytest.raises(GatewayError, match="out of range"):
        CodeUpdate("deferred", seconds)


def test_an_immediate_update_has_no_delay() -> None:
    """R60: ``max_delay`` goes only with ``deferred``."""
    with pytest.raises(DeploymentError, match="deferred"):
        CodeUpdate("immediate", 1)
