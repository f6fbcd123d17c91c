"""Reports of scenarios -> text for people (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gateway.cli.text import Style, printable
from gateway.control.client import ScenarioReport, ScenarioStep


def played(path: Path, report: ScenarioReport, style: Style, config: Path | None = None) -> str:
    """Return a line for a scenario that passed, and for one that failed also what was expected and seen.

    Args:
        path: The file it stands in.
        config: Of the edge that was started for it.
    """
    name, seed = printable(report["scenario"]), report["seed"]
    count = report["requests"]
    what = f"{name}  ({count} request{'' if count == 1 else 's'}, seed {seed})"
    notes = [f"        note: {printable(note)}" for note in report["notes"]]
    if report["passed"]:
        return "\n".join([f"{style.paint('passed', 'green')}  {what}", *notes])
    lines = [f"{style.paint('FAILED', 'red', bold=True)}  {what}"]
    for step in report["steps"]:
        lines += _failed_step(step)
    lines += notes
    quoted = name.replace("'", "'\\''")
    own = f" -c {printable(str(config))}" if config is not None else ""
    lines.append(f"        repeat: gateway test {printable(str(path))}{own} --name '{quoted}' --seed {seed}")
    return "\n".join(lines)


def _failed_step(step: ScenarioStep) -> list[str]:
    title = f"        step {step['number']}, {printable(step['step'])}"
    if step["failures"]:
        return [title, *(f"          {printable(line)}" for line in step["failures"])]
    return [f"{title}: not run"] if step["outcome"] == "not_run" else []


def summed_up(reports: Sequence[ScenarioReport], style: Style) -> str:
    """Return the last line: how many passed and failed."""
    failed = sum(not report["passed"] for report in reports)
    total = f"{len(reports)} scenario{'' if len(reports) == 1 else 's'}"
    if not failed:
        return style.paint(f"{total}: all passed", "green", bold=True)
    return style.paint(f"{total}: {failed} failed", "red", bold=True)
