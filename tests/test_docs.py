"""The docs say what there is: every setting, path and cause has its place."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from gateway.settings import ProxySettings

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
CONFIG_KEYS = sorted(
    {
        key
        for path in (ROOT / "gateway").glob("config_*.py")
        for keys in re.findall(r"\.mapping\(\s*\(([^)]*)\)", path.read_text("utf-8"))
        for key in re.findall(r'"(\w+)"', keys)
    }
)
TIMEOUTS = [field.name for field in fields(ProxySettings) if field.name.endswith("_seconds")]
PATHS = list(yaml.safe_load((ROOT / "gateway/control/openapi.yaml").read_text("utf-8"))["paths"])
CAUSES = re.findall(r'Signal\.\w+,\s*"([a-z-]+)"', (ROOT / "gateway/routing/overrides.py").read_text("utf-8"))


@pytest.mark.parametrize("key", [*CONFIG_KEYS, *TIMEOUTS])
def test_every_key_of_the_configuration_is_documented(key: str) -> None:
    """Style, docs are tested: configuration.md names each key that the reader knows."""
    assert re.search(rf"\b{key}\b", (DOCS / "configuration.md").read_text("utf-8"))


@pytest.mark.parametrize("path", PATHS)
def test_every_path_of_the_api_is_documented(path: str) -> None:
    """Style, docs are tested: api.md names each path of openapi.yaml, at least by its end."""
    text = (DOCS / "api.md").read_text("utf-8")

    assert path in text or path.removeprefix("/api/workers/{worker}") in text


@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_of_an_ignored_override_is_documented(cause: str) -> None:
    """R25: what Gateway-Decision says of an ignored signal can be looked up."""
    assert len(CAUSES) >= 5
    assert f"override:{cause}" in (DOCS / "routing.md").read_text("utf-8")


def test_links_between_the_docs_lead_somewhere() -> None:
    """A reader who follows a link finds the file."""
    for page in [ROOT / "README.md", *DOCS.glob("*.md")]:
        for target in re.findall(r"\]\(([\w./-]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
