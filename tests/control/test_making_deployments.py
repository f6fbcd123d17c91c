"""Making deployments: what is checked and said, the order of steps, and that a failure changes nothing."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.control.deployments import WantedShare
from gateway.errors import (
    AmbiguousReference,
    BadRequest,
    DeploymentError,
    GatewayError,
    InvalidCohortName,
    NoStableVersion,
    NotFound,
    PercentageOutOfRange,
    PercentagesDoNotAddUp,
    StateUnavailable,
    TooManyVersions,
    VersionListedTwice,
    VersionNotDeployable,
)
from gateway.model.deployment import CodeUpdate
from gateway.model.version import VersionId
from gateway.settings import RoutingSettings
from tests.control.parts import CLOCK, Control
from tests.model.examples import A, B, C, X, shares, version


async def test_a_deployment_records_what_it_was_asked_for() -> None:
    """R10, R99: versions in order, time, source, message, trigger, code update; the number counts up."""
    control = Control()
    created = await control.deployments.create(
        control.shop,
        [WantedShare("v2", 10), WantedShare(A, 90)],
        message="first",
        source="wrangler",
        triggered_by="upload",
        code_update=CodeUpdate("deferred", 30),
        notes=[("key", "value")],
    )
    made = created.deployment

    assert (made.id, made.number, made.worker) == ("shop-1", 1, "shop")
    assert made.versions == shares((B, 10), (A, 90))
    assert made.created_on == datetime.fromtimestamp(CLOCK, UTC)
    assert (made.message, made.source, made.triggered_by) == ("first", "wrangler", "upload")
    assert made.code_update == CodeUpdate("deferred", 30)
    assert control.store.deployments == control.shop.deployments == [made]
    assert control.store.notes == {"key": "value"}
    assert (created.warnings, created.moved_percentage) == ((), 0.0)


async def test_steps_come_in_the_order_in_which_nothing_can_be_lost() -> None:
    """Design 5, R17: versions run first; first accesses wait while the deployment is stored and made active."""
    control = Control()
    await control.deploy(("v1", 100))

    assert control.plane.calls == [
        "prepare", "begin shop", "move 1", "store", "activate 1", "refresh", "end shop", "follow up 1",
    ]  # fmt: skip


async def test_every_version_is_made_to_run_at_0_percent_and_in_cohorts_too() -> None:
    """R14, R73: each version of the deployment can be asked for by an override."""
    control = Control(RoutingSettings(cohorts=True))
    await control.deployments.create(
        control.shop, [WantedShare("v1", 100), WantedShare("v2", 0)], cohorts={"team": {"v2": 100}}
    )

    assert set(control.plane.prepared) == {A, B}


async def test_each_deployment_follows_the_last() -> None:
    """R15: every change is a new deployment, the newest is the active one, none is edited."""
    control = Control()
    first = (await control.deploy(("v1", 100))).deployment
    second = (await control.deploy(("v1", 90), ("v2", 10))).deployment

    assert control.shop.deployments == [first, second]
    assert control.shop.active is second
    assert first.versions == shares((A, 100))


EQUAL = {
    "all of it": ((("v1", None),), (100,)),
    "the rest": ((("v1", 10), ("v2", None)), (10, 90)),
    "halves": ((("v1", None), ("v2", None)), (50, 50)),
    "nothing left": ((("v1", 100), ("v2", None)), (100, 0)),
    "order is kept": ((("v1", None), ("v2", 10)), (90, 10)),
    "decimals": ((("v1", 0.5), ("v2", None)), (0.5, 99.5)),
    "three": ((("v1", 40), ("v2", None), ("cccc", None)), (40, 30, 30)),
}


@pytest.mark.parametrize(("wanted", "percentages"), EQUAL.values(), ids=EQUAL)
async def test_versions_without_a_percentage_share_the_rest_equally(
    wanted: tuple[tuple[str, float | None], ...], percentages: tuple[float, ...]
) -> None:
    """R45: ``A@10 B`` gives B 90."""
    created = await Control(RoutingSettings(max_versions=3)).deploy(*wanted)

    assert tuple(share.percentage for share in created.deployment.versions) == percentages


Wanted = tuple[tuple[str, float | None], ...]
REFUSED: dict[str, tuple[Wanted, type[GatewayError]]] = {
    "nothing": ((), DeploymentError),
    "three versions (R11)": ((("v1", 40), ("v2", 30), ("cccc", 30)), TooManyVersions),
    "sum 90 (R13)": ((("v1", 90),), PercentagesDoNotAddUp),
    "sum 110 (R13)": ((("v1", 60), ("v2", 50)), PercentagesDoNotAddUp),
    "negative (R13)": ((("v1", -10), ("v2", 110)), PercentageOutOfRange),
    "101 (R13)": ((("v1", 101),), PercentageOutOfRange),
    "not a number (R13)": ((("v1", float("nan")),), PercentageOutOfRange),
    "not a number, the rest open (R13)": ((("v1", float("nan")), ("v2", None)), PercentageOutOfRange),
    "nothing left for the rest (R45)": ((("v1", 110), ("v2", None)), BadRequest),
    "negative, the rest open (R13)": ((("v1", -10), ("v2", None)), PercentageOutOfRange),
    "twice, by tag and id": ((("v1", 50), (A, 50)), VersionListedTwice),
    "unknown": ((("v9", 100),), NotFound),
    "of another Worker (R5)": ((("dddd", 100),), NotFound),
    "infinite (R13)": ((("v1", float("inf")),), PercentageOutOfRange),
}


@pytest.mark.parametrize(("wanted", "error"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("dry_run", [False, True], ids=["for real", "dry run"])
async def test_what_breaks_a_rule_is_refused_and_changes_nothing(
    wanted: Wanted, error: type[GatewayError], dry_run: bool
) -> None:
    """R11-R13, R45 and the rule in the case's name: 400 or 404 with a remedy, and no step is taken."""
    control = Control()

    with pytest.raises(error) as caught:
        await control.deploy(*wanted, dry_run=dry_run)

    assert caught.value.status in {400, 404}
    assert caught.value.remedy
    assert (control.plane.calls, control.shop.deployments) == ([], [])


