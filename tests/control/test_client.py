"""The client of the API: where it looks for the gateway, what it sends, and what it makes of the answers."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.control.client import (
    ApiError,
    ClientError,
    CodeUpdate,
    CohortShares,
    ControlAddress,
    CreatedDeployment,
    Cron,
    Decision,
    Deployment,
    DurableObject,
    Explanation,
    FiredCron,
    GatewayClient,
    GatewayNotRunning,
    IgnoredSignal,
    NotAGateway,
    ObjectChange,
    ObjectDiff,
    ObjectEvent,
    ObjectPage,
    ObjectWithHistory,
    Share,
    Status,
    Step,
    Version,
    VersionCount,
    VersionSpec,
    WorkerStatus,
    find_gateway,
)


@dataclass(frozen=True)
class Asked:
    """One request, as it came over the wire."""

    line: str
    headers: dict[str, str]
    body: Any


@contextmanager
def answering(answer: bytes) -> Iterator[tuple[ControlAddress, list[Asked]]]:
    """Serve one connection, which gets ``answer`` whatever it asks; yield the address and what was asked."""
    asked: list[Asked] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as stream:
            line = stream.readline().decode("ascii").strip()
            pairs = iter(lambda: stream.readline().decode("latin-1").strip(), "")
            headers = {name.lower(): value for name, _, value in (pair.partition(": ") for pair in pairs)}
            body = stream.read(int(headers.get("content-length", "0")))
            asked.append(Asked(line, headers, json.loads(body) if body else None))
            connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield ControlAddress(f"http://127.0.0.1:{listener.getsockname()[1]}", "--control"), asked
        thread.join(10)
    finally:
        listener.close()


def response(content: Any, status: str = "200 OK") -> bytes:
    """Return an HTTP answer with JSON, or with bytes as they are."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


# Where the gateway is


def run_file(folder: Path, content: str) -> Path:
    """Write ``run.json`` into a state folder and return the folder."""
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_text(content)
    return folder


