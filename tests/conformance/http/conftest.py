"""A real gateway in a process of its own, in front of the recording origin; one for all cases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.conformance.http.origin import Origin
from tests.integration.edge_process import EdgeProcess


@dataclass(frozen=True)
class _Proxied:
    origin: Origin
    host: str
    port: int


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def proxied_origin(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[_Proxied]:
    """Start origin and gateway; every host leads to the one version behind."""
    origin = Origin()
    await origin.start()
    version = {"tag": "v1", "url": f"http://127.0.0.1:{origin.port}"}
    worker = {"name": "origin", "routes": ["*/*"], "versions": [version], "deployment": {"v1": 100}}
    edge = EdgeProcess(tmp_path_factory.mktemp("conformance"), {"workers": [worker]})
    edge.start()
    address = urlsplit(edge.url)
    yield _Proxied(origin, address.hostname or "", address.port or 0)
    edge.close()
    await origin.stop()
