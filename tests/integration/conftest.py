"""Fixtures: gateways in processes of their own that are surely ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.integration.edge_process import EdgeProcess, running_edge

StartEdge = Callable[..., EdgeProcess]


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
