"""What the arguments of ``versions deploy`` mean."""

from __future__ import annotations

from typing import cast

import pytest

from gateway.cli.shares import (
    NewestAt,
    UnclearArguments,
    check_percentages,
    filled,
    in_active_order,
    newest_at,
    parse_choice,
    parse_percentage,
    parse_spec,
    rest_for_each,
    understand,
)
from gateway.control.client import Deployment, Version, VersionSpec
from gateway.errors import DeploymentError, PercentageOutOfRange, PercentagesDoNotAddUp
from tests.cli.stub_gateway import V1, V2, V3
from tests.cli.stub_gateway import deployment as any_deployment
from tests.cli.stub_gateway import version as any_version


def active(*pairs: tuple[str, float]) -> Deployment:
    """Return an active deployment."""
    return cast("Deployment", any_deployment(2, *pairs, active=True))


def versions(*numbers: int) -> list[Version]:
    """Return versions by number."""
    return [cast("Version", any_version(number)) for number in numbers]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("v1", ("v1", None)),
        ("v1@90", ("v1", 90)),
        ("v1@90%", ("v1", 90)),
        ("v1@12.5%", ("v1", 12.5)),
        ("v1@.5", ("v1", 0.5)),
        ("v1@5.", ("v1", 5)),
        ("v1@0", ("v1", 0)),
        ("v1@100%", ("v1", 100)),
        ("team@shop", ("team@shop", None)),
        ("team@shop@10", ("team@shop", 10)),
        ("v@1@2", ("v@1", 2)),
        ("v1@", ("v1@", None)),
        ("v1@%", ("v1@%", None)),
        ("v1@10%%", ("v1@10%%", None)),
        ("v1@1e1", ("v1@1e1", None)),
        ("v1@nan", ("v1@nan", None)),
        (f"{V1}@50", (V1, 50)),
    ],
)
def test_a_spec_is_split_at_the_last_at_sign_that_a_number_follows(
    text: str, meant: tuple[str, float | None]
) -> None:
    """R104: tags may contain '@'."""
    assert parse_spec(text) == meant


@pytest.mark.parametrize("text", ["", "@50", "@50%"])
def test_a_spec_must_name_a_version(text: str) -> None:
    """A percentage alone belongs into --percentage."""
    with pytest.raises(UnclearArguments, match="names no version"):
        parse_spec(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("v1@101%", "101%"), ("v1@-5", "-5%"), ("v1@100.01", "100.01%"), ("v1@" + "9" * 400, "inf%")],
)
def test_a_percentage_out_of_range_is_refused_in_wranglers_words(text: str, shown: str) -> None:
    """R103: 'Percentage value 101% (from ...) is out of range.'."""
    with pytest.raises(PercentageOutOfRange) as caught:
        parse_spec(text)

    assert str(caught.value) == (
        f"Percentage value {shown} (from {text!r}) is out of range. Percentages must be between 0 and 100."
    )


@pytest.mark.parametrize(
    ("text", "percentage"), [("10", 10), ("10%", 10), (" 12.5 % ", 12.5), ("0", 0), ("+7", 7)]
)
def test_a_percentage_may_carry_its_sign(text: str, percentage: float) -> None:
    """R13: decimals are allowed; people write the '%' or not."""
    assert parse_percentage(text, text) == percentage


@pytest.mark.parametrize("text", ["", "ten", "nan", "inf", "1,5", "%", "10%%", "1e2"])
def test_what_is_no_number_is_no_percentage(text: str) -> None:
    """A usage error that says what a percentage looks like."""
    with pytest.raises(UnclearArguments, match="such as"):
        parse_percentage(text, "--percentage")


SPEC = VersionSpec


