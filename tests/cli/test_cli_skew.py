"""``gateway skew``, against a server that answers as the API does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner, Result

from gateway.cli.main import cli
from gateway.cli.session import Start, Terminal
from tests.cli import stub_gateway
from tests.cli.stub_gateway import V1, V2, StubGateway


@pytest.fixture
def api() -> Iterator[StubGateway]:
    """Return a gateway with one Worker, ``shop``."""
    with stub_gateway.serving() as stub:
        yield stub


def gateway(api: StubGateway, *arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, obj=Start(Terminal(), {"GATEWAY_CONTROL": api.url}))


def witness(version_id: str, label: str, path: str, status: int, **changes: Any) -> dict[str, Any]:
    """Return one of the two requests of an incident."""
    return {
        "at": "2026-11-23T10:00:00.000000+00:00",
        "ray": f"ray-{label}",
        "version_id": version_id,
        "label": label,
        "reason": "percentage",
        "point": 12.34,
        "method": "GET",
        "host": "shop.localhost",
        "path": path,
        "status": status,
        "content_type": "text/html",
        "deployment": 2,
        "object": "",
        **changes,
    }


INCIDENT = {
    "id": "0123456789abcdef",
    "kind": "asset_skew",
    "worker": "shop",
    "what": "/v1.js",
    "cause": "no-key",
    "sentence": "Neither request had an affinity key.",
    "remedy": "Send a key (R23, R84).",
    "rules": ["R24", "R84"],
    "inferred": ["session"],
    "count": 1200,
    "first_seen": "2026-11-23T10:00:00.000000+00:00",
    "last_seen": "2026-11-23T11:00:00.000000+00:00",
    "before": witness(V1, "v1", "/", 200),
    "after": witness(V2, "v2", "/v1.js", 404, point=None),
}


def skew(*incidents: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the API's answer."""
    return {
        "enabled": True,
        "since": "2026-11-23T09:00:00.000000+00:00",
        "requests": 10,
        "unseen_requests": 0,
        "incidents": list(incidents),
        **changes,
    }


def test_an_incident_is_told_with_proof_cause_and_remedy(api: StubGateway) -> None:
    """Issue D: evidence of both requests, cause, remedy with its rule; what is inferred is said."""
    api.on("GET", "/api/skew", skew(INCIDENT, unseen_requests=5))
    text = gateway(api, "skew").stdout

    assert text.splitlines()[0] == "asset skew  shop  /v1.js  x1200"
    assert "2026-11-23 10:00:00  v1  GET shop.localhost/  200  percentage at 12.3  ray-v1" in text
    assert "2026-11-23 10:00:00  v2  GET shop.localhost/v1.js  404  percentage  ray-v2" in text
    assert "Send a key (R23, R84)." in text
    assert "that one client sent both, by address and user agent" in text
    assert "10 requests since 2026-11-23 09:00:00; 5 more came too fast to be looked at" in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [({}, "No skew was found in 10 requests since 2026-11-23 09:00:00."), ({"enabled": False}, "`skew.enabled`")],
)
def test_nothing_is_said_as_such(api: StubGateway, changes: dict[str, Any], said: str) -> None:
    """Issue D: a silent detector says how much it looked at, or that it does not look."""
    api.on("GET", "/api/skew", skew(**changes))

    assert said in gateway(api, "skew").stdout


def test_filters_are_handed_on_and_json_is_the_api_s(api: StubGateway) -> None:
    """Issue D: --since, --worker, --kind, --json."""
    api.on("GET", "/api/skew", skew(INCIDENT))
    result = gateway(api, "skew", "--since", "10m", "--worker", "shop", "--kind", "asset_skew", "--json")
    (received,) = api.asked("GET", "/api/skew")

    assert json.loads(result.stdout) == skew(INCIDENT)
    assert parse_qs(urlsplit(received.target).query) == {
        "since": ["10m"], "worker": ["shop"], "kind": ["asset_skew"],
    }  # fmt: skip


def test_all_can_be_forgotten(api: StubGateway) -> None:
    """Issue D: ``DELETE /api/skew``."""
    api.on("DELETE", "/api/skew", {"forgotten": 1})

    assert gateway(api, "skew", "--forget").stdout == "Forgot 1 incident, and the traffic they were found in.\n"


def test_what_the_gateway_refuses_ends_with_1(api: StubGateway) -> None:
    """House rule 8: the API's own words."""
    api.on("GET", "/api/skew", stub_gateway.refusal(90_010, "'since' is 'x'", "Give 10m."), 400)
    result = gateway(api, "skew", "--since", "x")

    assert (result.exit_code, "Give 10m." in result.stderr) == (1, True)
