"""Versions and deployments, found by whatever people call them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.control.catalog import BY_SCENARIO, Catalog, WorkerRecord
from gateway.errors import AmbiguousReference, NoStableVersion, NotFound
from gateway.model.version import VersionId, WorkerName
from gateway.model.worker import WorkerState
from tests.model.examples import API, NOW, SHOP, A, B, C, X, deployment, version

TWIN = VersionId("aaaaaaaa-9999-4999-8999-999999999999")
SHOP_VERSIONS = (
    version(A, 1, tag="v1"),
    version(B, 2, tag="v2"),
    version(C, 3, tag="v2"),
    version(TWIN, 4, tag="bbbb"),
    version(X, 5),
)


def record() -> WorkerRecord:
    """Return a Worker with five versions."""
    return Catalog(SHOP_VERSIONS, []).find("shop")


FOUND = {
    "id": (A, A),
    "tag": ("v1", A),
    "unique prefix": ("cccc", C),
    "longer prefix": ("cccccccc-3333", C),
    "prefix beyond the first part": ("aaaaaaaa-1", A),
    "prefix of the twin": ("aaaaaaaa-9", TWIN),
    "a tag before a prefix": ("bbbb", TWIN),
    "prefix of a version with a shared tag": ("bbbbb", B),
}


@pytest.mark.parametrize(("reference", "version_id"), FOUND.values(), ids=FOUND)
def test_a_version_is_named_by_id_unique_prefix_or_tag(reference: str, version_id: VersionId) -> None:
    """Design 7: versions may be named by id, unique id prefix or tag."""
    assert record().find(reference).id == version_id


UNKNOWN = ["", "v3", "V1", "ccc", "dddddddd-0", A.upper(), "1111", "e" * 36, " v1", "v1 ", A + "1"]


@pytest.mark.parametrize("reference", UNKNOWN)
def test_what_names_no_version_is_not_found(reference: str) -> None:
    """Design 7, R36: a prefix has 4 characters or more, and nothing is guessed; the remedy lists the versions."""
    with pytest.raises(NotFound) as caught:
        record().find(reference)

    assert "gateway versions list" in caught.value.remedy


@pytest.mark.parametrize(("reference", "ids"), [("v2", (B, C)), ("aaaa", (A, TWIN)), ("aaaaaaaa-", (A, TWIN))])
def test_what_names_several_is_ambiguous_and_lists_them(reference: str, ids: tuple[VersionId, ...]) -> None:
    """R2: tags are not unique; wrangler refuses an ambiguous one and lists the matching ids."""
    with pytest.raises(AmbiguousReference) as caught:
        record().find(reference)

    assert all(version_id in caught.value.message for version_id in ids)
    assert caught.value.remedy


def test_deployments_are_named_by_id_number_or_active() -> None:
    """Design 8: the active deployment is the newest (R15)."""
    made = [deployment((A, 100), number=1), deployment((B, 100), number=2)]
    found = Catalog(SHOP_VERSIONS, made).find("shop")

    assert found.active is made[1]
    assert found.find_deployment("active") is made[1]
    assert found.find_deployment("1") is made[0]
    assert found.find_deployment(made[0].id) is made[0]
    for reference in ("", "0", "3", "01", "-1", "Active", "newest"):
        with pytest.raises(NotFound):
            found.find_deployment(reference)


def test_before_the_first_deployment_none_is_active() -> None:
    """R8: a Worker may have versions and no deployment."""
    assert record().active is None
    with pytest.raises(NotFound):
        record().find_deployment("active")


def test_the_last_100_versions_are_deployable() -> None:
    """R12: only the last 100 uploaded versions, the newest first."""
    many = [version(VersionId(f"{number:08x}-0000-4000-8000-000000000000"), number) for number in range(1, 131)]
    found = Catalog(many, []).find("shop").deployable(100)

    assert [one.number for one in found] == list(range(130, 30, -1))


STABLE = {
    "the one before": ([((A, 100),), ((A, 90), (B, 10))], A),
    "newest of several": ([((A, 100),), ((B, 100),), ((B, 50), (C, 50))], B),
    "beside a version at 0%": ([((A, 100), (B, 0)), ((B, 100),)], A),
    "passing over splits": ([((A, 100),), ((A, 90), (B, 10)), ((A, 50), (B, 50)), ((B, 100),)], A),
    "the active one does not count": ([((A, 100),), ((B, 100),)], A),
}


@pytest.mark.parametrize(("made", "version_id"), STABLE.values(), ids=STABLE)
def test_the_stable_version(made: list[tuple[tuple[VersionId, float], ...]], version_id: VersionId) -> None:
    """R95: default target of a rollback is the newest earlier deployment that had a version at exactly 100%."""
    deployments = [deployment(*listed, number=number) for number, listed in enumerate(made, 1)]

    assert Catalog(SHOP_VERSIONS, deployments).find("shop").stable_version() == version_id


TESTED = {
    "a scenario's own": ([((A, 100),), ((B, 100),)], [((C, 100),), ((B, 100),)], A),
    "left in force": ([((A, 100),), ((B, 100),)], [((C, 100),)], B),
    "made again after a rollback": (
        [((B, 100),), ((A, 100),), ((B, 50), (A, 50))],
        [((C, 100),), ((B, 50), (A, 50))],
        A,
    ),
}


@pytest.mark.parametrize(("made", "tested", "version_id"), TESTED.values(), ids=TESTED)
def test_what_a_scenario_deployed_is_no_stable_version(
    made: list[tuple[tuple[VersionId, float], ...]],
    tested: list[tuple[tuple[VersionId, float], ...]],
    version_id: VersionId,
) -> None:
    """docs/scenarios.md: a rollback goes by what people deployed, as if no scenario had been played."""
    deployments = [
        replace(
            deployment(*listed, number=number),
            triggered_by="deployment" if number <= len(made) else BY_SCENARIO,
        )
        for number, listed in enumerate([*made, *tested], 1)
    ]

    assert Catalog(SHOP_VERSIONS, deployments).find("shop").stable_version() == version_id


UNSTABLE: dict[str, list[tuple[tuple[VersionId, float], ...]]] = {
    "nothing deployed": [],
    "one deployment": [((A, 100),)],
    "only splits before": [((A, 99.9995), (B, 0)), ((A, 50), (B, 50)), ((B, 100),)],
}


@pytest.mark.parametrize("made", UNSTABLE.values(), ids=UNSTABLE)
def test_no_stable_version_is_wranglers_error(made: list[tuple[tuple[VersionId, float], ...]]) -> None:
    """R95: "Could not find stable Worker Version to rollback to. ... with an explicit Version ID."."""
    deployments = [deployment(*listed, number=number) for number, listed in enumerate(made, 1)]

    with pytest.raises(NoStableVersion, match=r"Please try again with an explicit Version ID\.$"):
        Catalog(SHOP_VERSIONS, deployments).find("shop").stable_version()


def test_workers_are_kept_apart() -> None:
    """R64: each Worker follows its own deployment."""
    catalog = Catalog(
        [version(A, 1), version(X, 1, worker=API)], [deployment((A, 100)), deployment((X, 100), worker=API)]
    )

    assert list(catalog.workers) == [SHOP, API]
    assert list(catalog.find("api").versions) == [X]
    assert catalog.version(X) is catalog.find("api").versions[X]
    assert catalog.version(B) is None
    with pytest.raises(NotFound, match="there are: shop, api"):
        catalog.find("nobody")
    with pytest.raises(NotFound, match="none"):
        Catalog([], []).find("shop")


def test_a_worker_exists_once_something_was_uploaded_or_set() -> None:
    """Issue B: an entry of the configuration that only sets routes is no Worker yet."""
    catalog = Catalog([version(A)], [], [WorkerState(API, "", "", "")])

    assert [catalog.record(name).exists for name in (SHOP, API, WorkerName("routes-only"))] == [True, True, False]


def test_numbers_go_on_behind_the_latest() -> None:
    """R12: also where a version in between is gone."""
    assert Catalog([version(A, 1), version(B, 7)], []).record(SHOP).next_number == 8
    assert Catalog([], []).record(SHOP).next_number == 1


@pytest.mark.parametrize(("seconds", "later_by"), [(-10.0, 1), (0.0, 1), (3.5, 3_500_000)])
def test_moments_only_rise(seconds: float, later_by: int) -> None:
    """wrangler-api 3: a clock may stand still or go back."""
    record = Catalog([version(A)], [deployment((A, 100), created_on=NOW)]).record(SHOP)

    assert record.next_moment(NOW.timestamp() + seconds) == NOW + timedelta(microseconds=later_by)
