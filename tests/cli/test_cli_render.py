"""Results -> text, without streams."""

from __future__ import annotations

import io
from typing import Any, cast

import pytest

from gateway.cli import render, render_objects
from gateway.cli.render_explanation import BAR_CELLS, bar, explanation
from gateway.cli.session import Terminal
from gateway.cli.text import PLAIN, Cell, Style, fields, label, moment, number, percent, printable, table
from gateway.control.client import CreatedDeployment, Decision, Deployment, Explanation, ObjectWithHistory, Share
from tests.cli import stub_gateway
from tests.cli.stub_gateway import TAGS, V1, V2, V3

COLOURED = Style(colour=True, width=80)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("v1", "v1"),
        ("Grüße 日本", "Grüße 日本"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x9b31m", "\\x9b31m"),
        ("half \udcff", "half \\udcff"),
        ("\u202eright to left", "\\u202eright to left"),
    ],
)
def test_what_could_steer_a_terminal_is_shown_escaped(text: str, shown: str) -> None:
    """Object names come from requests, so anybody who may call the gateway may choose them."""
    assert printable(text) == shown
    assert render.error(text, text, PLAIN) == f"error: {shown}\nremedy: {shown}"
    assert shown in table(("name",), [(text,)], PLAIN)
    assert label(text, V1) == f"{shown} (11111111)"


@pytest.mark.parametrize(
    ("value", "text"), [(90, "90"), (12.5, "12.5"), (33.3333, "33.333"), (0, "0"), (100, "100"), (-0.0001, "0")]
)
def test_numbers_say_no_more_than_they_know(value: float, text: str) -> None:
    """R45: wrangler rounds to three decimals too."""
    assert number(value) == text
    assert percent(value) == f"{text}%"


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        ("2026-11-23T10:00:00.123456Z", "2026-11-23 10:00:00"),
        ("2026-11-23T12:00:00+02:00", "2026-11-23 10:00:00"),
        ("yesterday", "yesterday"),
        ("", ""),
    ],
)
def test_times_are_in_utc(timestamp: str, text: str) -> None:
    """To the second; what is no time stays."""
    assert moment(timestamp) == text


def test_an_error_without_remedy_is_one_line() -> None:
    """And colours only where they are allowed."""
    assert render.error("no", "", PLAIN) == "error: no"
    assert render.error("no", "do", COLOURED) == "\x1b[31m\x1b[1merror:\x1b[0m no\n\x1b[1mremedy:\x1b[0m do"
    assert render.warning("careful", PLAIN) == "warning: careful"


def test_tables_fold_on_a_terminal_and_never_elsewhere() -> None:
    """A program that reads a line gets all of it."""
    rows: list[tuple[Cell | str, ...]] = [("v1", "word " * 30), ("v2", Cell("short", "green"))]

    assert len(table(("tag", "message"), rows, PLAIN).splitlines()) == 3
    folded = table(("tag", "message"), rows, COLOURED)
    assert len(folded.splitlines()) > 3
    assert "\x1b[32mshort" in folded
    assert "\x1b" not in table(("tag", "message"), rows, PLAIN)


def test_brackets_in_a_cell_are_no_markup() -> None:
    """A message may hold whatever rich would read as a style."""
    assert "[red]hot[/red] :smile:" in table(("message",), [("[red]hot[/red] :smile:",)], COLOURED)


def test_fields_without_value_are_left_out() -> None:
    """And the values stand below each other."""
    assert fields([("a", "1"), ("long name", "2"), ("none", "")], PLAIN) == "a:         1\nlong name: 2"
    assert fields([], PLAIN) == ""


def test_a_deployment_tells_its_cohorts_and_its_code_update() -> None:
    """Where there are any; a version at 0% is reached by override only (R14)."""
    shown = stub_gateway.deployment(
        2,
        (V1, 100),
        (V2, 0),
        cohorts=[{"name": "team", "versions": stub_gateway.shares((V2, 100))}],
        code_update={"mode": "deferred", "max_delay_seconds": 300},
    )

    text = render.deployment(cast("Deployment", shown), PLAIN)

    assert "deferred, within 300 s" in text
    assert "only by override (R14)" in text
    assert "cohort team:" in text


def test_the_first_deployment_has_none_before_it() -> None:
    """What is confirmed on a terminal."""
    preview = cast("CreatedDeployment", stub_gateway.created((V1, 100), moved_percentage=100))

    assert render.change(None, preview, PLAIN).splitlines()[0] == "now:   no deployment"


def test_an_object_that_never_moved_says_so() -> None:
    """An empty history is no empty table."""
    shown = cast("ObjectWithHistory", {"object": stub_gateway.durable_object(name=None), "history": []})

    text = render_objects.object_with_history(shown, PLAIN)

    assert text.endswith("It has kept its first version.")
    assert not text.startswith("object:")


# The bar


