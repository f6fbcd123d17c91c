"""The fields of events are a contract: tail, dashboard, Logpush and scripts read them."""

from __future__ import annotations

from gateway.observability.events import EVENTS_VERSION, KIND_OF, EventKind, RequestEvent
from tests.observability.examples import EACH, REQUEST


def test_the_fields_of_a_request_are_a_contract() -> None:
    """``observability/events.py``: a field is never renamed nor given another meaning; new ones come behind."""
    assert EVENTS_VERSION == 2
    assert RequestEvent._fields == (
        "at", "ray", "worker", "version_id", "reason", "method", "host", "target", "status", "outcome",
        "duration_us", "request_bytes", "response_bytes", "point", "object", "label", "ignored", "header_lines",
        "content_type", "address", "caller_ray", "fault",
    )  # fmt: skip


def test_every_event_has_a_kind_and_says_when_and_where() -> None:
    """Issue C, events: one event for everything that happens, defined once; each of one Worker at one time."""
    assert set(KIND_OF.values()) == set(EventKind)
    assert {type(event) for event in EACH} == set(KIND_OF)
    assert all(event.at and event.worker == "shop" for event in EACH)


def test_headers_are_read_as_http_writes_them() -> None:
    """RFC 9110 section 5.5: white space around a value is no part of it."""
    assert REQUEST.headers == [
        ("Cookie", "sid=1"),
        ("X-Auth-Token", "t"),
        ("Accept", "*/*"),
        ("Cloudflare-Workers-Version-Key", "user-1"),
    ]
