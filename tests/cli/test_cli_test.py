"""``gateway test``: which files and options make sense, and how reports are told; a stand-in plays them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from gateway.cli.main import cli
from gateway.cli.session import Start, Terminal
from tests.cli import stub_gateway
from tests.cli.stub_gateway import StubGateway

PLAY = "/api/test/scenario"
TWO = """
- name: one
  seed: 5
  steps:
    - request: {path: /}
- name: it's two
  steps:
    - request: {path: /}
"""


@pytest.fixture
def api() -> Iterator[StubGateway]:
    """Return a gateway that plays nothing until a test says what came of it."""
    with stub_gateway.serving() as stub:
        yield stub


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with two scenarios."""
    path = tmp_path / "two.yaml"
    path.write_text(TWO, "utf-8")
    return path


def gateway(api: StubGateway, *arguments: str | Path) -> Result:
    start = Start(Terminal(), {"GATEWAY_CONTROL": api.url})
    return CliRunner().invoke(cli, ["test", *map(str, arguments)], obj=start)


def report(name: str, *failures: str, **changes: Any) -> dict[str, Any]:
    """Return what came of a scenario; each failure is one of its first step."""
    step = {
        "number": "1",
        "step": "request GET /",
        "outcome": "failed" if failures else "passed",
        "requests": 1,
        "failures": list(failures),
        "notes": [],
        "answers": [],
        "first_requests": [],
    }
    return {
        "scenario": name,
        "worker": "shop",
        "seed": 5,
        "passed": not failures,
        "requests": 1,
        "errors": 0,
        "decisions": "sha256:0",
        "failures": [f"step 1: {line}" for line in failures],
        "notes": [],
        "steps": [step, {**step, "number": "2", "outcome": "not_run", "failures": []}] if failures else [step],
        "skew": [],
        "resets": [],
        **changes,
    }


def test_all_passed(api: StubGateway, file: Path) -> None:
    """Exit code 0, and a line for each."""
    api.on("POST", PLAY, report("one", notes=["mind this"]))

    result = gateway(api, file)

    assert result.exit_code == 0, result.stderr
    assert result.stdout == (
        "passed  one  (1 request, seed 5)\n        note: mind this\n"
        "passed  one  (1 request, seed 5)\n        note: mind this\n2 scenarios: all passed\n"
    )
    assert [asked.body["name"] for asked in api.received] == ["one", "it's two"]


def test_one_failed(api: StubGateway, file: Path) -> None:
    """Exit code 1; what was expected and seen, what was not run, and how to repeat it."""
    api.on("POST", PLAY, report("it's \x1b two", "expected status 200, seen 404: GET / (seed 5)"))

    result = gateway(api, file, "--name", "*two")

    assert result.exit_code == 1
    assert result.stdout == (
        "FAILED  it's \\x1b two  (1 request, seed 5)\n"
        "        step 1, request GET /\n"
        "          expected status 200, seen 404: GET / (seed 5)\n"
        "        step 2, request GET /: not run\n"
        f"        repeat: gateway test {file} --name 'it'\\''s \\x1b two' --seed 5\n"
        "1 scenario: 1 failed\n"
    )


def test_a_seed_of_the_command_wins(api: StubGateway, file: Path) -> None:
    """To repeat what chance has shown."""
    api.on("POST", PLAY, report("one"))

    gateway(api, file, "--seed", "9")

    assert [asked.body["seed"] for asked in api.received] == [9, 9]


def test_timings_are_asked_for(api: StubGateway, file: Path) -> None:
    """They are left out else, so that reports are alike."""
    api.on("POST", PLAY, report("one"))

    gateway(api, file, "--name", "one", "--timings")

    assert [asked.target for asked in api.received] == [f"{PLAY}?timings=true"]


def test_json_and_junit(api: StubGateway, file: Path, tmp_path: Path) -> None:
    """Reports for programs: stdout holds nothing but JSON, the file nothing but XML."""
    api.on("POST", PLAY, report("one", "no"))
    junit = tmp_path / "report.xml"

    result = gateway(api, file, "--json", "--junit", junit)

    content = json.loads(result.stdout)
    assert (result.exit_code, content["passed"], len(content["reports"])) == (1, False, 2)
    root = ET.fromstring(junit.read_text("utf-8"))  # noqa: S314 - our own
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("4", "2", "2")


def test_a_report_that_cannot_be_written_is_told(api: StubGateway, file: Path, tmp_path: Path) -> None:
    """CI must not take a missing report for a good one."""
    api.on("POST", PLAY, report("one"))

    result = gateway(api, file, "--junit", tmp_path / "no" / "report.xml")

    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "nope.yaml:0: file: there is no such file"),
        ("name: a\nsteps:\n  - reqest: {path: /}\n", "nope.yaml:3: steps[0].reqest: no such key"),
        ("name: [", "nope.yaml:1: file: it is not YAML"),
        ("\udcff", "nope.yaml:0: file: it cannot be read"),
    ],
)
def test_a_bad_file_is_exit_code_2(
    api: StubGateway, file: Path, tmp_path: Path, text: str | None, told: str
) -> None:
    """Nothing is played, of the good files neither."""
    bad = tmp_path / "nope.yaml"
    if text is not None:
        bad.write_text(text, "utf-8", "surrogateescape")

    result = gateway(api, file, bad)

    assert result.exit_code == 2
    assert told in result.stderr
    assert "remedy: " in result.stderr
    assert api.received == []


@pytest.mark.parametrize("arguments", [[], ["--name", "three"], ["--seed", "x"]])
def test_usage_is_exit_code_2(api: StubGateway, file: Path, arguments: list[str]) -> None:
    """No file, no scenario that fits, no number."""
    result = gateway(api, *([file] if arguments else []), *arguments)

    assert result.exit_code == 2
    assert api.received == []


def test_a_bad_configuration_is_exit_code_2(api: StubGateway, file: Path, tmp_path: Path) -> None:
    """``-c`` names a file like the others."""
    config = tmp_path / "gateway.yaml"
    config.write_text("gateway: {lisen: 1}\n", "utf-8")

    result = gateway(api, file, "-c", config)

    assert result.exit_code == 2
    assert "gateway.yaml:1: gateway.lisen: no such key" in result.stderr
    assert "Do you mean 'listen'?" in result.stderr


def test_what_the_gateway_does_not_have_is_a_bad_file(api: StubGateway, file: Path) -> None:
    """The error names the file and the scenario."""
    error = {"error": {"code": 90_030, "message": "there is no Worker 'x'", "remedy": "Name one of these."}}
    api.on("POST", PLAY, error, 404)

    result = gateway(api, file)

    assert result.exit_code == 2
    assert f"{file}:2: one: there is no Worker 'x'" in result.stderr


@pytest.mark.parametrize("status", [409, 500, 503])
def test_a_gateway_that_refuses_is_exit_code_1(api: StubGateway, file: Path, status: int) -> None:
    """Not the file's fault."""
    error = {"error": {"code": 90_150, "message": "another is under way", "remedy": "Wait."}}
    api.on("POST", PLAY, error, status)

    result = gateway(api, file)

    assert result.exit_code == 1
    assert "another is under way" in result.stderr
