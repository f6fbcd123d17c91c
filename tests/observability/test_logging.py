"""The log: on standard error, as JSON where nobody watches, from the level on that was set."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import structlog

from gateway.observability.logging import set_up_logging


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leave no configuration behind."""
    yield
    structlog.reset_defaults()


def test_lines_are_json_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """House rules: one line tells its whole story; standard output stays free for what commands print."""
    set_up_logging("info")

    structlog.get_logger("gateway").info("request.completed", status=200, text='a "b"\n\u2603')
    printed = capsys.readouterr()

    assert printed.out == ""
    (line,) = printed.err.splitlines()
    told = json.loads(line)
    assert (told["event"], told["level"], told["status"], told["text"]) == (
        "request.completed",
        "info",
        200,
        'a "b"\n\u2603',
    )
    assert told["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    ("level", "lines"),
    [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)],
    ids=["debug", "info", "warning", "error"],
)
def test_only_lines_from_the_level_on_are_written(
    level: str, lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Design 6, ``log_level``: the four levels of the configuration."""
    set_up_logging(level)
    log = structlog.get_logger("gateway")

    for name in ("debug", "info", "warning", "error"):
        getattr(log, name)("some.event")

    assert len(capsys.readouterr().err.splitlines()) == lines


def test_a_failure_is_written_with_its_traceback_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """House rule 8: a broad ``except`` stands only at a server's outer rim, and logs."""
    set_up_logging("info")
    try:
        int("because")
    except ValueError:
        structlog.get_logger("gateway").exception("request.failed")

    (line,) = capsys.readouterr().err.splitlines()
    assert "ValueError: invalid literal" in json.loads(line)["exception"]
