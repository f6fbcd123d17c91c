"""Durable Objects: which version each keeps, under both rules, over any line of deployments."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.durable_object import AssignmentRule, ObjectKey
from gateway.model.version import VersionId, WorkerName
from gateway.routing.durable_objects import (
    Assignment,
    DeploymentStep,
    PinInterval,
    assign,
    follow,
    follow_pinned,
    point_of_object,
    running_version,
    step_of,
)
from tests.model.examples import A, B, C, deployment, object_at

STICKY, HASH = AssignmentRule.STICKY, AssignmentRule.HASH
Listed = tuple[tuple[VersionId, float], ...]


def steps(*deployments: Listed) -> list[DeploymentStep]:
    """Return deployments 1, 2, 3, ... as objects see them."""
    return [step_of(deployment(*listed, number=number)) for number, listed in enumerate(deployments, 1)]


def versions(point: float, line: list[DeploymentStep], rule: AssignmentRule) -> list[VersionId]:
    """Return the version of an object first used under the first deployment, after each one."""
    first = assign(point, line[0])
    return [follow(point, first, line[1:end], rule).version_id for end in range(1, len(line) + 1)]


# The user's example under ``sticky`` (row S1): Worker ``app``, class ``User``.
USERS = {
    name: point_of_object(ObjectKey(WorkerName("app"), "User", name).id)
    for name in ("user-123", "user-456", "user-789")
}
THREE = steps(((B, 10), (A, 90)), ((B, 50), (A, 50)), ((B, 100),))


def test_the_example_under_sticky() -> None:
    """Row S1, design 5: 10% gives user-123 v2 and user-456 v1; 50% changes neither; 100% moves user-456."""
    assert versions(USERS["user-123"], THREE, STICKY) == [B, B, B]
    assert versions(USERS["user-456"], THREE, STICKY) == [A, A, B]


def test_an_object_first_used_later_gets_the_percentages_of_that_day() -> None:
    """Row S1: user-789, first used under 50%, gets v2, where it would have got v1 under 10%; then it stays."""
    point = USERS["user-789"]

    assert assign(point, THREE[0]).version_id == A
    assert versions(point, THREE[1:], STICKY) == [B, B]


def test_the_same_objects_under_hash_move_as_the_version_grows() -> None:
    """R47: each object is assigned anew at each deployment, so user-456 moves already at 50%."""
    assert versions(USERS["user-456"], THREE, HASH) == [A, B, B]


# Cloudflare's table under ``hash``: Worker ``counter``, class ``Player``.
PLAYERS = {
    name: point_of_object(ObjectKey(WorkerName("counter"), "Player", name).id) for name in ("foo", "bar", "baz")
}
GROWING = steps(((B, 0), (A, 100)), ((B, 20), (A, 80)), ((B, 50), (A, 50)), ((B, 100),))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("foo", [A, B, B, B]), ("bar", [A, A, B, B]), ("baz", [A, A, A, B])],
    ids=["foo", "bar", "baz"],
)
def test_cloudflares_table_under_hash(name: str, expected: list[VersionId]) -> None:
    """R47: 20% B moves only ``foo``; 50% B also moves ``bar``, which had been on A; 100% B moves ``baz``."""
    assert versions(PLAYERS[name], GROWING, HASH) == expected


def test_the_point_of_an_object_is_the_first_32_bits_of_its_id() -> None:
    """R48, design 5: a hash of the object's id; first 32 bits / 2**32, in percent."""
    assert point_of_object(bytes(32)) == 0.0
    assert point_of_object(b"\x80" + bytes(31)) == 50.0
    assert point_of_object(b"\xff" * 32) < 100.0
    assert point_of_object(bytes(4) + b"\xff" * 28) == 0.0


@given(st.binary(min_size=32, max_size=32))
def test_every_object_has_a_point_from_0_to_below_100(object_id: bytes) -> None:
    """R48: it holds for objects that were never used, so every id has a version."""
    assert 0 <= point_of_object(object_id) < 100