async def test_an_ambiguous_tag_is_refused() -> None:
    """R2: wrangler refuses an ambiguous tag."""
    control = Control(versions=[version(A, 1, tag="v1"), version(B, 2, tag="v1")])

    with pytest.raises(AmbiguousReference):
        await control.deploy(("v1", 100))


async def test_the_limit_of_versions_is_a_setting_with_wranglers_text() -> None:
    """R11, R103: "Too many versions selected. You can deploy at most 2 version(s) at a time."; and the setting."""
    with pytest.raises(TooManyVersions) as caught:
        await Control().deploy(("v1", 40), ("v2", 30), ("cccc", 30))

    assert caught.value.message.startswith(
        "Too many versions selected. You can deploy at most 2 version(s) at a time. "
    )
    assert "deployments.max_versions" in caught.value.remedy
    created = await Control(RoutingSettings(max_versions=3)).deploy(("v1", 40), ("v2", 30), ("cccc", 30))
    assert len(created.deployment.versions) == 3


async def test_only_the_last_100_versions_can_be_deployed() -> None:
    """R12: the 101st newest cannot; the 100th can; rollback has the same limit (R94)."""
    many = [VersionId(f"{number:08x}-0000-4000-8000-000000000000") for number in range(1, 102)]
    control = Control(versions=[version(version_id, number) for number, version_id in enumerate(many, 1)])

    with pytest.raises(VersionNotDeployable, match="last 100") as caught:
        await control.deploy((many[0], 100))
    assert caught.value.remedy
    with pytest.raises(VersionNotDeployable):
        await control.deployments.rollback(control.shop, many[0], "")
    assert (await control.deploy((many[1], 100))).deployment.number == 1


MESSAGES = {
    "short": ("hello", "hello"),
    "1000 bytes": ("a" * 1000, "a" * 1000),
    "1001 bytes": ("a" * 1001, "a" * 1000),
    "not through a character": ("a" * 999 + "\u00fc", "a" * 999),
    "at a character's end": ("a" * 998 + "\u00fcb", "a" * 998 + "\u00fc"),
    "four bytes": ("\U0001f980" * 251, "\U0001f980" * 250),
}


@pytest.mark.parametrize(("message", "kept"), MESSAGES.values(), ids=MESSAGES)
async def test_a_message_is_cut_at_1000_bytes(message: str, kept: str) -> None:
    """R99: message cut at 1000 bytes; never through the middle of a character."""
    control = Control()
    created = await control.deployments.create(control.shop, [WantedShare("v1", 100)], message=message)

    assert created.deployment.message == kept


async def test_a_dry_run_says_what_would_happen_and_changes_nothing() -> None:
    """Design 8, R49: the same warnings and share of keys that move, and no step taken."""
    control = Control()
    await control.deploy(("v1", 90), ("v2", 10))
    control.plane.calls.clear()

    created = await control.deploy(("v2", 10), ("v1", 90), dry_run=True)

    assert created.deployment.number == 2
    assert created.moved_percentage == pytest.approx(20)
    assert "R49" in created.warnings[0]
    assert (control.plane.calls, len(control.shop.deployments)) == ([], 1)


async def test_what_does_not_run_is_a_warning_and_no_obstacle() -> None:
    """Our choices: a version that is down gives its own error page; deploying it is the user's will."""
    control = Control()
    control.plane.warnings = ("Version v1 does not run: it crashed.",)

    created = await control.deploy(("v1", 100))

    assert created.warnings == ("Version v1 does not run: it crashed.",)
    assert control.shop.active is created.deployment


