"""The cases of a version matrix: each version, each change, each split, with names people can read."""

from __future__ import annotations

import pytest

from gateway.testing.cases import InvalidMatrix, combined, worker_cases


def names(*marks: tuple[object, ...], **more: object) -> list[str]:
    """Return the names of the cases of some marks."""
    return [str(case) for case in combined([worker_cases(*mark, **more) for mark in marks])]  # type: ignore[arg-type]


def test_two_versions_make_five_cases() -> None:
    """Issue 5, item 4: each version, each ordered pair, each split; a split once, whatever its order."""
    assert names(("shop", ["v1", "v2"])) == [
        "shop=v1", "shop=v2", "shop=v1->v2", "shop=v2->v1", "shop=v1:50,v2:50",
    ]  # fmt: skip


def test_changes_can_be_left_out_and_splits_chosen() -> None:
    """Options of the mark."""
    assert names(("shop", ["a", "b"]), switches=False, splits=(10, 50, 10)) == [
        "shop=a", "shop=b", "shop=a:10,b:90", "shop=a:50,b:50",
    ]  # fmt: skip


def test_one_version_makes_one_case() -> None:
    """Nothing to change to."""
    assert names(("shop", ["v1"])) == ["shop=v1"]


def test_of_two_workers_at_most_one_is_in_motion() -> None:
    """5 x 5 cases, without the 3 x 3 in which both are split or change."""
    found = names(("shop", ["v1", "v2"]), ("api", ["a", "b"]))

    assert len(found) == 16
    assert "shop=v1->v2+api=a" in found
    assert "shop=v1+api=a:50,b:50" in found
    assert not any(one.count("->") + one.count(":50,") > 1 for one in found)


@pytest.mark.parametrize(
    ("mark", "more", "told"),
    [
        ((), {}, "None is no name of a Worker"),
        (("shop",), {}, "None is no list of tags"),
        (("shop", "v1"), {}, "'v1' is no list of tags"),
        (("shop", []), {}, "[] is no list of tags"),
        (("shop", ["v1", 2]), {}, "a tag is a text"),
        (("shop", ["v1", "v1"]), {}, "names a version twice"),
        (("shop", ["v1"], 7), {}, "does not know 7"),
        (("shop", ["v1"]), {"pairs": False}, "does not know pairs"),
        (("shop", ["v1", "v2"]), {"splits": (0,)}, "0 is not between 0 and 100"),
    ],
)
def test_a_wrong_mark_is_told_what_is_wrong(mark: tuple[object, ...], more: dict[str, object], told: str) -> None:
    """House rule 8: field, value, remedy."""
    with pytest.raises(InvalidMatrix) as caught:
        names(mark, **more)

    assert told in str(caught.value)