@pytest.mark.parametrize(
    ("specs", "ids", "tags", "percentages", "meant"),
    [
        ([], [], [], [], None),
        ([], [], [], ["10"], NewestAt(10)),
        ([], [], [], ["0%"], NewestAt(0)),
        (["v1@90%", "v2@10%"], [], [], [], (SPEC("v1", 90), SPEC("v2", 10))),
        (["v1"], [], [], [], (SPEC("v1"),)),
        (["v1@10", "v2"], [], [], [], (SPEC("v1", 10), SPEC("v2"))),
        (["v1@0", "v2@100"], [], [], [], (SPEC("v1", 0), SPEC("v2", 100))),
        ([], [V1], [], ["100"], (SPEC(V1, 100),)),
        ([], [V1, V2], [], ["90", "10"], (SPEC(V1, 90), SPEC(V2, 10))),
        ([], [V1, V2], [], ["90"], (SPEC(V1, 90), SPEC(V2))),
        ([], [V1, V2], [], [], (SPEC(V1), SPEC(V2))),
        ([], [], ["v1@30", "v2"], [], (SPEC("v1", 30), SPEC("v2"))),
        (["v1@50"], [V2], ["v3@20"], ["30"], (SPEC("v1", 50), SPEC(V2, 30), SPEC("v3", 20))),
        (["v1@33.333", "v2@66.667"], [], [], [], (SPEC("v1", 33.333), SPEC("v2", 66.667))),
        (["v1@99.9995", "v2@0"], [], [], [], (SPEC("v1", 99.9995), SPEC("v2", 0))),
    ],
)
def test_every_form_of_the_arguments(
    specs: list[str],
    ids: list[str],
    tags: list[str],
    percentages: list[str],
    meant: tuple[VersionSpec, ...] | NewestAt | None,
) -> None:
    """R102: by position, by id and percentage, by tag; S4: a percentage alone."""
    assert understand(specs, ids, tags, percentages) == meant


@pytest.mark.parametrize(
    ("specs", "ids", "percentages"),
    [
        ([], [], ["10", "90"]),
        ([], [V1], ["10", "90"]),
        (["v1"], [], ["10"]),
        ([], [], ["much"]),
        ([], [V1], ["much"]),
        (["@10"], [], []),
    ],
)
def test_arguments_that_fit_no_version_are_unclear(
    specs: list[str], ids: list[str], percentages: list[str]
) -> None:
    """R102: --percentage pairs with --version-id by position, and with nothing else."""
    with pytest.raises(UnclearArguments):
        understand(specs, ids, [], percentages)


@pytest.mark.parametrize(
    ("specs", "total"),
    [
        (["v1@50", "v2@40"], "90"),
        (["v1@90"], "90"),
        (["v1@60", "v2@60"], "120"),
        (["v1@70", "v2@40", "v3"], "110"),
        (["v1@99.998", "v2@0"], "99.998"),
    ],
)
def test_percentages_that_do_not_add_up_are_refused_in_wranglers_words(specs: list[str], total: str) -> None:
    """R103: 'The specified traffic percentages add up to 90%, but must total exactly 100%.'."""
    with pytest.raises(PercentagesDoNotAddUp) as caught:
        understand(specs, [], [], [])

    assert f"add up to {total}%, but must total exactly 100%." in str(caught.value)


@pytest.mark.parametrize("percentages", [(100,), (0, 100), (33.333, 33.333, 33.334), (0.1, 0.2, 99.7), (99.9991,)])
def test_a_sum_within_a_thousandth_is_enough(percentages: tuple[float, ...]) -> None:
    """R13: wrangler accepts a sum within 0.001 of 100."""
    check_percentages([VersionSpec(f"v{at}", percentage) for at, percentage in enumerate(percentages)])


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ([10, None], [10, 90]),
        ([None], [100]),
        ([None, None], [50, 50]),
        ([None, None, None], [33.333, 33.333, 33.333]),
        ([40, None, None], [40, 30, 30]),
        ([100, None], [100, 0]),
        ([25, 75], [25, 75]),
    ],
)
def test_versions_without_percentage_share_the_rest(given: list[float | None], shown: list[float]) -> None:
    """R45: A@10 B gives B 90."""
    specs = [VersionSpec(f"v{at}", percentage) for at, percentage in enumerate(given)]

    assert [spec.percentage for spec in filled(specs)] == shown


@pytest.mark.parametrize(("given", "count", "each"), [(0, 2, 50), (90, 1, 10), (120, 1, 0), (10, 0, 0)])
def test_the_rest_for_each_is_never_negative(given: float, count: int, each: float) -> None:
    """It is the default of a prompt, where a sum over 100 is told afterwards."""
    assert rest_for_each(given, count) == each


