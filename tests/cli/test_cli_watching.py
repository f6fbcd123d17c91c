"""``gateway tail``, ``top`` and ``health``, against a server that answers as the API does."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner, Result

from gateway.cli.main import cli
from gateway.cli.render_events import event_text
from gateway.cli.session import Start, Terminal
from gateway.cli.text import PLAIN, Style
from tests.cli import events, stub_gateway
from tests.cli.stub_gateway import StubGateway

SHOP = "/api/workers/shop"
STREAM = "text/event-stream"


@pytest.fixture
def api() -> Iterator[StubGateway]:
    """Return a gateway with one Worker, ``shop``."""
    with stub_gateway.serving() as stub:
        yield stub


def gateway(api: StubGateway, *arguments: str, terminal: Terminal | None = None) -> Result:
    return CliRunner().invoke(cli, arguments, obj=Start(terminal or Terminal(), {"GATEWAY_CONTROL": api.url}))


def asked(api: StubGateway, path: str) -> dict[str, list[str]]:
    """Return the query of the only request to a path."""
    (received,) = api.asked("GET", path)
    return parse_qs(urlsplit(received.target).query)


# tail


def test_events_are_told_a_line_each(api: StubGateway) -> None:
    """Issue C, tail: pretty by default, of all Workers."""
    api.on(
        "GET", "/api/events", events.stream(("request", events.REQUEST), ("console", events.CONSOLE)), kind=STREAM
    )
    result = gateway(api, "tail")
    lines = result.stdout.splitlines()

    assert result.exit_code == 0, result.stderr
    assert lines[0].endswith("shop v1 GET shop.localhost/cart/foo  200  5.7 ms  affinity at 12.34  8f3c-LCL")
    assert lines[1].endswith("shop v1 [log] hello")
    assert asked(api, "/api/events") == {}


def test_filters_are_handed_on(api: StubGateway) -> None:
    """Issue C, tail: the same filters as the API has."""
    api.on("GET", "/api/events", events.stream(), kind=STREAM)
    gateway(
        api, "tail", "--worker", "shop", "--version", "v2", "--status", "error", "--method", "POST",
        "--search", "a b", "--sampling-rate", "0.5", "--show-all",
    )  # fmt: skip

    assert asked(api, "/api/events") == {
        "worker": ["shop"], "version": ["v2"], "status": ["error"], "method": ["POST"], "search": ["a b"],
        "sampling_rate": ["0.5"], "redact": ["false"],
    }  # fmt: skip


@pytest.mark.parametrize("option", [("--format", "json"), ("--json",)])
def test_json_is_one_invocation_a_line(api: StubGateway, option: tuple[str, ...]) -> None:
    """R112: scripts made for ``wrangler tail --format json`` run here; of one Worker, the only one by default."""
    item = {"scriptName": "shop", "outcome": "ok", "logs": []}
    api.on("GET", f"{SHOP}/tail", events.stream(("tail", item), ("tail", item)), kind=STREAM)
    result = gateway(api, "tail", *option, "--status", "ok")

    assert [json.loads(line) for line in result.stdout.splitlines()] == [item, item]
    assert asked(api, f"{SHOP}/tail") == {"status": ["ok"]}


def test_what_was_missed_is_told_beside_the_output(api: StubGateway) -> None:
    """Design 3.7: a slow reader is told how many."""
    api.on("GET", "/api/events", events.stream(("missed", {"count": 12})), kind=STREAM)
    result = gateway(api, "tail")

    assert (result.stdout, result.stderr) == (
        "", "warning: 12 events came too fast and are not shown; add filters\n"
    )  # fmt: skip


def test_what_the_gateway_refuses_is_told(api: StubGateway) -> None:
    """Design 7: exit code 1, with remedy."""
    api.on("GET", "/api/events", stub_gateway.refusal(90_030, "no Worker has a version 'v9'", "List them."), 404)
    result = gateway(api, "tail", "--version", "v9")

    assert (result.exit_code, result.stderr) == (1, "error: no Worker has a version 'v9'\nremedy: List them.\n")


def test_an_answer_that_is_no_stream_is_told(api: StubGateway) -> None:
    """Another program may have the port."""
    api.on("GET", "/api/events", {"events": []})
    result = gateway(api, "tail")

    assert result.exit_code == 1
    assert "gives no events" in result.stderr


LINES: dict[str, tuple[str, dict[str, Any], str]] = {
    "failed": (
        "request",
        {**events.REQUEST, "status": 502, "outcome": "upstream_failed"},
        "502  5.7 ms  upstream_failed  affinity at 12.34  8f3c-LCL",
    ),
    "no version": (
        "request",
        {**events.REQUEST, "label": "", "worker": "", "status": 404, "outcome": "refused", "reason": ""},
        "404  5.7 ms  refused  8f3c-LCL",
    ),
    "an object": (
        "request",
        {**events.REQUEST, "reason": "durable-object", "object": "Cart/foo"},
        "durable-object at 12.34  Cart/foo  8f3c-LCL",
    ),
    "ignored": (
        "request",
        {**events.REQUEST, "point": None, "ignored": [{"signal": "override", "cause": "not-deployed"}]},
        "affinity  ignored override:not-deployed  8f3c-LCL",
    ),
    "fault": ("request", {**events.REQUEST, "fault": "slow-v2"}, "at 12.34  fault slow-v2  8f3c-LCL"),
    "lines": ("console", {**events.CONSOLE, "level": "error", "message": "a\nb"}, "[error] a\n    b"),
    "exception": ("exception", events.EXCEPTION, "TypeError: boom\n    at fetch (src/index.ts:3:9)"),
    "reset": ("reset", events.RESET, "shop reset Cart/foo from 11111111 to 22222222, deployment 3"),
    "reset without name": (
        "reset",
        {**events.RESET, "name": ""},
        "Cart/abababababababab from 11111111 to 22222222",
    ),
    "deployment": ("deployment", events.DEPLOYMENT, "shop deployment 3: v1 50% (half)"),
    "crash": ("version", events.VERSION, "shop v1 crashed: exit code 1"),
    "start": ("version", {**events.VERSION, "state": "started", "trouble": "", "pid": 7}, "started (pid 7)"),
    "socket": ("websocket", events.WEBSOCKET, "WebSocket shop.localhost/chat ended after 2.5 s"),
    "unknown": ("weather", {"at": events.AT, "worker": "shop", "sky": "blue"}, "'sky': 'blue'}"),
}


@pytest.mark.parametrize(("kind", "content", "said"), LINES.values(), ids=LINES)
def test_every_kind_has_its_line(kind: str, content: dict[str, Any], said: str) -> None:
    """Issue C, tail; a kind that is not known yet is shown as it came."""
    assert said in event_text(kind, content, PLAIN)


def test_nothing_in_an_event_can_steer_the_terminal() -> None:
    """Paths, messages and tags come from anywhere."""
    nasty = "\x1b[2J\r"
    for kind, content in (
        ("request", {**events.REQUEST, "target": nasty, "label": nasty, "object": nasty, "method": nasty}),
        ("console", {**events.CONSOLE, "message": nasty, "level": nasty}),
        ("exception", {**events.EXCEPTION, "message": nasty, "stack": nasty, "name": nasty}),
        ("version", {**events.VERSION, "trouble": nasty, "state": nasty}),
        ("reset", {**events.RESET, "name": nasty, "class": nasty}),
        ("deployment", {**events.DEPLOYMENT, "message": nasty}),
        ("websocket", {**events.WEBSOCKET, "target": nasty}),
        ("weather", {"at": nasty, "worker": nasty}),
    ):
        text = event_text(kind, content, PLAIN)
        assert "\x1b" not in text
        assert "\r" not in text


# top


def test_the_versions_of_all_workers_are_shown_once(api: StubGateway) -> None:
    """Issue C, top: asked against observed share, requests, errors, times, what is open."""
    both = [stub_gateway.worker_status(), stub_gateway.worker_status("api")]
    api.on("GET", "/api/status", stub_gateway.status(*both))
    api.on("GET", f"{SHOP}/metrics", events.metrics(own_answers={"404": 3}))
    api.on("GET", "/api/workers/api/metrics", events.metrics("api", versions=[], deployment=None))
    result = gateway(api, "top", "--once")

    assert result.exit_code == 0, result.stderr
    heading, first, second = result.stdout.splitlines()[1:4]
    assert heading.split("  ")[0] == "version"
    assert " ".join(first.split()) == (
        "v1 (11111111) 90% 90% 88.0 to 91.7 900 15 0% 1.23 50 99.9 2 1 1.25 43 MiB running"
    )
    assert " ".join(second.split()).startswith("v2 (22222222) 10% 10% 8.3 to 12.0 100 1.7 0%")
    assert [line for line in result.stdout.splitlines() if line not in (heading, first, second)] == [
        "shop, deployment 2, last minute",
        "answers of the gateway's own, all Workers: 3 x 404",
        "",
        "api, last minute",
        "Nothing is deployed, and nothing runs.",
    ]
    assert asked(api, f"{SHOP}/metrics") == {"window": ["60"]}


def test_what_was_not_measured_is_a_dash(api: StubGateway) -> None:
    """Contract: null where there is nothing."""
    names = (
        "asked_percentage",
        "observed_percentage",
        "observed_low",
        "error_percentage",
        "p50_ms",
        "memory_bytes",
    )
    nothing = dict.fromkeys(names)
    api.on(
        "GET", f"{SHOP}/metrics", events.metrics(versions=[events.metrics_of(1, **nothing)], window="deployment")
    )
    result = gateway(api, "top", "--worker", "shop", "--window", "deployment")

    assert "shop, deployment 2, since the deployment" in result.stdout
    assert result.stdout.splitlines()[2].split()[2:6] == ["-", "-", "-", "900"]


def test_top_for_scripts(api: StubGateway) -> None:
    """``--json``: the API's objects."""
    api.on("GET", f"{SHOP}/metrics", events.metrics())

    assert json.loads(gateway(api, "top", "--json").stdout) == {"workers": [events.metrics()]}


