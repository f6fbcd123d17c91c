"""Fixtures: one browser for all tests of the dashboard, and the sample edge that most of them look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.dashboard.browsing import opened, running_browser
from tests.integration.conftest import start_edge
from tests.integration.edge_process import EdgeProcess, running_edge, version

__all__ = ["start_edge"]

Open = Callable[..., AbstractContextManager[Page]]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser; ended with each module, for an event loop runs in this thread as long as it lives."""
    with running_browser() as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser) -> Open:
    """Return what opens a view of an edge, as a context: an edge, ``"shop/tail"``, options of ``opened``."""

    def visit(edge: EdgeProcess, view: str = "", **more: Any) -> AbstractContextManager[Page]:
        return opened(browser, f"{edge.control}/#/{view}", **more)

    return visit


def two_workers(**percentages: float) -> dict[str, object]:
    """Return a configuration: ``shop`` without objects, ``counter`` with them; two versions each."""
    split = percentages or {"v1": 90, "v2": 10}
    plain = [
        version("v1", "facts_version", message="as it was"),
        version("v2", "facts_version", message="new checkout"),
    ]
    objects = [version(tag, "objects_version") for tag in ("v1", "v2")]
    binding = {"class": "Counter", "object": "path:/counter/{name}"}
    return {
        "workers": [
            {"name": "shop", "routes": ["*/*"], "versions": plain, "deployment": split},
            {
                "name": "counter",
                "versions": objects,
                "deployment": {"v1": 50, "v2": 50},
                "durable_objects": {"assignment": "sticky", "bindings": [binding]},
            },
        ]
    }


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    """A running edge with ``two_workers``."""
    with running_edge(tmp_path_factory.mktemp("edge"), two_workers(), seed=7) as edge:
        yield edge


@pytest.fixture
def fresh_edge(tmp_path: Path) -> Iterator[EdgeProcess]:
    """The same for one test alone, which changes what lasts."""
    with running_edge(tmp_path / "edge", two_workers(), seed=7) as edge:
        yield edge