@pytest.mark.parametrize(
    ("percentage", "numbers", "deployed", "meant"),
    [
        # The newest is not deployed yet: it comes after the stable one.
        (10, (2, 1), [(V1, 100)], [(V1, 90), (V2, 10)]),
        # It is already: the order stays, whichever it is.
        (50, (2, 1), [(V1, 90), (V2, 10)], [(V1, 50), (V2, 50)]),
        (50, (2, 1), [(V2, 10), (V1, 90)], [(V2, 50), (V1, 50)]),
        # At 0 the newest is taken out, at 100 the stable one.
        (0, (2, 1), [(V1, 90), (V2, 10)], [(V1, 100)]),
        (0, (2, 1), [(V1, 100)], [(V1, 100)]),
        (100, (2, 1), [(V1, 90), (V2, 10)], [(V2, 100)]),
        (100, (2, 1), [(V2, 100)], [(V2, 100)]),
        # A third version is newer than both that are deployed: the larger one is stable.
        (10, (3, 2, 1), [(V1, 90), (V2, 10)], [(V1, 90), (V3, 10)]),
        (10, (3, 2, 1), [(V1, 10), (V2, 90)], [(V2, 90), (V3, 10)]),
        (10, (3, 2, 1), [(V1, 50), (V2, 50)], [(V1, 90), (V3, 10)]),
        # The newest has most of the traffic: the other one is stable all the same.
        (20, (2, 1), [(V1, 20), (V2, 80)], [(V1, 80), (V2, 20)]),
        (30, (2, 1), [(V1, 0), (V2, 100)], [(V1, 70), (V2, 30)]),
        # The order in which versions come does not matter, only their numbers.
        (10, (1, 2), [(V1, 100)], [(V1, 90), (V2, 10)]),
        (12.5, (2, 1), [(V1, 100)], [(V1, 87.5), (V2, 12.5)]),
    ],
)
def test_a_percentage_alone_is_for_the_newest_version(
    percentage: float, numbers: tuple[int, ...], deployed: list[tuple[str, float]], meant: list[tuple[str, float]]
) -> None:
    """S4; R49: in the order of the active deployment, so that no key flips back."""
    assert list(newest_at(percentage, versions(*numbers), active(*deployed))) == meant


def test_a_percentage_alone_of_100_needs_no_deployment_before() -> None:
    """The first deployment of a Worker may be made so."""
    assert newest_at(100, versions(1), None) == ((V1, 100),)


@pytest.mark.parametrize(
    ("percentage", "deployed", "why", "remedy"),
    [
        (10, [(V2, 100)], "the only one deployed", f"versions deploy OTHER@90 {V2[:8]}@10"),
        (0, [(V2, 100)], "the only one deployed", "versions deploy OTHER@100"),
        (10, None, "no deployment is active", f"versions deploy OTHER@90 {V2[:8]}@10"),
    ],
)
def test_a_percentage_alone_needs_a_stable_version(
    percentage: float, deployed: list[tuple[str, float]] | None, why: str, remedy: str
) -> None:
    """Who would get the rest cannot be guessed; the remedy is the command that says it."""
    with pytest.raises(DeploymentError, match=why) as caught:
        newest_at(percentage, versions(2, 1), None if deployed is None else active(*deployed))

    assert caught.value.remedy == f"gateway {remedy}"


@pytest.mark.parametrize(
    ("given", "deployed", "ordered"),
    [
        ((V2, V1), [(V1, 90), (V2, 10)], (V1, V2)),
        ((V1, V2), [(V2, 90), (V1, 10)], (V2, V1)),
        ((V3, V1), [(V1, 90), (V2, 10)], (V1, V3)),
        ((V3, V2), [(V1, 100)], (V3, V2)),
        ((V3,), [], (V3,)),
    ],
)
def test_chosen_versions_keep_the_order_of_the_active_deployment(
    given: tuple[str, ...], deployed: list[tuple[str, float]], ordered: tuple[str, ...]
) -> None:
    """R49: swapping the order would flip keys back."""
    assert in_active_order(given, active(*deployed) if deployed else None) == ordered


@pytest.mark.parametrize(
    ("text", "chosen"), [("1", (0,)), ("1 2", (0, 1)), ("2,1", (1, 0)), (" 3 , 1 ", (2, 0)), ("03", (2,))]
)
def test_numbers_choose_from_the_list(text: str, chosen: tuple[int, ...]) -> None:
    """Blanks and commas both part them."""
    assert parse_choice(text, 3) == chosen


@pytest.mark.parametrize("text", ["", " ", "0", "4", "v1", "1 1", "-1", "1.0", "²", "9" * 5000])
def test_what_is_not_in_the_list_is_asked_for_again(text: str) -> None:
    """The error says what can be entered."""
    with pytest.raises(UnclearArguments, match="such as: 1 2"):
        parse_choice(text, 3)
