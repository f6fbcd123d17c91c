"""Fixtures: gateways in processes of their own that are surely ended."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.integration.edge_process import EdgeProcess, one_worker, running_edge
from tests.integration.scripted_origin import new_listener

StartEdge = Callable[..., EdgeProcess]


@pytest.fixture(scope="module")
def listener() -> Iterator[socket.socket]:
    """The port of the version behind ``scripted_edge``; each test plays it by a script of its own."""
    with new_listener() as listener:
        yield listener


@pytest.fixture(scope="module")
def scripted_edge(tmp_path_factory: pytest.TempPathFactory, listener: socket.socket) -> Iterator[EdgeProcess]:
    """A gateway for many tests with ``scripted_origin(..., listener=listener)``; sees early that a client left."""
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    times = {"half_closed_seconds": 0.2}
    config = one_worker([{"tag": "v1", "url": url}], {"v1": 100}, gateway={"timeouts": times})
    with running_edge(tmp_path_factory.mktemp("scripted"), config) as edge:
        yield edge


@pytest.fixture
def start_edge(tmp_path: Path) -> Iterator[StartEdge]:
    """Return a function that starts a gateway from a configuration; all are ended with the test."""
    with ExitStack() as stack:
        count = 0

        def start(config: dict[str, object], **more: Any) -> EdgeProcess:
            nonlocal count
            count += 1
            folder = more.pop("folder", tmp_path / f"edge-{count}")
            return stack.enter_context(running_edge(folder, config, **more))

        yield start
