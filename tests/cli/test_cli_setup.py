"""``gateway setup workerd`` with the real npm, and with one that fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.runtime.workerd.binary import find_workerd
from gateway.runtime.workerd.places import PINNED_VERSION, cache_folder, installed_folder
from tests.node import tools


def setup_workerd(cache_home: Path, *options: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache_home)}
    if path is not None:
        environment["PATH"] = path
    return subprocess.run(
        [sys.executable, "-m", "gateway", "setup", "workerd", *options],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


def folder_of(cache_home: Path) -> Path:
    """Return where it is to be installed."""
    return installed_folder(cache_folder({"XDG_CACHE_HOME": str(cache_home)}, Path.home()))


def inode(folder: Path) -> int:
    """Tell one installation from the next."""
    return folder.stat().st_ino


def left_behind(folder: Path) -> list[str]:
    """Return what else lies beside the installation, but for the lock."""
    return [path.name for path in folder.parent.iterdir() if path != folder and path.name != ".lock"]


@pytest.fixture(scope="module")
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with workerd in it, as the real npm installs it."""
    cache_home = tmp_path_factory.mktemp("cache")
    ended = setup_workerd(cache_home)
    assert ended.returncode == 0, ended.stderr
    assert f"workerd@{PINNED_VERSION}" in ended.stderr
    assert str(folder_of(cache_home)) in ended.stdout
    return cache_home


def test_what_is_installed_is_found_and_runs(cache_home: Path, tmp_path: Path) -> None:
    """A gateway that finds no workerd in any node_modules uses this one."""
    found = find_workerd(None, [tmp_path], {"XDG_CACHE_HOME": str(cache_home)})

    assert found.path.is_relative_to(folder_of(cache_home))
    assert found.version.replace("-", "") == PINNED_VERSION.split(".")[1]
    assert left_behind(folder_of(cache_home)) == []


def test_a_second_time_says_that_it_is_there(cache_home: Path) -> None:
    """Nothing is to be done, so npm is not needed; that is no error."""
    before = inode(folder_of(cache_home))

    ended = setup_workerd(cache_home, path="")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert "installed already" in ended.stdout
    assert str(folder_of(cache_home)) in ended.stdout
    assert inode(folder_of(cache_home)) == before


def test_force_installs_it_again(cache_home: Path) -> None:
    """A broken one is mended without deleting anything by hand."""
    before = inode(folder_of(cache_home))

    ended = setup_workerd(cache_home, "--force")

    assert ended.returncode == 0, ended.stderr
    assert inode(folder_of(cache_home)) != before
    assert left_behind(folder_of(cache_home)) == []


def test_one_that_does_not_run_is_replaced(cache_home: Path) -> None:
    """A disk that was full, say; and what a killed installation left is cleared away."""
    found = find_workerd(None, [cache_home], {"XDG_CACHE_HOME": str(cache_home)})
    found.path.write_bytes(b"")
    (folder_of(cache_home).parent / ".draft-of-a-killed-one/new").mkdir(parents=True)

    ended = setup_workerd(cache_home)

    assert ended.returncode == 0, ended.stderr
    assert "is installed:" in ended.stdout
    assert left_behind(folder_of(cache_home)) == []


def test_without_npm_it_says_what_to_install(tmp_path: Path) -> None:
    """Exit code 1, what is missing and the remedy; nothing is left behind."""
    ended = setup_workerd(tmp_path, path=str(tmp_path))

    assert ended.returncode == 1
    assert "npm was not found" in ended.stderr
    assert "remedy: Install Node.js" in ended.stderr
    assert not folder_of(tmp_path).exists()


def npm_that(folder: Path, script: str) -> str:
    """Return a ``PATH`` with an npm of our own."""
    npm = folder / "bin/npm"
    npm.parent.mkdir()
    npm.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    npm.chmod(0o755)
    return f"{npm.parent}{os.pathsep}{os.defpath}"


def test_when_npm_fails_its_last_lines_are_shown(tmp_path: Path) -> None:
    """Only npm knows why: no network, a proxy, a registry that lacks it."""
    path = npm_that(tmp_path, "seq 40\necho 'npm error code ENOTFOUND' >&2\nexit 7")

    ended = setup_workerd(tmp_path, path=path)

    assert ended.returncode == 1
    assert f"npm install workerd@{PINNED_VERSION} ended with 7" in ended.stderr
    assert "  40\n  npm error code ENOTFOUND\n" in ended.stderr
    assert "  20\n" not in ended.stderr
    assert not folder_of(tmp_path).exists()
    assert left_behind(folder_of(tmp_path)) == []


def test_an_installation_without_a_binary_is_no_success(tmp_path: Path) -> None:
    """So ends npm where optional packages are switched off."""
    ended = setup_workerd(tmp_path, path=npm_that(tmp_path, "exit 0"))

    assert ended.returncode == 1
    assert "no binary for this machine" in ended.stderr
    assert not folder_of(tmp_path).exists()


def test_a_failure_leaves_the_old_one_alone(tmp_path: Path) -> None:
    """It is replaced only by one that was tried."""
    old = folder_of(tmp_path) / "node_modules/workerd/bin/workerd"
    old.parent.mkdir(parents=True)
    old.write_text("#!/bin/sh\necho workerd 2026-11-17\n", "utf-8")
    old.chmod(0o755)

    ended = setup_workerd(tmp_path, "--force", path=npm_that(tmp_path, "exit 1"))

    assert ended.returncode == 1
    assert find_workerd(None, [tmp_path], {"XDG_CACHE_HOME": str(tmp_path)}).path == old


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """With its path and a remedy."""
    (tmp_path / "gradual-gateway").write_text("", "utf-8")

    ended = setup_workerd(tmp_path)

    assert ended.returncode == 1
    assert f"{tmp_path}/gradual-gateway/workerd cannot be written" in ended.stderr
    assert "XDG_CACHE_HOME" in ended.stderr


def test_the_pin_is_the_workerd_that_the_tests_run_on() -> None:
    """What users get is what was tested."""
    tested = json.loads((tools.FOLDER / "package.json").read_text("utf-8"))["devDependencies"]["workerd"]

    assert tested == PINNED_VERSION
