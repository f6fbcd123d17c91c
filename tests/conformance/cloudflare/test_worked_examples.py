"""The 17 worked examples of the reference, row by row, through the pure functions that decide.

Deployment D1 of ``shop``: ``[B 20, A 80]``; D2 ``[B 50, A 50]``; D2' ``[A 50, B 50]``.
"""

from __future__ import annotations

import pytest

from gateway.model.decision import IgnoredSignal, Reason
from gateway.model.deployment import CodeUpdate, Cohort
from gateway.model.durable_object import AssignmentRule, ObjectKey
from gateway.model.request import NO_SIGNALS, RequestFacts
from gateway.model.version import VersionId
from gateway.routing.affinity import point_of_key
from gateway.routing.cohorts import cohort_split
from gateway.routing.decide import decide
from gateway.routing.durable_objects import assign, follow, point_of_object, running_version, step_of
from gateway.routing.explain import Outcome, explain
from gateway.routing.overrides import overridden_version
from gateway.routing.plan import RoutingPlan
from tests.model.examples import (
    API,
    DIGIT_FIRST,
    SHOP,
    A,
    B,
    C,
    X,
    assigned,
    deployment,
    draws,
    key_at,
    no_draw,
    object_at,
    plan,
    shares,
)
from tests.proxy.reading import read_requests

D1 = plan((B, 20), (A, 80), uploaded=[C])
D2 = plan((B, 50), (A, 50), uploaded=[C])
D2_SWAPPED = plan((A, 50), (B, 50), uploaded=[C])


def by_key(point: float, layout: RoutingPlan) -> VersionId:
    """Return the version that a key at ``point`` reaches."""
    return decide(RequestFacts(version_key=key_at(point)), layout, no_draw).version_id


def by_draw(point: float, layout: RoutingPlan) -> VersionId:
    """Return the version that a draw of ``point`` reaches."""
    return decide(NO_SIGNALS, layout, draws(point)).version_id


POINTS = {
    "1: point 12 (R38, R49)": (12, [(D1, B), (D2, B), (D2_SWAPPED, A)]),
    "2: point 35 (R47)": (35, [(D1, A), (D2, B)]),
    "3: point 80 (R47)": (80, [(D1, A), (D2, A)]),
}


@pytest.mark.parametrize(("point", "expected"), POINTS.values(), ids=POINTS)
def test_rows_1_to_3_points_over_deployments(point: float, expected: list[tuple[RoutingPlan, VersionId]]) -> None:
    """R38, R47, R49: B, B, and A once the order is swapped; A, B; A, A: for keys, draws and objects alike."""
    for layout, version_id in expected:
        assert by_key(point, layout) == version_id
        assert by_draw(point, layout) == version_id
        object_point = point_of_object(object_at(point).id)
        assert assign(object_point, step_of(layout.deployment)).version_id == version_id


def test_row_4_an_override_to_a_version_at_0_percent() -> None:
    """R14, R21: ``shop="<B>"`` with B at 0%: B."""
    layout = plan((B, 0), (A, 100))

    decision = decide(RequestFacts(overrides=f'shop="{B}"'), layout, no_draw)

    assert (decision.version_id, decision.reason) == (B, Reason.OVERRIDE)


AS_IF_ABSENT = {
    "5: uploaded, not deployed (R29)": (f'shop="{C}"', "not-deployed"),
    "6: no quotes, starts with a letter: a Token (R34)": (f"shop={B}", "not-a-string"),
    "6: no quotes, starts with a digit: parse failure (R31)": (f"shop={DIGIT_FIRST}", "not-a-dictionary"),
    "7: upper-case key discards the header (R31, R33)": (f'shop="{B}", Shop2="x"', "not-a-dictionary"),
    "12: key that starts with a digit discards the header (R33)": (f'1shop="{B}"', "not-a-dictionary"),
}


@pytest.mark.parametrize(("header", "cause"), AS_IF_ABSENT.values(), ids=AS_IF_ABSENT)
@pytest.mark.parametrize(("point", "version_id"), [(12, B), (35, A)])
def test_rows_5_6_7_and_12_as_if_the_header_were_absent(
    header: str, cause: str, point: float, version_id: VersionId
) -> None:
    """R29, R31, R33, R34: routed by the deployment; for the client no error, for the curious the cause."""
    with_header = decide(RequestFacts(overrides=header), D1, draws(point))
    without = decide(NO_SIGNALS, D1, draws(point))

    assert with_header._replace(ignored=()) == without
    assert with_header.version_id == version_id
    assert [note.cause for note in with_header.ignored] == [cause]
    step = next(
        step for step in explain(RequestFacts(overrides=header), D1, draws(point)).steps if step.rule == "override"
    )
    assert (step.outcome, step.detail.partition(":")[0]) == (Outcome.IGNORED, cause)


def test_row_8_the_last_of_two_members_counts() -> None:
    """R32: ``shop="<A>", shop="<B>"``: B."""
    assert decide(RequestFacts(overrides=f'shop="{A}", shop="{B}"'), D1, no_draw).version_id == B


