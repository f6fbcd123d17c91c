"""Projects of somebody else, made and run by ``pytester``."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

import pytest

# Imported before pytester looks which modules there are: what it finds afterwards it would load anew for each run.
import gateway.testing.edge
import gateway.testing.matrix
import gateway.testing.sync_edge  # noqa: F401
from tests.integration.workers_api import workerd

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs" / "testing.md"
README: Final = ROOT / "README.md"
MODULE: Final = "gateway.testing.plugin"

SHOP: Final = """
import pytest
from aiohttp import web
from gateway.testing import *

def make(tag):
    def app():
        async def hello(request):
            return web.Response(text=tag)
        app = web.Application()
        app.router.add_get("/{tail:.*}", hello)
        return app
    return app

@pytest.fixture
def shop(edge):
    edge.worker("shop", v1=make("v1"), v2=make("v2"))
    return edge
"""


def run(
    pytester: pytest.Pytester, test: str, *arguments: str, mode: str = "auto", head: str = SHOP
) -> pytest.RunResult:
    """Run a project of one test file, with warnings as errors."""
    configure(pytester, mode)
    pytester.makepyfile(head + test)
    # Hypothesis would be imported anew for each project, which takes longer than all its tests.
    return pytester.runpytest_inprocess(*plugin(), "-p", "no:hypothesispytest", *arguments)


def configure(pytester: pytest.Pytester, mode: str = "auto") -> None:
    """Set pytest up as a careful project does."""
    pytester.makepyprojecttoml(
        f"""
        [tool.pytest.ini_options]
        asyncio_mode = "{mode}"
        asyncio_default_fixture_loop_scope = "function"
        addopts = ["--strict-markers", "--strict-config"]
        filterwarnings = ["error"]
        gateway_workerd = "{workerd()}"
        """
    )


def plugin() -> list[str]:
    """Return what loads the plugin; nothing where the package was installed since it has an entry point."""
    installed = any(point.value == MODULE for point in entry_points(group="pytest11"))
    return [] if installed else ["-p", MODULE]


def examples(page: Path = DOCS) -> list[str]:
    """Return the programs of a page."""
    return [block.split("```")[0] for block in page.read_text("utf-8").split("```python\n")[1:]]
