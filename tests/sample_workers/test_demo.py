"""``make demo`` goes as it is told, for real: it checks itself, and ends with 1 where anything differs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_demo_goes_as_told() -> None:
    """Issue D, the demo: pages break, the key cures them, health says roll back, nothing is lost."""
    told = subprocess.run(
        [sys.executable, "-m", "sample_workers.demo", "--no-pause", "--no-browser", "--free-ports"],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False, env={**os.environ, "COLUMNS": "120"},
    )  # fmt: skip

    assert told.returncode == 0, told.stdout + told.stderr
    broken = int(re.findall(r"(\d+) of 60 pages are broken", told.stdout)[0])
    incidents = [int(count) for count in re.findall(r"^asset skew .* x(\d+)$", told.stdout, re.MULTILINE)]
    assert sum(incidents) == broken
    for line in (
        "All 60 pages are whole",
        "No skew was found in 120 requests",
        "ROLL BACK",
        "Exit code 4",
        "all whole, all on v1",
    ):
        assert line in told.stdout