def test_a_terminal_is_redrawn_until_it_is_interrupted(api: StubGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue C, top: a live table; Ctrl-C ends it."""
    api.on("GET", f"{SHOP}/metrics", events.metrics())
    looks = iter([None, None])

    def sleep(_seconds: float) -> None:
        if next(looks, 1) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", sleep)
    result = gateway(api, "top", terminal=Terminal(interactive=True, out=Style(colour=True, width=200)))

    assert result.exit_code == 130
    assert len(api.asked("GET", f"{SHOP}/metrics")) == 3


# health


@pytest.mark.parametrize(
    ("verdict", "code", "word"), [("safe", 0, "SAFE"), ("wait", 3, "WAIT"), ("roll_back", 4, "ROLL BACK")]
)
def test_the_verdict_is_the_exit_code(api: StubGateway, verdict: str, code: int, word: str) -> None:
    """Issue C, health: 0, 3 and 4 for scripts; the reason and both versions for people."""
    api.on("GET", f"{SHOP}/health", events.health(verdict))
    result = gateway(api, "health")

    assert result.exit_code == code
    assert result.stdout.startswith(f"{word}  Because of the numbers.\n")
    assert "v2 (22222222)" in result.stdout
    assert "1.50% of v2 failed" in result.stdout
    assert asked(api, f"{SHOP}/health") == {"window": ["300"]}


def test_versions_can_be_named(api: StubGateway) -> None:
    """Issue C, health: --baseline, --candidate, --window; --json."""
    api.on("GET", f"{SHOP}/health", events.health("wait"))
    arguments = ("--baseline", "v1", "--candidate", "v2", "--window", "60", "--json")
    result = gateway(api, "health", *arguments)

    assert (result.exit_code, json.loads(result.stdout)) == (3, events.health("wait"))
    assert asked(api, f"{SHOP}/health") == {"baseline": ["v1"], "candidate": ["v2"], "window": ["60"]}


def test_a_refusal_is_not_a_verdict(api: StubGateway) -> None:
    """A script must not take an error for a verdict: exit code 1."""
    api.on("GET", f"{SHOP}/health", stub_gateway.refusal(90_120, "no two versions", "Name them."), 400)

    assert gateway(api, "health").exit_code == 1
