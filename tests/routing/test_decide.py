"""The order of precedence: which rule wins, and what is noted of those that did not count."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.decision import Reason
from gateway.model.deployment import Cohort
from gateway.model.request import NO_SIGNALS, RequestFacts
from gateway.model.version import VersionId
from gateway.routing.decide import PRECEDENCE, decide
from gateway.routing.explain import Explanation, Outcome, explain
from gateway.routing.plan import RoutingPlan
from tests.model.examples import API, SHOP, A, B, C, X, assigned, draws, key_at, no_draw, object_at, plan, shares

TEAM = Cohort("team", shares((A, 100)))
OBJECT = assigned(object_at(35), C)


def test_the_order_of_precedence() -> None:
    """R20-R24, R50: object, version URL, override, cohort, affinity key, percentages."""
    assert [rule.__name__ for rule in PRECEDENCE] == [
        "durable_object", "version_url", "override", "cohort", "affinity_key", "percentages",
    ]  # fmt: skip


EVERYTHING = RequestFacts(
    overrides=f'shop="{B}"',
    version_key=key_at(80),
    cohort="team",
    addressed_version=X,
    durable_object=OBJECT,
)

LADDER = {
    "object (R50)": (EVERYTHING, C, Reason.DURABLE_OBJECT),
    "version URL (R20)": (EVERYTHING._replace(durable_object=None), X, Reason.VERSION_URL),
    "override (R21)": (
        EVERYTHING._replace(durable_object=None, addressed_version=None),
        B,
        Reason.OVERRIDE,
    ),
    "key within the cohort (R22, R74)": (RequestFacts(version_key=key_at(10), cohort="team"), A, Reason.AFFINITY),
    "key (R23)": (RequestFacts(version_key=key_at(10)), B, Reason.AFFINITY),
}


@pytest.mark.parametrize(("facts", "version_id", "reason"), LADDER.values(), ids=LADDER)
def test_each_rule_beats_all_below_it(facts: RequestFacts, version_id: VersionId, reason: Reason) -> None:
    """R20-R24: the rule in the case's name wins although every lower signal is there too; nothing is drawn."""
    decision = decide(facts, plan((B, 20), (A, 80), cohorts=[TEAM], trust_cohort=True), no_draw)

    assert (decision.version_id, decision.reason) == (version_id, reason)


@pytest.mark.parametrize(("point", "version_id"), [(0.0, B), (19.99, B), (20.0, A), (99.99, A)])
def test_without_a_signal_the_draw_decides(point: float, version_id: VersionId) -> None:
    """R24: otherwise each request is drawn; the decision tells point and range."""
    decision = decide(NO_SIGNALS, plan((B, 20), (A, 80)), draws(point))

    assert (decision.version_id, decision.reason, decision.point) == (version_id, Reason.PERCENTAGE, point)
    assert decision.low <= point < decision.high


def test_draws_are_independent() -> None:
    """R24, R44: one draw a request; the same client gets another one for the next asset."""
    draw = draws(5.0, 50.0, 5.0)
    made = [decide(NO_SIGNALS, plan((B, 20), (A, 80)), draw).version_id for _ in range(3)]

    assert made == [B, A, B]


def test_the_same_seed_and_order_make_the_same_decisions() -> None:
    """Design 4: with a seed the same traffic gives the same decisions; another seed gives others."""

    def run(seed: int) -> list[VersionId]:
        random = Random(seed)  # noqa: S311 - traffic shares, no secrets
        split = plan((B, 20), (A, 80))
        return [decide(NO_SIGNALS, split, lambda: random.random() * 100).version_id for _ in range(200)]

    assert run(42) == run(42) != run(43)


def test_90_to_10_over_20_000_requests() -> None:
    """R24, R44: seeded, with bounds more than ten standard deviations wide."""
    random, layout = Random(42), plan((A, 90), (B, 10))  # noqa: S311 - traffic shares, no secrets

    made = [decide(NO_SIGNALS, layout, lambda: random.random() * 100).version_id for _ in range(20_000)]

    assert 1_600 < made.count(B) < 2_400


