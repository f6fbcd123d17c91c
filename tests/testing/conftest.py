"""What the tests of the plugin share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def log_of_nobody() -> Iterator[None]:
    """Begin where a project begins that sets up no log: other tests of ours leave theirs behind."""
    before = structlog.get_config() if structlog.is_configured() else None
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()
    if before is not None:
        structlog.configure(**before)
