"""The tests of our JavaScript, ``*.test.mjs`` beside this file, by Node's own runner."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.node import tools

FILES = sorted(Path(__file__).parent.glob("*.test.mjs"))


@pytest.mark.parametrize("file", FILES, ids=[file.name for file in FILES])
def test_javascript(file: Path) -> None:
    """Its report is the message where one of its tests fails."""
    ended = subprocess.run(
        [tools.node(), "--test", "--test-reporter=spec", file],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_there_are_some() -> None:
    """A folder that lost its files would pass unseen."""
    assert FILES