@pytest.mark.parametrize("key", ["", None])
def test_an_empty_key_is_absent(key: str | None) -> None:
    """R43: treat an empty value as absent."""
    decision = decide(RequestFacts(version_key=key), plan((B, 20), (A, 80)), draws(50.0))

    assert (decision.reason, decision.ignored) == (Reason.PERCENTAGE, ())


def test_a_key_of_64_kib_decides() -> None:
    """R43: no length limit beyond the server's header limit."""
    assert decide(RequestFacts(version_key="k" * 65_536), plan((B, 20), (A, 80)), no_draw).reason == "affinity"


@pytest.mark.parametrize("percentage", [0, 20, 100])
def test_an_override_reaches_a_deployed_version_at_any_percentage(percentage: float) -> None:
    """R14, R21: even at 0%; the documented smoke test."""
    facts = RequestFacts(overrides=f'shop="{B}"')

    decision = decide(facts, plan((B, percentage), (A, 100 - percentage)), no_draw)

    assert (decision.version_id, decision.reason, decision.point) == (B, Reason.OVERRIDE, None)


def test_a_version_at_0_percent_gets_no_other_traffic() -> None:
    """R14: at 0% a version gets no percentage or affinity traffic."""
    layout = plan((B, 0), (A, 100))

    assert decide(NO_SIGNALS, layout, draws(0.0)).version_id == A
    assert decide(RequestFacts(version_key=key_at(0)), layout, no_draw).version_id == A


def test_a_version_url_reaches_a_version_that_is_not_deployed() -> None:
    """R20, R29: an uploaded version that is not deployed cannot be overridden to, but its version URL works."""
    layout = plan((B, 20), (A, 80), uploaded=[C])

    by_url = decide(RequestFacts(addressed_version=C), layout, no_draw)
    by_header = decide(RequestFacts(overrides=f'shop="{C}"'), layout, draws(50.0))

    assert (by_url.version_id, by_url.reason) == (C, Reason.VERSION_URL)
    assert (by_header.version_id, [note.cause for note in by_header.ignored]) == (A, ["not-deployed"])


@pytest.mark.parametrize(
    ("overrides", "key", "addressed"),
    list(product([None, f'shop="{A}"', "broken,"], [None, key_at(80)], [None, A])),
)
def test_an_objects_version_depends_on_the_object_alone(
    overrides: str | None, key: str | None, addressed: VersionId | None
) -> None:
    """R50, R46a: not on the caller's version, its key, its override or the URL; nothing is noted as ignored."""
    facts = RequestFacts(overrides, key, None, addressed, OBJECT)

    decision = decide(facts, plan((B, 20), (A, 80)), no_draw)

    assert (decision.version_id, decision.reason, decision.point) == (C, Reason.DURABLE_OBJECT, OBJECT.point)
    assert decision.ignored == ()


def test_an_object_whose_update_waits_is_answered_by_the_version_it_runs() -> None:
    """R61, R62: assigned and running version are two facts; the running one answers."""
    facts = RequestFacts(durable_object=assigned(object_at(35), B, running=A))

    assert decide(facts, plan((B, 50), (A, 50)), no_draw).version_id == A


def test_every_signal_that_does_not_count_is_noted_in_order() -> None:
    """R25: a signal that does not apply is ignored and the next step decides."""
    facts = RequestFacts(overrides="broken,", cohort="nobody", version_key="")
    layout = plan((B, 20), (A, 80), cohorts=[TEAM], trust_cohort=True)

    decision = decide(facts, layout, draws(50.0))

    assert decision.reason is Reason.PERCENTAGE
    assert [(str(note.signal), note.cause) for note in decision.ignored] == [
        ("override", "not-a-dictionary"),
        ("cohort", "unknown"),
    ]


