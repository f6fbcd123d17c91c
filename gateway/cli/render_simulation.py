"""Reports of simulations -> text for people (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.cli.text import NOTHING, Cell, Style, number, percent, printable, table
from gateway.simulation.formulas import Notice
from gateway.simulation.run import Report, StepReport
from gateway.simulation.scenario import Scenario

_BAD_SHARE: Final = 0.01


def report_text(report: Report, style: Style, told: str = "") -> str:
    """Return a report: a line for each step, then what the columns mean.

    Args:
        told: Where the traffic came from; empty for what the scenario made up.
    """
    lines = [style.paint(_head(report.scenario, told), bold=True), _steps(report, style), "", *_legend(report)]
    return "\n".join(lines)


def comparison_text(reports: Sequence[tuple[str, Report]], style: Style) -> str:
    """Return the sums of several variants, a line each."""
    headings = (
        "variant",
        "mixed sessions",
        "asset 404s",
        "keys moved",
        "flipped",
        "objects moved",
        "resets",
        "most",
    )
    rows = [
        (
            name,
            _bad(report.total(lambda step: step.mixed_sessions), report.total(lambda step: step.sessions)),
            _bad(report.total(lambda step: step.asset_404s), report.total(lambda step: step.asset_requests)),
            _count(report.total(lambda step: step.keys.moved)),
            _alarm(report.total(lambda step: step.keys.flipped)),
            _count(report.total(lambda step: step.objects.moved)),
            _count(report.total(lambda step: step.resets)),
            str(report.most_resets),
        )
        for name, report in reports
    ]
    head = style.paint("the same plan otherwise, all steps together", bold=True)
    return f"{head}\n{table(headings, rows, style)}\nmost: resets of the object that had most of them"


def _head(scenario: Scenario, told: str) -> str:
    made_up = (
        f"{scenario.sessions:,} sessions of {scenario.requests} requests at each step, "
        f"{scenario.assets} assets a page, {number(scenario.key_share * 100)}% with a key, "
        f"{number(scenario.returning * 100)}% returning"
    )
    objects = f", {scenario.objects:,} objects ({scenario.assignment})" if scenario.objects else ""
    return printable(f"{told or made_up}{objects}, {scenario.order}, seed {scenario.seed}")


def _steps(report: Report, style: Style) -> str:
    keys = any(step.keys.known for step in report.steps)
    objects = any(step.objects.known for step in report.steps)
    returning = any(step.returning_sessions for step in report.steps)
    headings = [
        "new", "mixed sessions", "expected", "asset 404s", "theory",
        *(["returning, changed"] if returning else []),
        *(["keys moved", "flipped"] if keys else []),
        *(["objects moved", "resets"] if objects else []),
        "noticed after",
    ]  # fmt: skip
    rows = []
    for step in report.steps:
        row: list[Cell | str] = [
            percent(step.percentage),
            _bad(step.mixed_sessions, step.sessions),
            _count(step.mixed_sessions_expected),
            _bad(step.asset_404s, step.asset_requests),
            _count(step.asset_404s_expected),
        ]
        row += [_of(step.returning_changed, step.returning_sessions)] if returning else []
        row += [_of(step.keys.moved, step.keys.known), _alarm(step.keys.flipped)] if keys else []
        row += [_of(step.objects.moved, step.objects.known), _count(step.resets)] if objects else []
        rows.append([*row, _noticed(step)])
    return table(headings, rows, style)


def _legend(report: Report) -> list[str]:
    return [
        "mixed sessions: met two versions. expected, theory: what probability says of the column before.",
        "asset 404s: files of one version asked of the other (R82).",
        *(
            ["flipped: keys taken off a version that did not shrink (R49)."]
            if any(step.keys.known for step in report.steps)
            else []
        ),
        _notice(report.notice),
    ]


def _notice(notice: Notice) -> str:
    base = (
        f" beside b = {number(notice.baseline_error_rate)}% of the old one" if notice.baseline_error_rate else ""
    )
    return (
        f"noticed after: requests until errors of x = {number(notice.error_rate)}% of the new version{base} are "
        f"noticed with confidence c = {number(notice.confidence)}%: {notice.formula}, "
        f"here {notice.requests_of_version():,} of its own."
    )


def _noticed(step: StepReport) -> Cell | str:
    if step.noticed_after is None:
        return NOTHING
    return Cell(f"{step.noticed_after:,}", "yellow" if step.noticed_after > step.requests else "")


def _bad(part: float, whole: float) -> Cell:
    share = part / whole if whole else 0.0
    return Cell(f"{part:,.0f} ({100 * share:.1f}%)" if part else "0", "red" if share >= _BAD_SHARE else "")


def _of(part: float, whole: float) -> str:
    return f"{part:,.0f} of {whole:,.0f}" if whole else NOTHING


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _alarm(value: float) -> Cell:
    return Cell(f"{value:,.0f}", "red" if value else "")
