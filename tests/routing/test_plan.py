"""A deployment laid out for decisions."""

from __future__ import annotations

from gateway.model.deployment import Cohort
from gateway.routing.affinity import worker_seed
from gateway.routing.plan import plan_for
from tests.model.examples import API, SHOP, A, B, C, deployment, plan, shares, version


def test_what_is_deployed_and_what_is_only_uploaded() -> None:
    """R29, R14: the versions of the active deployment, at 0% too; all others are merely uploaded."""
    layout = plan((A, 100), (B, 0), uploaded=[A, C])

    assert layout.deployed == {A, B}
    assert layout.uploaded == {A, B, C}


def test_cohorts_are_found_in_lower_case() -> None:
    """R72: cohort names are case-insensitive."""
    layout = plan((A, 100), cohorts=[Cohort("Team", shares((B, 100)))])

    assert list(layout.cohorts) == ["team"]


def test_drafts_are_off_unless_the_settings_switch_them_on() -> None:
    """R75: ``trust_client_cohort_header`` is off by default."""
    layout = plan_for(deployment((A, 100)), [version(A)])

    assert (layout.trust_cohort, layout.cohorts) == (False, {})


def test_the_seed_of_the_hash_is_the_workers() -> None:
    """R39, our choices: the hash depends on key and Worker, never on the deployment."""
    first = plan_for(deployment((A, 100), number=1), [])
    later = plan_for(deployment((B, 50), (A, 50), number=2), [])

    assert first.key_seed == later.key_seed == worker_seed(SHOP) != worker_seed(API)
