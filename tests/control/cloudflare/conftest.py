"""Cloudflare's API for every test of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.control.cloudflare.api import Api, cloudflare_api


@pytest_asyncio.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """Return the API on an empty store."""
    async with cloudflare_api(tmp_path) as served:
        yield served
