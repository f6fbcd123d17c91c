"""Plays the scenarios that ``gateway test`` was given: reads files, finds or starts a gateway, tells, writes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Any, Final

import click

from gateway.cli import render
from gateway.cli.own_edge import own_edge
from gateway.cli.render_scenarios import played, summed_up
from gateway.cli.session import Start, say
from gateway.config_file import load_settings
from gateway.control.client import ApiError, GatewayClient, ScenarioReport, find_gateway
from gateway.errors import ConfigError, GatewayError
from gateway.scenarios.junit import junit_of
from gateway.scenarios.reading import Written, parse_scenarios

BAD_FILE: Final = 2
_UNDER_WAY: Final = 409
_SERVER: Final = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for.

    Args:
        config: Of the edge to start; None for the gateway that runs.
        pattern: Of names; ``*`` stands for anything.
    """

    files: tuple[Path, ...]
    config: Path | None
    junit: Path | None
    as_json: bool
    seed: int | None
    pattern: str | None
    timings: bool


class BadScenarioFile(click.ClickException):
    """Ends the command with exit code 2, and tells the place and what to do about it."""

    exit_code = BAD_FILE

    def __init__(self, message: str, remedy: str, start: Start) -> None:
        super().__init__(message)
        self._text = render.error(message, remedy, start.terminal.err)

    def show(self, file: IO[Any] | None = None) -> None:  # noqa: ARG002 - click's signature
        """Print it on stderr."""
        say(self._text, err=True)


def play_and_tell(wanted: Wanted, start: Start) -> int:
    """Play the scenarios and return the exit code.

    Raises:
        BadScenarioFile, click.UsageError: Nothing was played.
        ClientError, GatewayError: No gateway, or it refused.
    """
    try:
        chosen = _chosen(wanted)
        if wanted.config is not None:
            load_settings(wanted.config)
    except ConfigError as error:
        raise BadScenarioFile(error.message, error.remedy, start) from error
    if not chosen:
        raise click.UsageError(f"No scenario of {', '.join(map(str, wanted.files))} fits {wanted.pattern!r}.")
    reports: list[ScenarioReport] = []
    with _gateway(wanted, start) as client:
        for written in chosen:
            reports.append(_report(client, written, wanted, start))
            if not wanted.as_json:
                say(played(written.path, reports[-1], start.terminal.out, wanted.config))
    if wanted.as_json:
        say(json.dumps({"passed": _passed(reports), "reports": reports}, indent=2))
    else:
        say(summed_up(reports, start.terminal.out))
    if wanted.junit is not None:
        _write(wanted.junit, junit_of(dict(report) for report in reports))
    return 0 if _passed(reports) else 1


def _passed(reports: Sequence[ScenarioReport]) -> bool:
    return all(report["passed"] for report in reports)


def _chosen(wanted: Wanted) -> list[Written]:
    written = [one for path in wanted.files for one in parse_scenarios(_text_of(path), path)]
    pattern = wanted.pattern
    return [one for one in written if pattern is None or fnmatchcase(one.scenario.name, pattern)]


def _text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise ConfigError(
            path, 0, "file", "there is no such file", remedy="Give the path of a scenario."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        problem = f"it cannot be read: {error}"
        raise ConfigError(path, 0, "file", problem, remedy="Make it a readable UTF-8 file.") from error


@contextmanager
def _gateway(wanted: Wanted, start: Start) -> Iterator[GatewayClient]:
    if wanted.config is None:
        yield GatewayClient(find_gateway(start.environment, control=start.control, state=start.state))
        return
    with own_edge(wanted.config) as address:
        yield GatewayClient(address)


def _report(client: GatewayClient, written: Written, wanted: Wanted, start: Start) -> ScenarioReport:
    content = written.content if wanted.seed is None else written.content | {"seed": wanted.seed}
    try:
        return client.play(content, timings=wanted.timings)
    except ApiError as error:
        if error.status == _UNDER_WAY or error.status >= _SERVER:
            raise
        # The file names what this gateway does not have.
        message = f"{written.path}:{written.line}: {written.scenario.name}: {error.message}"
        raise BadScenarioFile(message, error.remedy, start) from error


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise GatewayError(
            f"{path} cannot be written: {error}", remedy="Give --junit a file that can be."
        ) from error
