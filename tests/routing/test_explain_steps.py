"""The words of an explanation."""

from __future__ import annotations

import pytest

from gateway.model.decision import Reason
from gateway.model.deployment import Cohort
from gateway.model.durable_object import AssignedObject
from gateway.model.request import NO_SIGNALS, RequestFacts
from gateway.routing.explain import Outcome, Step, explain
from tests.model.examples import A, B, C, assigned, draws, key_at, no_draw, object_at, plan, shares

LAYOUT = plan((B, 20), (A, 80), uploaded=[C], cohorts=[Cohort("team", shares((A, 100)))], trust_cohort=True)


def steps_of(facts: RequestFacts, *points: float) -> dict[str, Step]:
    """Return the steps of an explanation by rule."""
    return {step.rule: step for step in explain(facts, LAYOUT, draws(*points)).steps}


def test_each_step_cites_its_rule() -> None:
    """R20-R24, R50: whoever asks why can look the rule up."""
    found = {step.rule: step.cites for step in explain(NO_SIGNALS, LAYOUT, draws(1.0)).steps}

    assert found == {
        "durable_object": "R50",
        "version_url": "R20",
        "override": "R21",
        "cohort": "R22",
        "affinity_key": "R23",
        "percentages": "R24",
    }


def test_an_ignored_override_is_told_with_cause_and_its_own_rule() -> None:
    """R29: the step says not-deployed and cites the rule it follows from; the next rules go on."""
    found = steps_of(RequestFacts(overrides=f'shop="{C}"'), 50.0)

    assert found["override"].outcome is Outcome.IGNORED
    assert found["override"].detail.startswith("not-deployed: ")
    assert found["override"].cites == "R29"
    assert found["percentages"].outcome is Outcome.DECIDED


def test_the_draw_is_told_with_point_and_range() -> None:
    """R24, R44: where the draw fell, in which range, and that the next one is independent."""
    found = steps_of(NO_SIGNALS, 12.345678)["percentages"]

    assert "12.3457" in found.detail
    assert "[0, 20)" in found.detail
    assert "independent" in found.detail


def test_the_key_is_told_with_point_range_and_hash() -> None:
    """R23, our choices: hash named and versioned; never claimed to equal Cloudflare's."""
    found = steps_of(RequestFacts(version_key=key_at(35)))["affinity_key"]

    assert repr(key_at(35)) in found.detail
    assert "35.0" in found.detail
    assert "mmh3" in found.detail


def test_an_applied_cohort_is_told_and_does_not_decide() -> None:
    """R22, R74: the cohort picks the list, the key or draw picks within it."""
    found = steps_of(RequestFacts(cohort="TEAM"), 99.0)

    assert found["cohort"].outcome is Outcome.APPLIED
    assert "'team'" in found["cohort"].detail
    assert found["percentages"].outcome is Outcome.DECIDED


OBJECTS = {
    "assigned": (assigned(object_at(35), A), "assigned by deployment 1"),
    "pinned": (assigned(object_at(35), A)._replace(pinned=True), "pinned"),
    "waiting": (assigned(object_at(35), B, running=A), "still runs the version before"),
}


@pytest.mark.parametrize(("target", "text"), OBJECTS.values(), ids=OBJECTS)
def test_an_object_is_told_with_point_and_what_gave_it_its_version(target: AssignedObject, text: str) -> None:
    """R50, R62: by which deployment, by a pin, or still on the version before."""
    found = explain(RequestFacts(durable_object=target), LAYOUT, no_draw)

    detail = found.steps[0].detail
    assert found.decision.reason is Reason.DURABLE_OBJECT
    assert text in detail
    assert "point 35.0" in detail


def test_rules_behind_the_one_that_decided_are_not_reached() -> None:
    """R20: no other rule applies; they are listed all the same, so that the order is seen."""
    found = steps_of(RequestFacts(addressed_version=C, overrides=f'shop="{B}"'))

    assert found["version_url"].outcome is Outcome.DECIDED
    assert found["override"].outcome is Outcome.NOT_REACHED
    assert found["percentages"].outcome is Outcome.NOT_REACHED
