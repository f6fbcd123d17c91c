"""Events as JSON: the shapes of the contract, and what R113 takes out."""

from __future__ import annotations

import json

import pytest

from gateway.observability.event_views import event_view
from gateway.observability.events import KIND_OF, Event
from tests.model.examples import A, B
from tests.observability.examples import EACH, LONG_ID, REQUEST, SOCKET

FIELDS = {
    "request": {
        "at", "ray", "worker", "version_id", "label", "reason", "point", "method", "host", "target", "status",
        "outcome", "duration_ms", "request_bytes", "response_bytes", "object", "fault", "ignored", "headers",
    },
    "websocket": {"at", "ray", "worker", "version_id", "label", "host", "target", "object", "duration_ms"},
    "console": {"at", "worker", "version_id", "label", "level", "message", "source", "ray", "object"},
    "exception": {
        "at", "worker", "version_id", "label", "name", "message", "stack", "ray", "entrypoint", "object"
    },
    "reset": {"at", "worker", "class", "id", "name", "from_version", "to_version", "deployment"},
    "deployment": {"at", "worker", "number", "deployment_id", "versions", "triggered_by", "message"},
    "version": {"at", "worker", "version_id", "label", "state", "trouble", "pid"},
}  # fmt: skip


@pytest.mark.parametrize("event", EACH, ids=lambda event: KIND_OF[type(event)])
def test_every_kind_has_its_fields(event: Event) -> None:
    """docs/observability.md: fields of each kind; JSON of one line, with the time as the API writes it."""
    view = event_view(event, redact=True)

    assert set(view) == FIELDS[KIND_OF[type(event)]]
    assert view["at"] == "2027-01-15T08:00:00.250000+00:00"
    assert "\n" not in json.dumps(view)


def test_secrets_are_taken_out() -> None:
    """R113: by the headers' names, the affinity key's too; what looks like an id in a URL likewise."""
    view = event_view(REQUEST, redact=True)

    assert view["headers"] == [
        ["Cookie", "REDACTED"],
        ["X-Auth-Token", "REDACTED"],
        ["Accept", "*/*"],
        ["Cloudflare-Workers-Version-Key", "REDACTED"],
    ]
    assert view["target"] == "/cart/REDACTED?a=b"
    assert event_view(SOCKET, redact=True)["target"] == "/chat/REDACTED"


def test_a_switch_shows_all() -> None:
    """Issue C, tail: redaction on by default, a switch shows all."""
    view = event_view(REQUEST, redact=False)

    assert view["headers"][0] == ["Cookie", "sid=1"]
    assert LONG_ID in view["target"]


def test_a_request_tells_its_decision() -> None:
    """Contract: reason, point, and the signals that did not count with their documented causes."""
    view = event_view(REQUEST, redact=True)

    assert (view["reason"], view["point"], view["duration_ms"]) == ("affinity", 12.3, 1.25)
    assert view["ignored"] == [{"signal": "override", "cause": "not-deployed"}]


def test_a_deployment_tells_its_versions() -> None:
    """Contract."""
    view = next(event_view(event, redact=True) for event in EACH if KIND_OF[type(event)] == "deployment")

    assert view["versions"] == [
        {"version_id": A, "label": "v1", "percentage": 90.0},
        {"version_id": B, "label": "v2", "percentage": 10.0},
    ]
