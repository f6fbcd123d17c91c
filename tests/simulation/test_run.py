"""Worked examples of whole simulations, and what holds in all of them."""

from __future__ import annotations

import json
import random
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.durable_object import AssignmentRule
from gateway.model.request import NO_SIGNALS, RequestFacts
from gateway.routing.changes import change_between
from gateway.routing.decide import decide
from gateway.simulation.picture import svg_of
from gateway.simulation.run import simulate
from gateway.simulation.scenario import InvalidScenario, KeySource, Order, Scenario
from gateway.simulation.steps import NEW, OLD, before_plan, steps_of
from gateway.simulation.traffic import made_up_traffic, page_positions
from gateway.simulation.variants import variants_of
from gateway.simulation.views import report_view

SMALL = Scenario((5, 10, 25, 50, 100), sessions=400, requests=20, returning=0.4, objects=200)


def test_pages_are_followed_by_their_assets() -> None:
    """Issue D, --assets: a page, its files, the next page."""
    assert page_positions(7, 2) == (-1, 0, 0, -1, 3, 3, -1)
    assert page_positions(3, 0) == (-1, -1, -1)


@pytest.mark.parametrize(
    ("order", "listed"),
    [
        (Order.NEW_FIRST, [[NEW, OLD], [NEW, OLD], [NEW]]),
        (Order.OLD_FIRST, [[OLD, NEW], [OLD, NEW], [NEW]]),
        (Order.SWAPPED, [[NEW, OLD], [OLD, NEW], [NEW]]),
    ],
)
def test_a_plan_is_a_list_of_deployments(order: Order, listed: list[list[str]]) -> None:
    """R49: the order in which a deployment lists its versions is part of it; 100% stands alone."""
    steps = steps_of((10, 50, 100), SMALL.worker, order)

    assert [[share.version_id for share in step.routing.deployment.versions] for step in steps] == listed
    assert [step.objects.number for step in steps] == [2, 3, 4]
    assert before_plan(SMALL.worker).routing.deployed == {OLD}


def test_every_draw_is_the_edges_own() -> None:
    """Issue D: the very routing code; the counts are those of `decide` asked request by request."""
    scenario = replace(SMALL, key_share=0.5)
    report = simulate(scenario)
    source = random.Random(scenario.seed)  # noqa: S311 - the draws of a seeded edge
    for step, sessions, told in zip(
        steps_of(scenario.plan, scenario.worker, scenario.order),
        made_up_traffic(scenario).steps,
        report.steps,
        strict=True,
    ):
        met = [
            [decide(facts, step.routing, lambda: source.random() * 100.0).version_id for facts in session.facts]
            for session in sessions
        ]
        missing = sum(
            page >= 0 and versions[page] != version
            for versions, session in zip(met, sessions, strict=True)
            for version, page in zip(versions, session.page_of, strict=True)
        )

        assert told.new_requests == sum(versions.count(NEW) for versions in met)
        assert told.mixed_sessions == sum(len(set(versions)) > 1 for versions in met)
        assert told.asset_404s == missing


def test_a_key_of_the_client_leaves_no_session_mixed() -> None:
    """R37, R84: the documented remedy; by a cookie, a first visit's first page is still drawn (R42)."""
    everyone = replace(SMALL, key_share=1.0, returning=0.0)
    by_client = simulate(replace(everyone, key_source=KeySource.CLIENT))
    by_cookie = simulate(everyone)

    assert by_client.total(lambda step: step.mixed_sessions + step.asset_404s) == 0
    assert by_cookie.total(lambda step: step.mixed_sessions) > 0
    assert by_cookie.total(lambda step: step.asset_404s) < simulate(replace(everyone, key_share=0)).total(
        lambda step: step.asset_404s
    )


def test_no_key_flips_back_as_a_version_grows_but_swapping_the_order_flips_some() -> None:
    """R38, R49."""
    keyed = replace(SMALL, key_share=1.0)

    assert simulate(keyed).total(lambda step: step.keys.flipped) == 0
    assert simulate(replace(keyed, order=Order.OLD_FIRST)).total(lambda step: step.keys.flipped) == 0
    assert simulate(replace(keyed, order=Order.SWAPPED)).total(lambda step: step.keys.flipped) > 0


def test_sticky_objects_wait_for_their_version_to_leave_and_hashed_ones_move_with_each_step() -> None:
    """R46, R47, rows S1 and S2: and none is reset twice while one version only grows."""
    sticky, hashed = simulate(SMALL), simulate(replace(SMALL, assignment=AssignmentRule.HASH))

    assert [step.objects.moved for step in sticky.steps[:-1]] == [0, 0, 0, 0]
    assert sticky.steps[-1].objects.moved == sticky.steps[-1].objects.expected > 0
    assert all(step.objects.moved > 0 for step in hashed.steps)
    assert sticky.most_resets == hashed.most_resets == 1


def test_swapping_the_order_resets_hashed_objects_again_and_again() -> None:
    """R49: why a new deployment keeps the order of the active one."""
    report = simulate(replace(SMALL, assignment=AssignmentRule.HASH, order=Order.SWAPPED))

    assert report.most_resets > 1


