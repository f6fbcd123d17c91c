"""The sample scenarios on the real sample edge, and ``gateway test`` as CI runs it, with an edge of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from gateway.control.client import ApiError
from gateway.scenarios.reading import Written, parse_scenarios
from tests.integration.edge_process import ROOT, EdgeProcess, running_edge

FILES = sorted((ROOT / "config" / "scenarios").glob("*.yaml"))
SCENARIOS = [
    pytest.param(written, id=written.scenario.name)
    for path in FILES
    for written in parse_scenarios(path.read_text("utf-8"), path)
]
CONFIG = ROOT / "config" / "gateway.yaml"
PLAY_SECONDS = 300.0


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    """Return the sample edge on free ports."""
    config = yaml.safe_load(CONFIG.read_text("utf-8"))
    with running_edge(tmp_path_factory.mktemp("sample"), config) as running:
        yield running


def gateway(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    words = [sys.executable, "-m", "gateway", *map(str, arguments)]
    return subprocess.run(
        words, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=PLAY_SECONDS, check=False
    )


@pytest.mark.parametrize("written", SCENARIOS)
def test_a_sample_scenario_passes_the_same_way_each_time(edge: EdgeProcess, written: Written) -> None:
    """docs/scenarios.md shows them: what they claim of the sample Workers is so, and repeats byte for byte."""
    active = edge.api.deployment("shop", "active")["versions"]

    reports = [edge.api.play(written.content) for _ in range(3)]

    assert reports[0]["failures"] == []
    assert reports[0]["passed"]
    assert len({json.dumps(report) for report in reports}) == 1
    assert edge.api.deployment("shop", "active")["versions"] == active


@pytest.mark.parametrize("written", SCENARIOS)
def test_a_sample_scenario_passes_with_any_seed(edge: EdgeProcess, written: Written) -> None:
    """They tell of versions, not of luck."""
    for seed in (11, 12, 13):
        assert edge.api.play(written.content | {"seed": seed})["failures"] == []


def test_the_broken_pages_are_all_found(edge: EdgeProcess) -> None:
    """The scenario's detector misses none of its requests: what is counted as broken is what it found."""
    (first, *_) = parse_scenarios(FILES[0].read_text("utf-8"), FILES[0])
    report = edge.api.play(first.content)

    broken = sum(one["count"] for one in report["steps"][1]["answers"] if one["status"] == 404)
    found = {one["what"]: one["count"] for one in report["skew"] if one["kind"] == "asset_skew"}
    assert broken == sum(found.values()) > 0
    assert found.keys() == {"/bundle-v1.js", "/bundle-v2.js"}


def test_ci_runs_them_on_an_edge_of_its_own(tmp_path: Path) -> None:
    """``-c``: free ports, a state that is gone afterwards, JUnit for CI, exit code 0."""
    junit = tmp_path / "report.xml"
    played = gateway("test", *FILES, "-c", CONFIG, "--junit", junit, "--seed", "3")

    assert played.returncode == 0, played.stdout + played.stderr
    assert f"{len(SCENARIOS)} scenarios: all passed" in played.stdout
    suites = list(ET.fromstring(junit.read_text("utf-8")))  # noqa: S314 - our own
    assert [suite.get("failures") for suite in suites] == ["0"] * len(SCENARIOS)


def test_two_edges_give_the_same_reports() -> None:
    """Ports, pids, ids of deployments and time differ; the reports do not."""
    played = [gateway("test", FILES[0], "-c", CONFIG, "--json") for _ in range(2)]

    assert [one.returncode for one in played] == [0, 0], played[0].stderr
    assert played[0].stdout == played[1].stdout


def test_a_failure_tells_how_to_repeat_it_and_does(edge: EdgeProcess, tmp_path: Path) -> None:
    """Exit code 1; with the seed that is printed, the very same fails again."""
    wrong: dict[str, Any] = {
        "name": "pages never break",
        "worker": "shop",
        "steps": [
            {"deploy": {"v1": 50, "v2": 50}},
            {"requests": {"path": "/", "files": True, "count": 40}},
            {"expect": {"broken_files_at_most": 0}},
        ],
    }
    file = tmp_path / "wrong.json"
    file.write_text(json.dumps(wrong), "utf-8")

    first = gateway("--control", edge.control, "test", file)
    seed = first.stdout.rpartition("--seed ")[2].split()[0]
    again = gateway("--control", edge.control, "test", file, "--seed", seed)

    assert (first.returncode, again.returncode) == (1, 1)
    assert first.stdout == again.stdout
    assert "expected 0 broken files at most, seen " in first.stdout
    assert f"(seed {seed})" in first.stdout


def test_an_edge_that_does_not_start_tells_why(tmp_path: Path) -> None:
    """What it printed, and exit code 1: the scenarios were not to blame."""
    config = tmp_path / "gateway.yaml"
    config.write_text(
        "workers:\n  - name: shop\n    routes: ['*/*', 'a/*']\n    versions:\n"
        "      - {tag: v1, wrangler: nowhere/wrangler.jsonc}\n",
        "utf-8",
    )

    played = gateway("test", FILES[0], "-c", config)

    assert played.returncode == 1, played.stdout
    assert "the edge ended by itself" in played.stderr
    assert "nowhere/wrangler.jsonc" in played.stderr


def test_a_worker_that_is_not_there_is_refused(edge: EdgeProcess) -> None:
    """The API's own words, with those that there are."""
    with pytest.raises(ApiError, match=r"no Worker 'shoop' \(there are: shop, counter\)"):
        edge.api.play({"name": "a", "worker": "shoop", "steps": [{"request": {"path": "/"}}]})