def test_row_9_two_header_lines_both_apply() -> None:
    """R31: several lines are joined with a comma before parsing, by the reader; each Worker takes its own."""
    lines = (
        f'Cloudflare-Workers-Version-Overrides: shop="{B}"\r\nCloudflare-Workers-Version-Overrides: api="{X}"\r\n'
    )
    head = read_requests(f"GET / HTTP/1.1\r\nHost: shop\r\n{lines}\r\n".encode()).head
    joined = (head.overrides or b"").decode()

    assert decide(RequestFacts(overrides=joined), D1, no_draw).version_id == B
    assert decide(RequestFacts(overrides=joined), plan((X, 10), (A, 90), worker=API), no_draw).version_id == X


def test_row_10_an_override_of_another_worker_leaves_the_key_to_decide() -> None:
    """R21, R66: the key decides for ``shop``; ``api`` is spoken of only when it is called with the header."""
    facts = RequestFacts(overrides=f'api="{X}"', version_key=key_at(35))

    for_shop = decide(facts, D1, no_draw)
    for_api = decide(facts, plan((X, 0), (A, 100), worker=API), no_draw)

    assert (for_shop.version_id, for_shop.reason) == (A, Reason.AFFINITY)
    assert [note.cause for note in for_shop.ignored] == ["worker-not-named"]
    assert (for_api.version_id, for_api.reason) == (X, Reason.OVERRIDE)


def test_row_11_a_parameter_carries_no_meaning() -> None:
    """R35: ``shop="<B>";note=1``: B."""
    assert overridden_version(f'shop="{B}";note=1', SHOP, D1.deployed, D1.uploaded) == B


TEAM = Cohort("team", shares((A, 100)))


def test_row_13_an_override_beats_a_cohort() -> None:
    """R73: override B + cohort ``team`` (A 100): B."""
    layout = plan((B, 20), (A, 80), cohorts=[TEAM], trust_cohort=True)

    decision = decide(RequestFacts(overrides=f'shop="{B}"', cohort="team"), layout, no_draw)

    assert (decision.version_id, decision.reason, decision.cohort) == (B, Reason.OVERRIDE, "")


def test_row_14_a_cohort_picks_the_list_and_the_key_the_version_within_it() -> None:
    """R72, R74: cohort ``TEAM`` + key ``u1``: the list of ``team``, the point of ``u1``."""
    team = Cohort("team", shares((B, 75), (A, 25)))
    layout = plan((A, 100), cohorts=[team], trust_cohort=True)
    expected = cohort_split("TEAM", layout.cohorts, trusted=True)

    decision = decide(RequestFacts(cohort="TEAM", version_key="u1"), layout, no_draw)

    assert expected is not None
    assert not isinstance(expected, IgnoredSignal)
    assert decision.point == point_of_key("u1", layout.key_seed)
    assert decision.version_id == expected.at(decision.point).version_id
    assert (decision.reason, decision.cohort) == (Reason.AFFINITY, "team")


def test_row_15_an_objects_version_comes_from_its_id_alone() -> None:
    """R50: object ``foo``, override A, key ``u1``: hash of ``foo``'s id alone."""
    foo = ObjectKey(SHOP, "Cart", "foo")
    here = assign(point_of_object(foo.id), step_of(D2.deployment)).version_id
    other = A if here == B else B
    facts = RequestFacts(overrides=f'shop="{other}"', version_key="u1", durable_object=assigned(foo, here))

    decision = decide(facts, D2, no_draw)

    assert (decision.version_id, decision.reason, decision.ignored) == (here, Reason.DURABLE_OBJECT, ())
    assert decision.point == point_of_object(foo.id)


def test_row_16_an_asset_is_drawn_for_itself() -> None:
    """R83, R24: ``GET /assets/index-m3.js`` reaches A.

    That A then answers 200 ``text/html`` is the doing of its assets in single-page mode. The routing part has
    only this much of it: the asset's request carries nothing of the page's, so it is a draw of its own and may
    reach the version that lacks the file.
    """
    draw = draws(12.0, 35.0)

    page, asset = (decide(NO_SIGNALS, D1, draw) for _ in range(2))

    assert (page.version_id, asset.version_id) == (B, A)
    assert page.reason == asset.reason == Reason.PERCENTAGE


def test_row_17_a_deferred_update_leaves_an_active_object_on_its_old_version() -> None:
    """R60-R62: D2 created, ``bar`` active, ``deferred`` 300 s: assigned B, running A until idle or 300 s pass."""
    update = CodeUpdate("deferred", 300)
    first = step_of(deployment((B, 20), (A, 80), number=1))
    second = step_of(deployment((B, 50), (A, 50), number=2, code_update=update))
    point = point_of_object(object_at(35).id)
    held = assign(point, first)
    after = follow(point, held, [second], AssignmentRule.HASH)

    def running(*, active: bool, seconds: float) -> VersionId:
        return running_version(
            after.version_id, held.version_id, active=active, wait_ends_at=update.max_delay_seconds, now=seconds
        )

    assert (held.version_id, after.version_id) == (A, B)
    assert running(active=True, seconds=299) == A
    assert running(active=False, seconds=1) == B
    assert running(active=True, seconds=300) == B
