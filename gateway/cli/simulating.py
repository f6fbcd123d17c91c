"""Runs simulations for ``gateway simulate``, and tells of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, NamedTuple

from gateway.cli.render_simulation import comparison_text, report_text
from gateway.cli.session import Terminal, say
from gateway.errors import GatewayError
from gateway.simulation.formulas import Notice
from gateway.simulation.picture import svg_of
from gateway.simulation.recorded import Log, open_log, worker_of
from gateway.simulation.run import Report, simulate, unseen
from gateway.simulation.scenario import InvalidScenario, Scenario
from gateway.simulation.variants import Variant, variants_of
from gateway.simulation.views import report_view, totals_view


class LogFile(NamedTuple):
    """A log that is still to be read, and how; see ``open_log``.

    Args:
        worker: The Worker whose requests are meant; None for the only one.
    """

    lines: IO[str]
    session_place: str | None
    object_places: tuple[str, ...]
    worker: str | None


class Wanted(NamedTuple):
    """What the user asked for.

    Args:
        notice: Error rate, baseline and confidence, in percent.
    """

    scenario: Scenario
    notice: tuple[float, float, float]
    log: LogFile | None
    compare: bool
    picture: Path | None
    as_json: bool


def run_and_tell(wanted: Wanted, terminal: Terminal) -> None:
    """Run the simulations and print what came of them.

    Raises:
        GatewayError: The log or the notice cannot be understood, or the picture cannot be written.
    """
    _check_picture(wanted.picture)
    runs = _runs_of(wanted, Notice(*wanted.notice).checked())
    variants = list(variants_of(runs.scenario, recorded=wanted.log is not None))[: None if wanted.compare else 1]
    with _progress(len(variants) * runs.requests, shown=terminal.interactive) as progress:
        reports = [(variant.name, runs.report(variant, progress)) for variant in variants]
    if wanted.picture is not None:
        _draw(wanted.picture, reports[0][1])
    if wanted.as_json:
        say(json.dumps(_view(reports, runs, compare=wanted.compare), indent=2))
        return
    text = report_text(reports[0][1], terminal.out, runs.told)
    say(f"{text}\n\n{comparison_text(reports, terminal.out)}" if wanted.compare else text)


def _runs_of(wanted: Wanted, notice: Notice) -> _Runs:
    file = wanted.log
    if file is None:
        return _Runs(wanted.scenario, notice)
    origin = str(getattr(file.lines, "name", "<stdin>"))
    log = open_log(file.lines, origin, file.session_place, file.object_places)
    return _LogRuns(replace(wanted.scenario, worker=worker_of(log.records, file.worker)), notice, log)


class _Runs:
    """Simulations of made-up traffic."""

    told = ""
    """What the reader should know of where the traffic came from."""

    def __init__(self, scenario: Scenario, notice: Notice) -> None:
        self.scenario = scenario
        self.notice = notice

    @property
    def requests(self) -> int:
        """How many requests one report is about."""
        return len(self.scenario.plan) * self.scenario.sessions * self.scenario.requests

    @property
    def log(self) -> dict[str, int] | None:
        """What was read of a log, if there is one."""
        return None

    def report(self, variant: Variant, progress: Callable[[int], None]) -> Report:
        """Run one simulation."""
        return simulate(variant.scenario, self.notice, progress=progress)


class _LogRuns(_Runs):
    """Simulations of recorded traffic."""

    def __init__(self, scenario: Scenario, notice: Notice, log: Log) -> None:
        super().__init__(scenario, notice)
        self._log = log
        self._recorded = log.traffic(scenario.worker, len(scenario.plan))
        # What a report says of its sessions and objects is then what the log had.
        self.scenario = replace(
            scenario,
            sessions=max(1, self._recorded.sessions),
            requests=max(1, self._recorded.requests // max(1, self._recorded.sessions)),
            assets=0,
            objects=len(self._recorded.traffic.object_ids),
        )

    @property
    def requests(self) -> int:
        """How many requests one report is about."""
        return len(self.scenario.plan) * self._recorded.requests

    @property
    def log(self) -> dict[str, int] | None:
        """What was read of the log."""
        one = self._recorded
        return {"sessions": one.sessions, "requests": one.requests, "inferred_sessions": one.inferred}

    @property
    def told(self) -> str:  # type: ignore[override]
        """Say how sessions were told apart."""
        one = self._recorded
        guessed = f", {one.inferred:,} of them inferred from address and user agent" if one.inferred else ""
        return f"recorded traffic: {one.requests:,} requests of {one.sessions:,} sessions{guessed}, at each step"

    def report(self, variant: Variant, progress: Callable[[int], None]) -> Report:
        """Run one simulation."""
        recorded = self._log.traffic(variant.scenario.worker, len(variant.scenario.plan), variant.keys)
        return simulate(variant.scenario, self.notice, traffic=recorded.traffic, progress=progress)


def _view(reports: list[tuple[str, Report]], runs: _Runs, *, compare: bool) -> dict[str, Any]:
    view = report_view(reports[0][1])
    if runs.log is not None:
        view["log"] = runs.log
    if compare:
        view["compared"] = [{"variant": name, "totals": totals_view(report)} for name, report in reports]
    return view


def _check_picture(path: Path | None) -> None:
    if path is not None and path.suffix.lower() != ".svg":
        raise InvalidScenario(
            f"picture: {str(path)!r} does not end in .svg",
            remedy="Name it .svg; any browser shows it and can print it to another format.",
        )


def _draw(path: Path, report: Report) -> None:
    scenario = report.scenario
    plan = ", ".join(f"{percentage:g}" for percentage in scenario.plan)
    title = f"Plan {plan}: {report.total(lambda step: step.requests):,.0f} requests, seed {scenario.seed}"
    try:
        path.write_text(svg_of(report, title), "utf-8")
    except OSError as error:
        raise PictureNotWritten(
            f"picture: {str(path)!r} cannot be written: {error.strerror}",
            remedy="Name a file in a writable folder.",
        ) from error


class PictureNotWritten(GatewayError):
    """The picture's file cannot be written."""

    status, code, fault = 400, 90_311, "client"


@contextmanager
def _progress(total: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """Show how far a simulation has come, on stderr."""
    if not shown:
        yield unseen
        return
    from rich.console import Console  # noqa: PLC0415 - as in text.table
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("requests", total=total)
        yield lambda requests: bar.advance(task, requests)
