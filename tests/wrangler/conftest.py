"""A gateway that knows no Worker yet, and projects to deploy to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.edge_process import EdgeProcess, running_edge
from tests.wrangler.making import NEWEST, MakeProject, edge_with_workerd, project_maker


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    """One gateway for the tests of a file; its configuration says nothing, all comes from wrangler."""
    with running_edge(edge_with_workerd(tmp_path_factory.mktemp("edge")), {}) as edge:
        yield edge


@pytest.fixture
def make_project(tmp_path: Path, edge: EdgeProcess) -> MakeProject:
    """What makes projects for the newest wrangler, where the other one does the same."""
    return project_maker(tmp_path, edge, NEWEST)