def test_objects_spread_as_the_percentages_say() -> None:
    """R47: 20,000 fixed names over 90/10; bounds of more than ten standard deviations."""
    split = steps(((B, 10), (A, 90)))[0]
    keys = (ObjectKey(WorkerName("shop"), "Cart", f"cart-{number}") for number in range(20_000))

    found = [assign(point_of_object(key.id), split).version_id for key in keys]

    assert 1_600 < found.count(B) < 2_400


def test_an_assignment_names_the_deployment_that_gave_it() -> None:
    """R46c, R62: one that gives the version it has already is no new assignment."""
    line = steps(((A, 100),), ((A, 50), (B, 50)), ((B, 100),), ((B, 50), (A, 50)))

    assert follow(10.0, assign(10.0, line[0]), line[1:2], HASH) == Assignment(A, 1)
    assert follow(10.0, assign(10.0, line[0]), line[1:3], HASH) == Assignment(B, 3)
    assert follow(10.0, assign(10.0, line[0]), line[1:4], HASH) == Assignment(B, 3)


def test_a_version_at_0_percent_keeps_its_objects_under_sticky_only() -> None:
    """R14, row S1: at 0% a version is in the deployment still; under hash nobody is assigned to it."""
    line = steps(((B, 50), (A, 50)), ((B, 0), (A, 100)))

    assert versions(10.0, line, STICKY) == [B, B]
    assert versions(10.0, line, HASH) == [B, A]


def test_an_object_whose_version_leaves_is_assigned_anew_and_does_not_come_back() -> None:
    """Row S1: when the version leaves the deployment the object is assigned anew, and keeps that one."""
    line = steps(((B, 50), (A, 50)), ((A, 100),), ((B, 50), (A, 50)))

    assert versions(10.0, line, STICKY) == [B, A, A]
    assert versions(10.0, line, HASH) == [B, A, B]


def test_swapping_the_order_flips_objects_under_hash() -> None:
    """R49: the order of the list matters; emulated."""
    line = steps(((B, 50), (A, 50)), ((A, 50), (B, 50)))

    assert versions(12.0, line, HASH) == [B, A]
    assert versions(12.0, line, STICKY) == [B, B]


LINES = st.lists(
    st.tuples(st.sampled_from([(A, B), (B, A), (A, C), (C, B)]), st.integers(0, 100)), min_size=1, max_size=8
).map(
    lambda drawn: steps(*(((first, share), (second, 100 - share)) for (first, second), share in drawn)),
)
POINTS = st.floats(0, 100, exclude_max=True)
RULES = st.sampled_from(AssignmentRule)


@given(point=POINTS, line=LINES, rule=RULES)
def test_following_step_by_step_equals_following_at_once(
    point: float, line: list[DeploymentStep], rule: AssignmentRule
) -> None:
    """Design 5: an assignment is a function of id and deployments; when a row is judged plays no part."""
    first = assign(point, line[0])
    held = first
    for step in line[1:]:
        held = follow(point, held, [step], rule)

    assert held == follow(point, first, line[1:], rule)


@given(point=POINTS, line=LINES)
def test_sticky_never_moves_an_object_while_its_version_is_deployed(
    point: float, line: list[DeploymentStep]
) -> None:
    """Row S1, R46a: it moves only where its version left, and then to one that is deployed."""
    found = versions(point, line, STICKY)

    for step, (before, after) in zip(line[1:], pairwise(found), strict=True):
        assert after == before or before not in step.deployed
        assert after in step.deployed


@given(point=POINTS, line=LINES)
def test_hash_always_follows_the_point(point: float, line: list[DeploymentStep]) -> None:
    """R47: after each deployment the version is that of the object's point, used or not."""
    assert versions(point, line, HASH) == [step.split.at(point).version_id for step in line]


