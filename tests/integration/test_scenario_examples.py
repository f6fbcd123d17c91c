"""The examples of docs/examples/ run as their readers run them: Node's test runner, and a real browser."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import yaml

from tests.dashboard.browsing import chromium
from tests.integration.edge_process import ROOT, EdgeProcess, running_edge
from tests.node import tools

EXAMPLES = ROOT / "docs" / "examples"
RUN_SECONDS = 300.0


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    """Return the sample edge on free ports; by its seed the browser's draws are no chance."""
    config = yaml.safe_load((ROOT / "config" / "gateway.yaml").read_text("utf-8"))
    with running_edge(tmp_path_factory.mktemp("examples"), config, seed=1) as running:
        yield running


def run(words: Sequence[str | Path], folder: Path, environment: Mapping[str, str]) -> str:
    """Run an example to its end, in a folder that is not ours, and return what it printed."""
    ended = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=RUN_SECONDS,
        check=False,
    )
    told = ended.stdout + ended.stderr
    assert ended.returncode == 0, told
    return told


def copied(name: str, folder: Path) -> Path:
    """Copy an example to where no configuration of ours reaches it."""
    return Path(shutil.copy(EXAMPLES / name, folder))


def test_the_node_example_runs(edge: EdgeProcess, tmp_path: Path) -> None:
    """docs/scenarios.md, with Node's test runner."""
    before = edge.api.deployment("shop", "active")["versions"]

    told = run(
        [tools.node(), "--test", "--test-reporter=spec", copied("rollout.test.mjs", tmp_path)],
        tmp_path,
        {"GATEWAY_CONTROL": edge.control},
    )

    assert "pass 3" in told
    assert edge.api.deployment("shop", "active")["versions"] == before


def test_the_browser_example_runs(edge: EdgeProcess, tmp_path: Path) -> None:
    """docs/scenarios.md, with Playwright: thirty loads at 50/50 without a key miss a script, with a key none."""
    before = edge.api.deployment("shop", "active")["versions"]

    told = run(
        [sys.executable, "-m", "pytest", "-q", copied("test_rollout_in_a_browser.py", tmp_path)],
        tmp_path,
        {"GATEWAY_CONTROL": edge.control, "CHROMIUM": chromium()},
    )

    assert "2 passed" in told
    assert edge.api.deployment("shop", "active")["versions"] == before
