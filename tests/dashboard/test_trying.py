"""``POST /api/try``: made-up requests through our own edge and nowhere else; who answered, how often, how fast."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from gateway.control.api.trying import parse_trial, quantile
from gateway.errors import BadRequest
from tests.control.schemas import openapi, problems
from tests.dashboard.conftest import two_workers
from tests.integration.edge_process import EdgeProcess, running_edge
from tests.integration.http_client import KEY, OVERRIDES
from tests.integration.scripted_origin import new_listener

DOCUMENT = openapi()


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    """A running edge; ``shop`` sends half of its requests to each version."""
    config = two_workers(v1=50, v2=50)
    with running_edge(tmp_path_factory.mktemp("edge"), config, seed=11) as edge:
        yield edge


def attempt(edge: EdgeProcess, url: str, **more: Any) -> dict[str, Any]:
    """Try a request, and hold the answer against its schema."""
    body = json.dumps({"url": url, **more}).encode()
    request = Request(f"{edge.control}/api/try", body, {"Content-Type": "application/json"}, method="POST")  # noqa: S310 - ours
    with urlopen(request) as answer:  # noqa: S310 - our own gateway
        told: dict[str, Any] = json.load(answer)
    assert list(problems(DOCUMENT, DOCUMENT["components"]["schemas"]["Tried"], told)) == []
    return told


def test_many_requests_are_counted_by_who_answered(edge: EdgeProcess) -> None:
    """Issue 4, item 7: send it n times, see the distribution; by version, reason and status."""
    told = attempt(edge, "http://shop.localhost/version", count=300)

    assert (told["count"], told["answered"], told["failures"]) == (300, 300, [])
    assert {(one["tag"], one["reason"], one["status"]) for one in told["answers"]} == {
        ("v1", "percentage", 200), ("v2", "percentage", 200),
    }  # fmt: skip
    assert sum(one["count"] for one in told["answers"]) == 300
    assert all(100 < one["count"] < 200 for one in told["answers"])
    assert all(0 < one["p50_ms"] <= one["p95_ms"] <= told["duration_ms"] for one in told["answers"])
    assert told["first"]["body"] == told["first"]["tag"]


@pytest.mark.parametrize(
    ("headers", "reason"), [([[KEY, "user-1"]], "affinity"), ([[OVERRIDES, "ID"]], "override")]
)
def test_headers_decide_as_they_do_for_any_client(
    edge: EdgeProcess, headers: list[list[str]], reason: str
) -> None:
    """R21, R23: all of them meet one version, and the answer says why."""
    wanted = f'shop="{edge.version_state("v2")["id"]}"'
    told = attempt(edge, "shop.localhost/", count=20, headers=[[n, v.replace("ID", wanted)] for n, v in headers])

    (only,) = told["answers"]
    assert (only["reason"], only["count"]) == (reason, 20)
    assert told["first"]["point"] is None or 0 <= told["first"]["point"] < 100


def test_a_body_and_a_method_arrive_as_given(edge: EdgeProcess) -> None:
    """Issue 4, item 7: compose a request."""
    told = attempt(
        edge, "http://shop.localhost/facts?a=%2f&b=<i>&c=ü", method="PATCH", body="grüße", headers=[["X-One", "1"]]
    )

    facts = json.loads(told["first"]["body"])
    assert facts["method"] == "PATCH"
    assert "/facts?a=%2f&b=<i>&c=%C3%BC" in told["first"]["body"]
    assert told["first"]["headers"]


def test_the_gateway_s_own_answers_are_told_apart(edge: EdgeProcess) -> None:
    """Design 3.4: nobody has this host's stub; no version answered."""
    told = attempt(edge, "http://shop.localhost/cdn-cgi/gateway/nothing")

    assert [(one["version_id"], one["status"]) for one in told["answers"]] == [("", 404)]


def test_nothing_is_asked_but_our_own_edge(edge: EdgeProcess) -> None:
    """Issue 4, security (SSRF): a URL that names another server makes no connection to it."""
    with new_listener() as listener:
        port = listener.getsockname()[1]
        told = attempt(edge, f"http://127.0.0.1:{port}/latest/meta-data", count=3)

        listener.settimeout(0.2)
        with pytest.raises(socket.timeout):
            listener.accept()
    # shop has the route */*: the host went to the edge as a name, and the Worker answered.
    assert {one["tag"] for one in told["answers"]} <= {"v1", "v2"}


WRONG = {
    "no url": {},
    "other scheme": {"url": "file:///etc/passwd"},
    "user info": {"url": "http://shop.localhost@evil.example/"},
    "line end in the host": {"url": "http://shop.localhost\r\nX: 1/"},
    "no host": {"url": "http:///path"},
    "CONNECT": {"url": "http://shop.localhost/", "method": "CONNECT"},
    "method with a line end": {"url": "http://shop.localhost/", "method": "GET\r\n"},
    "header with a line end": {"url": "http://shop.localhost/", "headers": [["X", "1\r\nY: 2"]]},
    "header with NUL": {"url": "http://shop.localhost/", "headers": [["X", "\0"]]},
    "name with a space": {"url": "http://shop.localhost/", "headers": [["X Y", "1"]]},
    "Host of its own": {"url": "http://shop.localhost/", "headers": [["hOst", "127.0.0.1"]]},
    "length of its own": {"url": "http://shop.localhost/", "headers": [["Content-Length", "5"]]},
    "framing of its own": {"url": "http://shop.localhost/", "headers": [["Transfer-Encoding", "chunked"]]},
    "no pairs": {"url": "http://shop.localhost/", "headers": {"X": "1"}},
    "none": {"url": "http://shop.localhost/", "count": 0},
    "too many": {"url": "http://shop.localhost/", "count": 1001},
    "half": {"url": "http://shop.localhost/", "count": 1.5},
    "body of bytes": {"url": "http://shop.localhost/", "body": [1]},
}


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
def test_what_cannot_be_sent_is_refused_with_a_remedy(body: dict[str, object]) -> None:
    """House rule 8, and request smuggling: what frames the message is never the caller's."""
    with pytest.raises(BadRequest) as caught:
        parse_trial(body)

    assert caught.value.remedy


def test_unknown_members_are_refused(edge: EdgeProcess) -> None:
    """A misspelt member must not be passed over."""
    with pytest.raises(HTTPError) as caught:
        attempt(edge, "http://shop.localhost/", times=3)

    with caught.value as answer:
        assert (answer.code, "times" in answer.read().decode()) == (400, True)


@pytest.mark.parametrize(
    ("times", "part", "found"),
    [
        ([5], 0.5, 5),
        ([1, 2, 3, 4], 0.5, 2),
        ([4, 1, 3, 2], 0.95, 4),
        (list(range(1, 101)), 0.95, 95),
        ([1, 2], 0.01, 1),
    ],
)
def test_quantiles_are_those_of_the_nearest_rank(times: list[float], part: float, found: float) -> None:
    """The smallest value that at least this part of all values does not exceed."""
    assert quantile(times, part) == found