def test_an_override_finds_a_version_of_any_cohort() -> None:
    """R73: an override finds a version that stands anywhere in the deployment, in any cohort."""
    layout = plan((A, 100), cohorts=[Cohort("beta", shares((B, 100)))])

    assert decide(RequestFacts(overrides=f'shop="{B}"'), layout, no_draw).version_id == B


def test_a_cohort_without_a_key_is_drawn_within_its_list() -> None:
    """R22, R74: the cohort replaces the list for both steps below it; the decision names it in lower case."""
    layout = plan((B, 100), cohorts=[Cohort("Team", shares((A, 30), (B, 70)))], trust_cohort=True)

    first = decide(RequestFacts(cohort="TEAM"), layout, draws(29.0))
    second = decide(RequestFacts(cohort="team"), layout, draws(31.0))

    assert (first.version_id, first.cohort, first.low, first.high) == (A, "team", 0, 30)
    assert (second.version_id, second.cohort) == (B, "team")


def test_an_untrusted_cohort_header_changes_nothing() -> None:
    """R75: ignored when it comes from an external client; noted."""
    layout = plan((B, 100), cohorts=[TEAM], trust_cohort=False)

    decision = decide(RequestFacts(cohort="team"), layout, draws(1.0))

    assert (decision.version_id, decision.cohort) == (B, "")
    assert [note.cause for note in decision.ignored] == ["not-trusted"]


def test_a_cohort_header_without_cohorts_is_not_even_noted() -> None:
    """R71: without ``cohorts`` nothing changes."""
    decision = decide(RequestFacts(cohort="team"), plan((A, 100)), draws(1.0))

    assert (decision.version_id, decision.ignored) == (A, ())


def test_one_setting_gives_two_workers_the_same_point() -> None:
    """Our choices: ``affinity.per_worker`` off puts one key on one point for all Workers."""
    points = {
        decide(RequestFacts(version_key="u1"), plan((A, 100), worker=worker, key_per_worker=False), no_draw).point
        for worker in (SHOP, API)
    }

    assert len(points) == 1


FACTS = st.builds(
    RequestFacts,
    overrides=st.sampled_from([None, "", "shop", "broken,", *(f'shop="{v}"' for v in (A, B, C, X)), f'api="{A}"']),
    version_key=st.none() | st.text("abc\u00fc ", max_size=4),
    cohort=st.sampled_from([None, "", "team", "TEAM", "beta"]),
    addressed_version=st.sampled_from([None, None, A, C]),
    durable_object=st.sampled_from([None, None, OBJECT, assigned(object_at(35), B, running=A)]),
)
PLANS = [
    plan((B, 20), (A, 80), uploaded=[C], cohorts=groups, trust_cohort=trust)
    for groups, trust in product([(), [TEAM]], [False, True])
]


@given(facts=FACTS, layout=st.sampled_from(PLANS), point=st.floats(0, 100, exclude_max=True))
def test_an_explanation_is_the_decision(facts: RequestFacts, layout: RoutingPlan, point: float) -> None:
    """Design 1: every answer can say why; explaining goes by the very rules that decide, so both always agree."""
    found = explain(facts, layout, draws(point))

    assert found.decision == decide(facts, layout, draws(point))
    check_chain(found)


def check_chain(found: Explanation) -> None:
    """Check that exactly one rule decided, all before it said why not, and none behind it was reached."""
    outcomes = [step.outcome for step in found.steps]
    decided = outcomes.index(Outcome.DECIDED)
    assert [step.rule for step in found.steps] == [rule.__name__ for rule in PRECEDENCE]
    assert outcomes.count(Outcome.DECIDED) == 1
    assert set(outcomes[decided + 1 :]) <= {Outcome.NOT_REACHED}
    assert set(outcomes[:decided]) <= {Outcome.ABSENT, Outcome.IGNORED, Outcome.APPLIED}
    assert all(step.detail for step in found.steps)
    assert all(step.cites.startswith("R") for step in found.steps)