PLANS = st.lists(st.sampled_from([0.0, 1.0, 5.0, 33.333, 50.0, 90.0, 100.0]), min_size=1, max_size=4).map(tuple)
SCENARIOS = st.builds(
    Scenario,
    plan=PLANS,
    sessions=st.integers(1, 40),
    requests=st.integers(1, 12),
    assets=st.integers(0, 5),
    key_share=st.floats(0, 1),
    key_source=st.sampled_from(KeySource),
    returning=st.floats(0, 1),
    objects=st.integers(0, 30),
    new_objects=st.floats(0, 1),
    assignment=st.sampled_from(AssignmentRule),
    order=st.sampled_from(Order),
    seed=st.integers(0, 5),
)


@settings(max_examples=60, deadline=None)
@given(SCENARIOS)
def test_what_holds_in_every_simulation(scenario: Scenario) -> None:
    """Counts stay within what they are counts of; a step with one version has nothing mixed; theory has bounds."""
    report = simulate(scenario)

    for step in report.steps:
        assert (step.sessions, step.requests) == (scenario.sessions, scenario.sessions * scenario.requests)
        assert 0 <= step.mixed_sessions <= step.sessions
        assert -1e-9 <= step.mixed_sessions_expected <= step.sessions + 1e-9
        assert 0 <= step.asset_404s <= step.asset_requests <= step.requests
        assert -1e-9 <= step.asset_404s_expected <= step.asset_requests + 1e-9
        assert step.returning_changed <= step.returning_sessions <= step.sessions
        assert step.keys.flipped <= step.keys.moved <= step.keys.known
        assert step.objects.moved <= step.objects.known <= scenario.objects
        assert step.resets <= min(step.sessions, step.objects.known)
        if step.percentage in {0.0, 100.0}:
            assert step.mixed_sessions == step.asset_404s == 0
        if scenario.assignment is AssignmentRule.STICKY:
            assert step.objects.moved == step.objects.expected
    ET.fromstring(svg_of(report, "a <title> & more"))  # noqa: S314 - our own


def test_the_same_seed_gives_the_same_bytes_and_another_one_others() -> None:
    """Issue D: byte for byte, five times."""
    scenario = replace(SMALL, key_share=0.3)
    told = {json.dumps(report_view(simulate(scenario))) for _ in range(5)}

    assert len(told) == 1
    assert json.dumps(report_view(simulate(replace(scenario, seed=2)))) not in told


@pytest.mark.parametrize("key_share", [0.0, 0.6, 1.0])
def test_what_is_drawn_lies_around_what_is_expected(key_share: float) -> None:
    """Theory and drawing check each other: within five standard deviations, with this seed."""
    scenario = Scenario((10, 50), sessions=2000, requests=9, assets=8, key_share=key_share, returning=0.5)
    for step in simulate(scenario).steps:
        share = step.mixed_sessions_expected / step.sessions

        assert (
            abs(step.mixed_sessions - step.mixed_sessions_expected)
            <= 5 * (step.sessions * share * (1 - share)) ** 0.5
        )
        # Assets of one page hang together: at most as uncertain as if all 8 fell alike.
        assert abs(step.asset_404s - step.asset_404s_expected) <= 5 * 8 * (step.sessions * 0.25) ** 0.5


def test_the_share_of_keys_that_moves_is_what_a_deployment_warns_of() -> None:
    """R38: the same function tells it before a real deployment."""
    scenario = replace(SMALL, key_share=1.0, sessions=2000)
    steps = [before_plan(scenario.worker), *steps_of(scenario.plan, scenario.worker, scenario.order)]
    for told, before, after in zip(simulate(scenario).steps, steps, steps[1:], strict=False):
        assert told.keys.expected == change_between(before.routing.split, after.routing.split)
        assert told.keys.moved / told.keys.known == pytest.approx(told.keys.expected.moved / 100, abs=0.03)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("plan", ()), ("plan", (101,)), ("plan", (float("nan"),)), ("sessions", 0), ("requests", 0),
        ("assets", -1), ("objects", -1), ("key_share", 1.1), ("returning", -0.1),
        ("new_objects", 2), ("sessions", 10**9),
    ],
)  # fmt: skip
def test_a_scenario_that_cannot_be_is_refused_by_name(field: str, value: object) -> None:
    """House rule 8: field, value, remedy."""
    with pytest.raises(InvalidScenario, match=f"^{field}:") as caught:
        replace(SMALL, **{field: value})  # type: ignore[arg-type]

    assert caught.value.remedy


def test_variants_differ_in_one_choice_each() -> None:
    """Issue D: with and without key, sticky and hash, order swapped."""
    names = [variant.name for variant in variants_of(replace(SMALL, key_share=0.5))]

    assert names == [
        "as given", "no key", "a key for every user, from the cookie", "a key for every user, from the client",
        "assignment hash", "order swapped at each step", "order swapped, assignment hash",
    ]  # fmt: skip
    assert len({variant.scenario for variant in variants_of(SMALL)}) == len(list(variants_of(SMALL)))


def test_a_first_visit_has_no_key_yet() -> None:
    """R42: and a returning user has it from the start."""
    scenario = replace(SMALL, key_share=1.0, requests=3)
    (first, *_) = made_up_traffic(scenario).steps
    shapes = {tuple(facts is NO_SIGNALS for facts in session.facts) for session in first}

    assert shapes == {(True, False, False), (False, False, False)}
    assert all(isinstance(facts, RequestFacts) for session in first for facts in session.facts)