def decision(version_id: str, point: float, **changes: Any) -> Decision:
    """Return a decision by affinity key."""
    found = {
        "version_id": version_id,
        "tag": TAGS[version_id],
        "reason": "affinity",
        "point": point,
        "low": 0,
        "high": 100,
        "cohort": "",
        "state": "running",
        "ignored": [],
    }
    return cast("Decision", {**found, **changes})


@pytest.mark.parametrize(
    ("pairs", "version_id", "point", "cells", "marker"),
    [
        ([(V1, 90), (V2, 10)], V1, 0.0, "█" * 45 + "░" * 5, 0),
        ([(V1, 90), (V2, 10)], V2, 99.9999, "█" * 45 + "░" * 5, 49),
        ([(V1, 50), (V2, 50)], V1, 49.99, "█" * 25 + "░" * 25, 24),
        ([(V1, 50), (V2, 50)], V2, 50.0, "█" * 25 + "░" * 25, 25),
        ([(V1, 100)], V1, 50.0, "█" * 50, 25),
        # At 0% there is no range (R14), wherever the version is listed.
        ([(V1, 0), (V2, 100)], V2, 10.0, "░" * 50, 5),
        ([(V1, 100), (V2, 0)], V1, 99.0, "█" * 50, 49),
        # The cell over the point is the version's own, however narrow its range is.
        ([(V1, 99.9), (V2, 0.1)], V2, 99.95, "█" * 49 + "░", 49),
        ([(V1, 0.1), (V2, 99.9)], V1, 0.05, "█" + "░" * 49, 0),
        # Percentages may miss 100 by 0.001 (R13); the last range ends at 100 all the same.
        ([(V1, 50), (V2, 49.9995)], V2, 99.9999, "█" * 25 + "░" * 25, 49),
        ([(V1, 40), (V2, 40), (V3, 20)], V3, 85.0, "█" * 20 + "░" * 20 + "▓" * 10, 42),
    ],
)
def test_the_bar_lays_the_ranges_end_to_end_with_the_point_below(
    pairs: list[tuple[str, float]], version_id: str, point: float, cells: str, marker: int
) -> None:
    """R39: in listed order on [0, 100)."""
    shares = cast("list[Share]", stub_gateway.shares(*pairs))

    ranges, below, legend = bar(shares, decision(version_id, point), PLAIN).splitlines()

    assert ranges == f"0 {cells} 100"
    assert len(cells) == BAR_CELLS
    assert below == " " * (marker + 2) + f"▲ {point:.4f}"
    assert legend.startswith("█ v1 (11111111)") == (pairs[0][0] == V1)


def explained(found: Decision, **deployment: Any) -> str:
    """Return the text of an explanation without steps."""
    active = stub_gateway.deployment(2, (V1, 90), (V2, 10), active=True, **deployment)
    shown: dict[str, Any] = {
        "worker": "shop",
        "route": "*/*",
        "problem": None,
        "steps": [],
        "decision": found,
        "deployment": active,
        "counts": [],
    }
    return explanation(cast("Explanation", shown), PLAIN)


@pytest.mark.parametrize("reason", ["override", "version-url", "durable-object"])
def test_there_is_a_bar_only_where_the_active_ranges_decided(reason: str) -> None:
    """R50: an object's point may have been placed by an older deployment."""
    text = explained(decision(V2, 12.5, reason=reason))

    assert "▲" not in text
    assert "12.5000" in text
    assert "range" not in text


def test_a_cohorts_own_list_is_the_one_that_is_drawn() -> None:
    """R22: it replaces the default list; its name is compared without case."""
    cohort = {"name": "Team", "versions": stub_gateway.shares((V2, 100))}

    text = explained(decision(V2, 12.5, cohort="team"), cohorts=[cohort])

    assert f"0 {'█' * BAR_CELLS} 100" in text
    assert "█ v2 (22222222) 100%" in text


def test_a_version_that_does_not_run_is_said_to_be_down() -> None:
    """The decision stands; the request would get the gateway's own page."""
    assert "v2 (22222222), which is crashed now" in explained(decision(V2, 95, state="crashed"))


# What the terminal can do


class Stream(io.StringIO):
    """A stdout that may be a terminal."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        """Say so."""
        return self.terminal


@pytest.mark.parametrize(
    ("stdin", "stdout", "environment", "interactive", "colour"),
    [
        (True, True, {}, True, True),
        (True, True, {"NO_COLOR": "1"}, True, False),
        (True, True, {"NO_COLOR": ""}, True, True),
        (True, True, {"TERM": "dumb"}, True, False),
        (True, False, {}, False, False),
        (False, True, {}, False, True),
    ],
)
def test_questions_and_colours_need_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
    *,
    stdin: bool,
    stdout: bool,
    environment: dict[str, str],
    interactive: bool,
    colour: bool,
) -> None:
    """no-color.org: NO_COLOR counts where it is set and not empty."""
    monkeypatch.setattr("sys.stdin", Stream(terminal=stdin))
    monkeypatch.setattr("sys.stdout", Stream(terminal=stdout))

    found = Terminal.detect(environment)

    assert (found.interactive, found.out.colour) == (interactive, colour)
