"""Waiting for something to become true, with an upper bound and never a fixed pause."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, TypeVar

PATIENCE_SECONDS: Final = 30.0
"""Far more than any of it takes, so that a loaded machine fails no test; one that passes never waits so long."""

_POLL_SECONDS: Final = 0.01

Found = TypeVar("Found")


def wait_for(look: Callable[[], Found | None], what: str, seconds: float = PATIENCE_SECONDS) -> Found:
    """Return what ``look`` returns, once that is true.

    Raises:
        AssertionError: It was not in time; ``what`` says what was waited for.
    """
    give_up_at = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < give_up_at, f"after {seconds:g} s still waiting for {what} (got {found!r})"
        time.sleep(_POLL_SECONDS)
    return found


async def eventually(look: Callable[[], Found | None], what: str, seconds: float = PATIENCE_SECONDS) -> Found:
    """Like ``wait_for``, for tests whose own servers must go on meanwhile."""
    give_up_at = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < give_up_at, f"after {seconds:g} s still waiting for {what} (got {found!r})"
        await asyncio.sleep(_POLL_SECONDS)
    return found
