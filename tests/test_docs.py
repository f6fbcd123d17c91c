"""The docs say what there is: every setting, path and cause has its place."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from gateway.control.client import ScenarioReport
from gateway.observability.event_views import event_view
from gateway.observability.events import KIND_OF, Event, EventKind
from gateway.observability.figures import ERROR_CAUSES
from gateway.scenarios.parse import ALL_KEYS, SCENARIO_KEYS, STEP_KINDS
from gateway.scenarios.parse_request import EXPECT_KEYS, REQUEST_KEYS
from gateway.settings import ProxySettings
from tests.control.schemas import openapi, resolved
from tests.observability.examples import EACH

SCENARIO_WORDS = [
    *SCENARIO_KEYS, *STEP_KINDS, *ALL_KEYS, *REQUEST_KEYS, *EXPECT_KEYS, "count", "keys", "sessions",
    *sorted(ScenarioReport.__required_keys__),
]  # fmt: skip
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
EVENT_PARAMETERS = [
    resolved(openapi(), one)["name"] for one in openapi()["paths"]["/api/events"]["get"]["parameters"]
]
METRICS = sorted(
    set(re.findall(r'"(gateway_\w+)"', (ROOT / "gateway/observability/exposition.py").read_text("utf-8")))
)
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


@pytest.mark.parametrize("event", EACH, ids=lambda event: KIND_OF[type(event)])
def test_every_event_and_field_is_documented(event: Event) -> None:
    """Style, docs are tested: a heading for each kind, and under it each field by the name it has in JSON."""
    parts = re.split(r"^#+ ", (DOCS / "observability.md").read_text("utf-8"), flags=re.MULTILINE)
    sections = {part.partition("\n")[0]: part for part in parts}
    section = sections[KIND_OF[type(event)]]

    assert [name for name in event_view(event, redact=True) if f"`{name}`" not in section] == []


@pytest.mark.parametrize("word", [*EventKind, "missed", *ERROR_CAUSES, *EVENT_PARAMETERS])
def test_every_word_of_the_events_is_documented(word: str) -> None:
    """Style, docs are tested: kinds, causes of errors, parameters."""
    text = (DOCS / "observability.md").read_text("utf-8")

    assert f"#### {word}\n" in text or f"`{word}`" in text


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_documented(name: str) -> None:
    """Style, docs are tested: what a scraper reads."""
    assert f"`{name}" in (DOCS / "observability.md").read_text("utf-8")


@pytest.mark.parametrize("word", dict.fromkeys(SCENARIO_WORDS))
def test_every_word_of_scenarios_is_documented(word: str) -> None:
    """Style, docs are tested: each key of the language, with the step that it belongs to."""
    assert re.search(rf"`{word}`|^### .*\b{word}\b", (DOCS / "scenarios.md").read_text("utf-8"), re.MULTILINE)


def test_every_word_of_scenarios_is_in_the_api() -> None:
    """The schema of a scenario and the reader of its files know the same keys."""
    schemas = openapi()["components"]["schemas"]
    request = schemas["ScenarioRequest"]["properties"]
    step = schemas["ScenarioStep"]["properties"]

    assert set(schemas["Scenario"]["properties"]) == set(SCENARIO_KEYS)
    assert set(step) == set(STEP_KINDS)
    assert set(step["expect"]["properties"]) == set(ALL_KEYS)
    assert set(request) == set(REQUEST_KEYS)
    assert set(request["expect"]["properties"]) == set(EXPECT_KEYS)


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