async def test_a_full_store_changes_nothing_and_first_accesses_go_on() -> None:
    """Design 9: an error to the one who writes; the old deployment stays active, and nobody waits for ever."""
    control = Control()
    first = (await control.deploy(("v1", 100))).deployment
    control.plane.calls.clear()
    control.store.full = True

    with pytest.raises(StateUnavailable) as caught:
        await control.deploy(("v2", 100))

    assert (caught.value.status, control.shop.deployments) == (507, [first])
    assert control.plane.calls == ["prepare", "begin shop", "move 2", "store", "end shop"]
    assert not control.objects.waiting
    control.store.full = False
    assert (await control.deploy(("v2", 100))).deployment.number == 2


async def test_objects_that_cannot_be_written_stop_the_deployment() -> None:
    """Design 5: everything assigned under the old deployment is written before the new one becomes active."""
    control = Control()
    control.objects.full = True

    with pytest.raises(StateUnavailable):
        await control.deploy(("v1", 100))

    assert (control.store.deployments, control.shop.deployments) == ([], [])
    assert "refresh" not in control.plane.calls


async def test_a_plane_that_fails_changes_nothing() -> None:
    """House rule 8: a failure before the first write leaves all as it was, and the next attempt may succeed."""
    control = Control()
    control.plane.trouble = StateUnavailable(Path("state"), sqlite3.OperationalError("locked"))

    with pytest.raises(StateUnavailable):
        await control.deploy(("v1", 100))
    control.plane.trouble = None

    assert (control.store.deployments, control.shop.deployments) == ([], [])
    assert (await control.deploy(("v1", 100))).deployment.number == 1


async def test_deployments_made_at_once_come_one_after_the_other() -> None:
    """R15: each has its own number; steps of two never mix."""
    control = Control()

    await asyncio.gather(*(control.deploy(("v1", 100 - share), ("v2", share)) for share in range(20)))

    assert [made.number for made in control.store.deployments] == list(range(1, 21))
    starts = [index for index, call in enumerate(control.plane.calls) if call == "prepare"]
    assert starts == list(range(0, 160, 8))


async def test_cohorts_are_off_unless_switched_on() -> None:
    """R71 (DRAFT): off by default, behind a named setting."""
    control = Control()

    with pytest.raises(DeploymentError) as caught:
        await control.deployments.create(control.shop, [WantedShare("v1", 100)], cohorts={"team": {"v1": 100}})

    assert "drafts.cohorts" in caught.value.remedy


async def test_cohorts_name_versions_as_the_default_list_does() -> None:
    """R71, R72: by id, prefix or tag; each list totals 100; a breach is a 400 at deploy time."""
    control = Control(RoutingSettings(cohorts=True))
    created = await control.deployments.create(
        control.shop, [WantedShare("v1", 100)], cohorts={"team": {"v2": 75, A: 25}}
    )

    (team,) = created.deployment.cohorts
    assert (team.name, team.versions) == ("team", shares((B, 75), (A, 25)))
    for cohorts, error in (
        ({"not valid": {"v1": 100.0}}, InvalidCohortName),
        ({"team": {"v1": 90.0}}, PercentagesDoNotAddUp),
        ({"team": {"cccc": 100.0}, "beta": {"v2": 100.0}}, DeploymentError),
        ({"team": {"v9": 100.0}}, NotFound),
    ):
        with pytest.raises(error):
            await control.deployments.create(control.shop, [WantedShare("v1", 100)], cohorts=cohorts)


# Rollback.


async def test_a_rollback_is_a_new_deployment_of_one_version() -> None:
    """R93, R95: a new deployment with one version at 100%; without a target the last stable one."""
    control = Control()
    await control.deploy(("v1", 100))
    await control.deploy(("v1", 50), ("v2", 50))
    created = await control.deployments.rollback(control.shop, None, "oops")

    assert created.deployment.versions == shares((A, 100))
    assert (created.deployment.number, created.deployment.triggered_by) == (3, "rollback")
    assert created.deployment.message == "oops"
    assert created.moved_percentage == pytest.approx(50)


async def test_a_rollback_to_any_version_by_any_name() -> None:
    """R93, design 7: ``gateway rollback [ID]``; it replaces a split of two as well."""
    control = Control()
    await control.deploy(("v1", 50), ("v2", 50))

    assert (await control.deployments.rollback(control.shop, "cccc", "")).deployment.versions == shares((C, 100))


async def test_a_rollback_without_anything_stable_is_refused() -> None:
    """R95: none: "Could not find stable Worker Version to rollback to."; nothing changes."""
    control = Control()
    await control.deploy(("v1", 50), ("v2", 50))
    control.plane.calls.clear()

    with pytest.raises(NoStableVersion):
        await control.deployments.rollback(control.shop, None, "")
    with pytest.raises(NotFound):
        await control.deployments.rollback(control.shop, X, "")

    assert control.plane.calls == []
