"""``gateway simulate`` at the terminal: table, JSON, picture, log, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli.main import cli
from gateway.cli.session import Start, Terminal

FEW = ("--sessions", "50", "--requests", "9", "--returning", "0.5", "--key-share", "0.5", "--objects", "20")


def simulate(*arguments: str, terminal: Terminal | None = None, stdin: str | None = None) -> Result:
    start = Start(terminal or Terminal(), {})
    return CliRunner().invoke(cli, ["simulate", *arguments], obj=start, input=stdin)


def test_each_step_is_a_line_and_each_choice_another() -> None:
    """Issue D: a table, and plans compared."""
    result = simulate("--plan", "10,50%,100", *FEW, "--compare")
    lines = result.stdout.splitlines()

    assert result.exit_code == 0, result.stderr
    assert [line.split()[0] for line in lines[2:5]] == ["10%", "50%", "100%"]
    assert "n = ln(1 - c) / ln(1 - x), here 299 of its own." in result.stdout
    assert [line for line in lines if line.startswith("order swapped at each step")]


def test_json_is_the_same_for_the_same_seed() -> None:
    """Issue D: byte for byte."""
    first, again, other = (simulate(*FEW, "--json", "--compare", "--seed", seed) for seed in ("1", "1", "2"))
    content = json.loads(first.stdout)

    assert first.stdout == again.stdout != other.stdout
    assert [step["percentage"] for step in content["steps"]] == [5, 10, 25, 50, 100]
    assert content["totals"] == content["compared"][0]["totals"]


def test_columns_without_content_are_left_out() -> None:
    """Without keys, objects and returning users the table says nothing of them."""
    heading = simulate("--sessions", "5").stdout.splitlines()[1]

    assert heading.split("  ")[0] == "new"
    assert not any(word in heading for word in ("keys", "objects", "returning"))


def test_the_picture_is_an_svg(tmp_path: Path) -> None:
    """Issue D: a picture of the plan."""
    assert simulate(*FEW, "--picture", str(tmp_path / "plan.svg")).exit_code == 0
    assert (tmp_path / "plan.svg").read_text("utf-8").startswith("<svg ")


def test_progress_is_shown_to_somebody_only() -> None:
    """A bar on the terminal's stderr; nothing of it where output is for programs."""
    assert simulate(*FEW).stderr == ""
    assert simulate(*FEW, "--json", terminal=Terminal(interactive=True)).stdout.startswith("{")


def test_a_log_is_traffic_too() -> None:
    """Issue D, --from-log: the lines of the tail."""
    lines = [json.dumps({"method": "GET", "host": "h", "target": f"/{one}", "session": "s"}) for one in range(30)]
    result = simulate("--from-log", "-", "--json", "--compare", "--plan", "50", stdin="\n".join(lines))
    content = json.loads(result.stdout)

    assert content["log"] == {"sessions": 1, "requests": 30, "inferred_sessions": 0}
    assert content["steps"][0]["mixed_sessions"] == 1
    assert [one["variant"] for one in content["compared"]][:3] == ["as given", "no key", "a key for every session"]
    told = simulate("--from-log", "-", "--plan", "50", stdin="\n".join(lines)).stdout
    assert told.startswith("recorded traffic: 30 requests of 1 sessions, at each step")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--plan", "5,x"), 2, "is no plan"),
        (("--plan", "5,101"), 1, "plan: 101 is no percentage"),
        (("--sessions", "0"), 1, "sessions: 0 is too few"),
        (("--key-share", "2"), 1, "key_share: 2 is no share"),
        (("--confidence", "100"), 1, "confidence: 100 is out of range"),
        (("--picture", "plan.png"), 1, "picture: 'plan.png' does not end in .svg"),
        (("--picture", "no/such/folder/plan.svg", *FEW), 1, "cannot be written"),
        (("--session", "cookie:sid"), 2, "give --from-log FILE"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple[str, ...], code: int, says: str) -> None:
    """Exit codes as everywhere: 1 refused with a remedy, 2 usage."""
    result = simulate(*arguments)

    assert result.exit_code == code
    assert says in result.stderr
    assert code == 2 or "remedy:" in result.stderr
