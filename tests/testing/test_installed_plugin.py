"""The plugin as a user gets it: our wheel and pytest in an environment of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from tests.testing.projects import README, ROOT, examples

LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")


NAMED = """
from importlib.metadata import entry_points
from pathlib import Path

import gateway
import gateway.testing.plugin


def test_named(pytestconfig):
    (point,) = (one for one in entry_points(group="pytest11") if one.dist.name == "gradual-gateway")
    assert point.name == "pytest-gradual-gateway"
    assert pytestconfig.pluginmanager.get_plugin(point.name) is gateway.testing.plugin
    assert "site-packages" in Path(gateway.__file__).parts
"""


def in_environment(python: Path, *arguments: str, folder: Path) -> str:
    """Run a module of an environment, and return what it printed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
    done = subprocess.run(
        [str(python), "-m", *arguments],
        cwd=folder,
        env=clean,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_examples_run_where_only_our_wheel_and_pytest_are_installed(tmp_path: Path) -> None:
    """Issue 5, "the plugin in a project of its own": README as it is, then docs/testing.md with pytest-asyncio.

    It downloads packages: some ten seconds, a minute on a busy machine.
    """
    source, project = tmp_path / "source", tmp_path / "project"
    project.mkdir()
    shutil.copytree(ROOT / "gateway", source / "gateway", ignore=LEFT_OUT)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    in_environment(
        Path(sys.executable), "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(source), folder=tmp_path
    )
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    in_environment(python, "pip", "install", "-q", str(wheel), "pytest", folder=project)

    (readme,) = examples(README)
    coroutines, plain = examples()
    (project / "test_readme.py").write_text(readme, "utf-8")
    (project / "test_plain.py").write_text(plain, "utf-8")
    (project / "test_named.py").write_text(NAMED, "utf-8")
    assert "5 passed" in in_environment(python, "pytest", "-q", "-W", "error", folder=project)
    without = in_environment(python, "pytest", "-p", "no:pytest-gradual-gateway", "--markers", folder=project)
    assert "version_matrix" not in without
    assert "version_matrix" in in_environment(python, "pytest", "--markers", folder=project)

    in_environment(python, "pip", "install", "-q", "pytest-asyncio", folder=project)
    (project / "test_coroutines.py").write_text(coroutines, "utf-8")
    assert "10 passed" in in_environment(python, "pytest", "-q", folder=project)
