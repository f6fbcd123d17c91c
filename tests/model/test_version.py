"""Versions: their ids, names and how they are run."""

from __future__ import annotations

import dataclasses

import pytest

from gateway.model.version import (
    VERSION_ID,
    CommandRuntime,
    Runtime,
    UrlRuntime,
    VersionId,
    WorkerName,
    derived_version_id,
)
from tests.model.examples import A, version

NOT_IDS = {
    "empty": "",
    "upper case": A.upper(),
    "mixed case": "Aaaaaaaa-1111-4111-8111-111111111111",
    "no dashes": A.replace("-", ""),
    "braces": "{" + A + "}",
    "one digit short": A[:-1],
    "one digit long": A + "1",
    "letter beyond f": "g" + A[1:],
    "newline behind": A + "\n",
    "space before": " " + A,
    "full-width digits": A.replace("1", "\uff11"),
    "underscores": A.replace("-", "_"),
    "prefix": A[:8],
}


@pytest.mark.parametrize("text", NOT_IDS.values(), ids=NOT_IDS)
def test_what_is_no_lower_case_uuid_is_no_version_id(text: str) -> None:
    """R3: a version id is a lower-case UUID, and nothing around it."""
    with pytest.raises(ValueError, match="R3"):
        version(VersionId(text))


def test_a_version_cannot_be_changed() -> None:
    """R1: a version is the whole state of a Worker at one moment, under an id that never changes."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        version(A).tag = "other"  # type: ignore[misc]


def test_prefix_of_a_version_url_is_the_first_eight_characters() -> None:
    """R89: the prefix of a version URL is the first 8 characters of the version id."""
    assert version(A).prefix == "aaaaaaaa"


@pytest.mark.parametrize(("tag", "label"), [("v2", "v2"), ("", "aaaaaaaa")], ids=["tagged", "untagged"])
def test_people_see_the_tag_or_the_short_id(tag: str, label: str) -> None:
    """R2: a version may carry a tag; without one its short id stands for it."""
    assert version(A, tag=tag).label == label


RUNTIMES: dict[str, Runtime] = {
    "url": UrlRuntime("http://127.0.0.1:9102"),
    "other url": UrlRuntime("http://127.0.0.1:9103"),
    "command": CommandRuntime(("python", "-m", "app")),
    "command in a folder": CommandRuntime(("python", "-m", "app"), cwd="here"),
    "command with a variable": CommandRuntime(("python", "-m", "app"), env=(("A", "1"),)),
    "command with a ready path": CommandRuntime(("python", "-m", "app"), ready_path="/healthz"),
}


def test_a_derived_id_follows_from_worker_tag_and_definition() -> None:
    """Design 6: an id that is not given derives from Worker, tag and definition, so each difference shows."""
    ids = {
        derived_version_id(WorkerName(worker), tag, runtime)
        for worker in ("shop", "api")
        for tag in ("v1", "v2")
        for runtime in RUNTIMES.values()
    }

    assert len(ids) == 2 * 2 * len(RUNTIMES)
    assert all(VERSION_ID.fullmatch(found) for found in ids)


def test_a_derived_id_holds_over_restarts_and_releases() -> None:
    """Design 6: ids hold over restarts; a change of this value would orphan every stored deployment."""
    runtime = CommandRuntime(("python", "-m", "sample_workers.shop", "v1"), ready_path="/healthz")

    found = derived_version_id(WorkerName("shop"), "v1", runtime)

    assert found == "802164d9-fb92-53da-b09f-d485fb210384"