def test_what_is_typed_wins_over_what_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--control, --state, GATEWAY_CONTROL, .gateway: in this order."""
    monkeypatch.chdir(tmp_path)
    state = run_file(tmp_path / "other", '{"url": "http://a", "control": "http://127.0.0.1:2", "pid": 7}')
    run_file(tmp_path / ".gateway", '{"url": "http://a", "control": "http://127.0.0.1:4", "pid": 8}')
    variable = {"GATEWAY_CONTROL": "http://127.0.0.1:3/"}

    assert find_gateway(variable, control="http://127.0.0.1:1", state=state).url == "http://127.0.0.1:1"
    assert find_gateway(variable, state=state) == ControlAddress(
        "http://127.0.0.1:2", str(state / "run.json"), state / "run.json", 7
    )
    assert find_gateway(variable) == ControlAddress("http://127.0.0.1:3", "GATEWAY_CONTROL")
    assert find_gateway({"GATEWAY_CONTROL": ""}).url == "http://127.0.0.1:4"


def test_without_run_file_no_gateway_runs(tmp_path: Path) -> None:
    """The error names the file, the command that starts one, and how to name another."""
    with pytest.raises(GatewayNotRunning, match=r"nowhere/run\.json does not exist") as caught:
        find_gateway({}, state=tmp_path / "nowhere")

    for text in ("gateway run", "--state", "GATEWAY_CONTROL"):
        assert text in caught.value.remedy


@pytest.mark.parametrize("content", ["", "{", "[]", "7", "{}", '{"control": 7}', "null", "\x00"])
def test_a_broken_run_file_is_named(tmp_path: Path, content: str) -> None:
    """Never a traceback, whatever stands in it."""
    with pytest.raises(GatewayNotRunning, match=r"run\.json does not say where"):
        find_gateway({}, state=run_file(tmp_path, content))


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8788",
        "localhost:8788",
        "https://127.0.0.1",
        "http://",
        "http://h:x",
        "http://h:99999",
        "http://[::",
    ],
)
def test_a_base_url_that_is_none_is_refused(url: str) -> None:
    """With an example of one."""
    with pytest.raises(ClientError, match="is no base URL") as caught:
        find_gateway({"GATEWAY_CONTROL": url})

    assert "http://127.0.0.1:8788" in caught.value.remedy


@pytest.fixture
def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def test_a_run_file_whose_port_refuses_is_called_stale(tmp_path: Path, free_port: int) -> None:
    """Killed with -9, a gateway leaves its file behind."""
    state = run_file(tmp_path, json.dumps({"control": f"http://127.0.0.1:{free_port}", "pid": 4711}))

    with pytest.raises(GatewayNotRunning, match="is stale") as caught:
        GatewayClient(find_gateway({}, state=state)).status()

    for text in (str(state / "run.json"), f"http://127.0.0.1:{free_port}", "pid 4711"):
        assert text in caught.value.message
    assert "gateway run" in caught.value.remedy


def test_an_address_that_refuses_is_told_with_who_named_it(free_port: int) -> None:
    """So that the variable, not the gateway, can be mended."""
    with pytest.raises(GatewayNotRunning, match=r"\(from GATEWAY_CONTROL\)") as caught:
        GatewayClient(find_gateway({"GATEWAY_CONTROL": f"http://127.0.0.1:{free_port}"})).status()

    assert "correct GATEWAY_CONTROL" in caught.value.remedy


# What it sends

CALLS: list[tuple[Callable[[GatewayClient], object], str, object]] = [
    (lambda c: c.status(), "GET /api/status", None),
    (lambda c: c.versions("shop"), "GET /api/workers/shop/versions", None),
    (lambda c: c.version("shop", "v1/2"), "GET /api/workers/shop/versions/v1%2F2", None),
    (lambda c: c.deployments("a b"), "GET /api/workers/a%20b/deployments", None),
    (lambda c: c.deployment("shop", "active"), "GET /api/workers/shop/deployments/active", None),
    (
        lambda c: c.deploy("shop", [VersionSpec("v1", 0), VersionSpec("v2")]),
        "POST /api/workers/shop/deployments",
        {"versions": [{"version": "v1", "percentage": 0}, {"version": "v2"}]},
    ),
    (
        lambda c: c.deploy("shop", [VersionSpec("v1", 12.5)], message="é", dry_run=True),
        "POST /api/workers/shop/deployments",
        {"versions": [{"version": "v1", "percentage": 12.5}], "message": "é", "dry_run": True},
    ),
    (lambda c: c.rollback("shop"), "POST /api/workers/shop/rollback", {}),
    (
        lambda c: c.rollback("shop", "v1", message="m"),
        "POST /api/workers/shop/rollback",
        {"version": "v1", "message": "m"},
    ),
    (lambda c: c.explain("http://a/"), "POST /api/explain", {"url": "http://a/"}),
    (
        lambda c: c.explain("http://a/", method="PUT", headers=[("A", "1"), ("A", "2")], count=3),
        "POST /api/explain",
        {"url": "http://a/", "method": "PUT", "headers": [["A", "1"], ["A", "2"]], "count": 3},
    ),
    (lambda c: c.objects("shop"), "GET /api/workers/shop/objects", None),
    (
        lambda c: c.objects("shop", "Cart", search="a&b", after="ff", limit=2, deployment=1),
        "GET /api/workers/shop/objects?class=Cart&search=a%26b&after=ff&limit=2&deployment=1",
        None,
    ),
    (
        lambda c: c.object_diff("shop", 1, 2, "Cart", limit=5),
        "GET /api/workers/shop/objects/diff?class=Cart&from=1&to=2&limit=5",
        None,
    ),
    (lambda c: c.object("shop", "Cart", "a/b?c#d%"), "GET /api/workers/shop/objects/Cart/a%2Fb%3Fc%23d%25", None),
    (lambda c: c.object("shop", "Cart", "é\udcff"), "GET /api/workers/shop/objects/Cart/%C3%A9%FF", None),
    (
        lambda c: c.pin("shop", "Cart", "a/b", "v2"),
        "PUT /api/workers/shop/objects/Cart/a%2Fb/pin",
        {"version": "v2"},
    ),
    (lambda c: c.unpin("shop", "Cart", "a b"), "DELETE /api/workers/shop/objects/Cart/a%20b/pin", None),
]


# It has whatever key is looked for.
ANSWER: dict[str, Any] = {
    key: []
    for shape in (Status, Version, Deployment, CreatedDeployment, Explanation, ObjectPage, ObjectDiff)
    for key in shape.__required_keys__
} | {key: [] for key in ("versions", "deployments", "object", "history", *DurableObject.__required_keys__)}


@pytest.mark.parametrize(("call", "line", "body"), CALLS, ids=[line for _, line, _ in CALLS])
def test_each_operation_is_sent_as_the_api_describes(
    call: Callable[[GatewayClient], object], line: str, body: object
) -> None:
    """Names are one path segment each; every write is declared as JSON, which no foreign page can do."""
    with answering(response(ANSWER)) as (address, asked):
        call(GatewayClient(address))

    (received,) = asked
    assert received.line == f"{line} HTTP/1.1"
    assert received.body == body
    assert received.headers.get("content-type") == (None if line.startswith("GET ") else "application/json")
    assert received.headers["host"] == address.url.removeprefix("http://")


def test_a_base_url_may_have_a_path() -> None:
    """Behind something that forwards only what lies under it."""
    with answering(response(ANSWER)) as (address, asked):
        GatewayClient(find_gateway({}, control=f"{address.url}/gateway/")).status()

    assert asked[0].line == "GET /gateway/api/status HTTP/1.1"


def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    """The gateway is on this machine; a proxy would not find it."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port}")

    with answering(response(ANSWER)) as (address, asked):
        GatewayClient(address).status()

    assert len(asked) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.versions(""),
        lambda c: c.version("shop", ""),
        lambda c: c.object("shop", "Cart", ""),
        lambda c: c.unpin("shop", "", "user-123"),
    ],
)
def test_an_empty_name_is_refused_before_it_names_something_else(call: Callable[[GatewayClient], object]) -> None:
    """``versions/`` is not a version."""
    with pytest.raises(ClientError, match="a name is empty"):
        call(GatewayClient(ControlAddress("http://127.0.0.1:9", "--control")))


