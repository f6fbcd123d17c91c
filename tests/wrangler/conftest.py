"""A gateway that knows no Worker yet, and projects to deploy to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.edge_process import EdgeProcess, running_edge
from tests.node import tools
from tests.wrangler.wrangler import Project

MakeProject = Callable[..., Project]

NEWEST = "4.164.0"
OLD = "4.86.0"


def edge_with_workerd(folder: Path) -> Path:
    """Return a gateway's folder with a workerd beside its configuration, as a user's project has one."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "node_modules").symlink_to(tools.folder_of_newest_workerd() / "node_modules")
    return folder


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    """One gateway for the tests of a file; its configuration says nothing, all comes from wrangler."""
    with running_edge(edge_with_workerd(tmp_path_factory.mktemp("edge")), {}) as edge:
        yield edge


@pytest.fixture(params=[NEWEST, OLD])
def version(request: pytest.FixtureRequest) -> str:
    """The wrangler to use; each test runs with both."""
    return str(request.param)


@pytest.fixture
def make_project(tmp_path: Path, edge: EdgeProcess, version: str) -> MakeProject:
    """Return a function that makes a project with its wrangler: source folder, name of the Worker, other keys."""

    def make(source: str, name: str, **config: Any) -> Project:
        # Two wranglers must not meet in one Worker.
        name = f"{name}-{version.replace('.', '-')}"
        return Project(tmp_path / name / "project", edge, version, source, name, **config)

    return make
