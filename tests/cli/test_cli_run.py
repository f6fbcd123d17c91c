"""``gateway run`` and ``gateway check``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli.main import cli
from gateway.cli.session import Start, Terminal
from gateway.errors import StateInUse

START = Start(Terminal(), {})

CONFIG = """\
workers:
  - name: shop
    routes: ["shop.localhost/*"]
    versions:
      - {tag: v1, url: "http://127.0.0.1:9101"}
      - {tag: v2, url: "http://127.0.0.1:9102"}
    deployment: {v1: 87.5, v2: 12.5}
"""


class FakeServing(ModuleType):
    """Stands for the whole gateway, and keeps what it was told."""

    def __init__(self, outcome: int | BaseException = 0) -> None:
        super().__init__("gateway.serving")
        self.outcome = outcome
        self.told: dict[str, Any] = {}

    def run(self, config: Path | None, **options: Any) -> int:
        """Do what the test wants."""
        self.told = {"config": config, **options}
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


def assemble(monkeypatch: pytest.MonkeyPatch, outcome: int | BaseException = 0) -> FakeServing:
    """Put the fake in the place of the gateway."""
    fake = FakeServing(outcome)
    monkeypatch.setitem(sys.modules, "gateway.serving", fake)
    return fake


def test_run_passes_its_options_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As they are given; the gateway judges them."""
    fake = assemble(monkeypatch)
    config = tmp_path / "mine.yaml"

    arguments = ["-c", str(config), "--port", "0", "--control-port", "9999", "--state", "here", "--seed", "-7"]
    result = CliRunner().invoke(cli, ["run", *arguments], obj=START)

    assert result.exit_code == 0, result.output
    assert fake.told == {"config": config, "port": 0, "control_port": 9999, "state": Path("here"), "seed": -7}


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        ([], None),
        (["gateway.yaml"], Path("gateway.yaml")),
        (["config/gateway.yaml", "gateway.yaml"], Path("config/gateway.yaml")),
    ],
)
def test_run_finds_its_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, files: list[str], chosen: Path | None
) -> None:
    """config/gateway.yaml, else gateway.yaml, else none."""
    fake = assemble(monkeypatch)
    monkeypatch.chdir(tmp_path)
    for name in files:
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()

    result = CliRunner().invoke(cli, ["--state", "there", "run"], obj=START)

    assert result.exit_code == 0, result.output
    nothing = {"port": None, "control_port": None, "seed": None}
    assert fake.told == {"config": chosen, "state": Path("there"), **nothing}


@pytest.mark.parametrize(
    ("outcome", "code", "text"),
    [
        (0, 0, ""),
        (3, 3, ""),
        (KeyboardInterrupt(), 130, ""),
        (StateInUse(Path(".gateway"), 12), 1, "in use by the gateway with pid 12"),
    ],
)
def test_run_ends_with_the_gateways_exit_code(
    monkeypatch: pytest.MonkeyPatch, outcome: int | BaseException, code: int, text: str
) -> None:
    """An error of ours is told with its remedy, never as a traceback."""
    assemble(monkeypatch, outcome)

    result = CliRunner().invoke(cli, ["run"], obj=START)

    assert result.exit_code == code
    assert text in result.stderr


@pytest.mark.parametrize("arguments", [["--port", "70000"], ["--port", "x"], ["--seed", "1.5"], ["extra"]])
def test_run_refuses_options_that_make_no_sense(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    """Exit code 2; nothing is started."""
    fake = assemble(monkeypatch)

    assert CliRunner().invoke(cli, ["run", *arguments], obj=START).exit_code == 2
    assert fake.told == {}


def test_check_sums_up_what_is_configured(tmp_path: Path) -> None:
    """'FILE: ok', then a line for each Worker."""
    file = tmp_path / "gateway.yaml"
    file.write_text(CONFIG)

    result = CliRunner().invoke(cli, ["check", str(file)], obj=START)

    assert result.exit_code == 0, result.output
    assert result.stdout == (
        f"{file}: ok\n  shop: versions v1, v2; deployment v1 87.5%, v2 12.5%; routes shop.localhost/*\n"
    )


def test_check_as_json(tmp_path: Path) -> None:
    """The same, for a program."""
    file = tmp_path / "gateway.yaml"
    file.write_text(CONFIG)

    found = json.loads(CliRunner().invoke(cli, ["check", str(file), "--json"], obj=START).stdout)

    assert (found["file"], found["ok"]) == (str(file), True)
    (worker,) = found["workers"]
    assert (worker["name"], worker["routes"]) == ("shop", ["shop.localhost/*"])
    assert [version["tag"] for version in worker["versions"]] == ["v1", "v2"]
    assert [share["percentage"] for share in worker["deployment"]] == [87.5, 12.5]


@pytest.mark.parametrize(("content", "place"), [("workers: 7\n", ":1: workers:"), (None, "no such file")])
def test_check_names_the_place_and_the_remedy(tmp_path: Path, content: str | None, place: str) -> None:
    """Every error names file, line, key and remedy; exit code 1."""
    file = tmp_path / "gateway.yaml"
    if content is not None:
        file.write_text(content)

    result = CliRunner().invoke(cli, ["check", str(file)], obj=START)

    assert result.exit_code == 1
    assert place in result.stderr
    assert "remedy: " in result.stderr
    assert result.stdout == ""