# What it makes of the answers


def test_lists_are_unwrapped() -> None:
    """The API wraps them in an object; a caller wants the list."""
    with answering(response({"versions": [{"id": "a"}]})) as (address, _):
        assert [version["id"] for version in GatewayClient(address).versions("shop")] == ["a"]


@pytest.mark.parametrize(
    ("status", "content", "code", "remedy"),
    [
        ("404 Not Found", {"error": {"code": 90_030, "message": "no", "remedy": "do"}}, 90_030, "do"),
        ("500 Oops", {"error": {"code": 90_000, "message": "no", "remedy": ""}}, 90_000, ""),
        ("400 Bad Request", {"error": {"message": "no"}}, 0, ""),
    ],
)
def test_a_refusal_carries_what_the_api_said(status: str, content: object, code: int, remedy: str) -> None:
    """Status, code, message and remedy."""
    with answering(response(content, status)) as (address, _), pytest.raises(ApiError) as caught:
        GatewayClient(address).status()

    error = caught.value
    assert (error.status, error.code, error.message, error.remedy) == (int(status[:3]), code, "no", remedy)
    assert str(error) == "no"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (response(b"<html>"), "status 200, but not as a gateway"),
        (response([]), "not as a gateway"),
        (response(b"[" * 100_000), "not as a gateway"),
        (response(b"\xff"), "not as a gateway"),
        (response({"error": "no"}, "404 Not Found"), "status 404"),
        (response({}, "302 Found"), "status 302"),
        (response({"url": "http://a"}), "the gateway's answer lacks config, control"),
        (b"", "gave no whole answer to GET /api/status"),
        (b"SSH-2.0-OpenSSH_9.7\r\n", "gave no whole answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}", "gave no whole answer"),
    ],
)
def test_what_is_no_answer_of_a_gateway_is_told_as_such(answer: bytes, text: str) -> None:
    """Another program may have the port, another version of the gateway may run, or it may have died."""
    with answering(answer) as (address, _), pytest.raises(NotAGateway) as caught:
        GatewayClient(address).status()

    assert text in caught.value.message
    assert caught.value.remedy


# The types mirror the API's description

SHAPES: dict[str, Any] = {
    "Status": Status,
    "Cron": Cron,
    "FiredCron": FiredCron,
    "Status.workers[]": WorkerStatus,
    "Version": Version,
    "Deployment": Deployment,
    "Deployment.cohorts[]": CohortShares,
    "Deployment.code_update": CodeUpdate,
    "Share": Share,
    "CreatedDeployment": CreatedDeployment,
    "Explanation": Explanation,
    "Explanation.steps[]": Step,
    "Explanation.counts[]": VersionCount,
    "Explanation.decision": Decision,
    "Explanation.decision.ignored[]": IgnoredSignal,
    "Object": DurableObject,
    "ObjectWithHistory": ObjectWithHistory,
    "ObjectWithHistory.history[]": ObjectEvent,
    "ObjectPage": ObjectPage,
    "ObjectDiff": ObjectDiff,
    "ObjectDiff.changes[]": ObjectChange,
}


def schema_at(schemas: dict[str, Any], place: str) -> dict[str, Any]:
    """Return a schema by its place, as ``Status.workers[]``; of alternatives, the one that is an object."""
    name, *steps = place.split(".")
    found: dict[str, Any] = schemas[name]
    for step in steps:
        found = found["properties"][step.removesuffix("[]")]
        found = found["items"] if step.endswith("[]") else found
        found = next((one for one in found.get("oneOf", ()) if one["type"] == "object"), found)
    return found


@pytest.mark.parametrize("place", SHAPES)
def test_each_type_has_the_fields_of_its_schema(place: str) -> None:
    """openapi.yaml is the contract; the client's types repeat it for the type checker."""
    path = Path(__file__).parents[2] / "gateway" / "control" / "openapi.yaml"
    schemas = yaml.safe_load(path.read_text("utf-8"))["components"]["schemas"]
    schema = schema_at(schemas, place)

    assert set(SHAPES[place].__annotations__) == set(schema["properties"]) == set(schema["required"])