@given(point=POINTS, shares=st.lists(st.integers(0, 100), min_size=2, max_size=6), rule=RULES)
def test_objects_on_a_growing_version_stay(point: float, shares: list[int], rule: AssignmentRule) -> None:
    """R46b: same order, one version raised: objects on it stay; under both rules."""
    line = steps(*(((B, share), (A, 100 - share)) for share in sorted(shares)))

    for before, after in pairwise(versions(point, line, rule)):
        assert before != B or after == B


@given(point=POINTS, line=LINES, rule=RULES)
def test_an_objects_version_changes_only_where_its_assignment_does(
    point: float, line: list[DeploymentStep], rule: AssignmentRule
) -> None:
    """R46c: an object is reset only when its assigned version changes; a new number means a new version."""
    held = assign(point, line[0])
    for step in line[1:]:
        after = follow(point, held, [step], rule)
        assert (after.version_id != held.version_id) == (after.deployment_number != held.deployment_number)
        held = after


RUNNING = {
    "same version": (A, A, True, 300.0, 0.0, A),
    "active, wait not over": (B, A, True, 300.0, 299.9, A),
    "active, wait just over": (B, A, True, 300.0, 300.0, B),
    "active, wait over": (B, A, True, 300.0, 301.0, B),
    "hibernated during the wait": (B, A, False, 300.0, 10.0, B),
    "immediate": (B, A, True, 0.0, 10.0, B),
    "immediate and inactive": (B, A, False, 0.0, 10.0, B),
}


@pytest.mark.parametrize(
    ("assigned", "running", "active", "ends", "now", "version_id"), RUNNING.values(), ids=RUNNING
)
def test_an_active_object_runs_its_old_version_until_it_hibernates_or_the_wait_ends(
    assigned: VersionId, running: VersionId, active: bool, ends: float, now: float, version_id: VersionId
) -> None:
    """R60, R61, R62: deferred updates wait, immediate ones do not; assigned and running are two facts."""
    assert running_version(assigned, running, active=active, wait_ends_at=ends, now=now) == version_id


HOLDS = [(1, False), (2, True), (3, True), (4, False)]


@pytest.mark.parametrize(("number", "holds"), HOLDS)
def test_a_pin_holds_from_its_deployment_until_the_one_it_was_taken_off_in(number: int, holds: bool) -> None:
    """Design 5: pins are part of the history; ``until`` is the deployment in force when it was taken off."""
    assert PinInterval(A, 2, 4).holds_at(number) is holds
    assert PinInterval(A, 2, None).holds_at(number) is (number >= 2)


@pytest.mark.parametrize("rule", AssignmentRule)
def test_a_pin_decides_wherever_its_version_is_deployed(rule: AssignmentRule) -> None:
    """Design 5: pinned to A, the object follows the rule while A is away and returns when A does."""
    line = steps(((A, 100),), ((B, 50), (A, 50)), ((B, 100),), ((B, 90), (A, 10)))
    pins = [PinInterval(A, 1, None)]

    found = [
        follow_pinned(10.0, assign(10.0, line[0]), line[1:end], rule, pins).version_id for end in (1, 2, 3, 4)
    ]

    assert found == [A, A, B, A]


@given(point=POINTS, line=LINES, rule=RULES)
def test_without_pins_a_pinned_walk_is_an_ordinary_one(
    point: float, line: list[DeploymentStep], rule: AssignmentRule
) -> None:
    """Design 5: only a pin makes a difference."""
    first = assign(point, line[0])

    assert follow_pinned(point, first, line[1:], rule, []) == follow(point, first, line[1:], rule)


def test_examples_fall_where_their_names_say() -> None:
    """The points that the examples above rest on."""
    assert point_of_object(object_at(35).id) == pytest.approx(35, abs=0.01)
    assert [round(point) for point in USERS.values()] == [10, 16, 26]
    assert [round(point) for point in PLAYERS.values()] == [11, 23, 69]
