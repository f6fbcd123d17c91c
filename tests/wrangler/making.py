"""Projects to deploy, and tests that run with both wranglers."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from tests.integration.edge_process import EdgeProcess
from tests.node import tools
from tests.wrangler.wrangler import Project

NEWEST: Final = "4.164.0"
OLD: Final = "4.86.0"

MakeProject = Callable[..., Project]
"""Makes a project with its wrangler: source folder, name of the Worker, other keys of its configuration."""


def edge_with_workerd(folder: Path) -> Path:
    """Return a gateway's folder with a workerd beside its configuration, as a user's project has one."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "node_modules").symlink_to(tools.folder_of_newest_workerd() / "node_modules")
    return folder


def worker_name(name: str, version: str) -> str:
    """Return the Worker's name for one wrangler: two must not meet in one Worker."""
    return f"{name}-{version.replace('.', '-')}"


def project_maker(folder: Path, edge: EdgeProcess, version: str) -> MakeProject:
    """Return what makes projects for one wrangler."""

    def make(source: str, name: str, **config: Any) -> Project:
        name = worker_name(name, version)
        return Project(folder / name / "project", edge, version, source, name, **config)

    return make


def with_both_wranglers(test: Callable[[MakeProject], None]) -> Callable[[Path, EdgeProcess], None]:
    """Make a test run with both wranglers, at the same time: most of it is one core that starts Node."""

    def run(tmp_path: Path, edge: EdgeProcess) -> None:
        in_both(lambda version: test(project_maker(tmp_path, edge, version)))

    run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
    return run


def in_both(act: Callable[[str], object]) -> None:
    """Do something with both wranglers at the same time.

    Raises:
        Exception: The first that came of it, with a note that says with which wrangler.
    """
    with ThreadPoolExecutor(2) as pool:
        running = {version: pool.submit(act, version) for version in (NEWEST, OLD)}
    for version, done in running.items():
        _raise_of(done, f"with wrangler {version}")


def _raise_of(done: Future[object], note: str) -> None:
    error = done.exception()
    if error is not None:
        error.add_note(note)
        raise error
