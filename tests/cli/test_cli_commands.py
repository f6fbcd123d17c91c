"""Every command that reads or changes something, against a server that answers as the API does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli.main import cli
from gateway.cli.session import Start, Terminal
from gateway.cli.text import Style
from tests.cli import stub_gateway
from tests.cli.stub_gateway import V1, V2, StubGateway

SHOP = "/api/workers/shop"


@pytest.fixture
def api() -> Iterator[StubGateway]:
    """Return a gateway with one Worker, ``shop``."""
    with stub_gateway.serving() as stub:
        yield stub


def gateway(api: StubGateway, *arguments: str, terminal: Terminal | None = None) -> Result:
    """Run a command against the stub."""
    start = Start(terminal or Terminal(), {"GATEWAY_CONTROL": api.url})
    return CliRunner().invoke(cli, arguments, obj=start)


def two_workers(api: StubGateway) -> None:
    """Let the gateway have a second Worker."""
    api.on(
        "GET", "/api/status", stub_gateway.status(stub_gateway.worker_status(), stub_gateway.worker_status("api"))
    )


# Which Worker


def test_the_only_worker_need_not_be_named(api: StubGateway) -> None:
    """The status says which one there is."""
    api.on("GET", f"{SHOP}/versions", {"versions": []})

    result = gateway(api, "versions", "list")

    assert (result.exit_code, result.stdout) == (0, "The Worker has no versions.\n")


@pytest.mark.parametrize("option", ["--worker", "--name"])
def test_a_worker_is_named_as_wrangler_names_it_too(api: StubGateway, option: str) -> None:
    """Without asking for the status; the name is one path segment."""
    api.on("GET", "/api/workers/a%2Fb/versions", {"versions": []})

    result = gateway(api, "versions", "list", option, "a/b")

    assert result.exit_code == 0
    assert [received.target for received in api.received] == ["/api/workers/a%2Fb/versions"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["versions", "list"],
        ["versions", "view", "v1"],
        ["versions", "deploy", "v1"],
        ["versions", "deploy", "--percentage", "10"],
        ["deployments", "list"],
        ["deployments", "status"],
        ["rollback"],
        ["objects", "list"],
        ["objects", "show", "user-123"],
        ["objects", "pin", "user-123", "v1"],
        ["objects", "diff"],
    ],
)
def test_of_several_workers_one_must_be_named(api: StubGateway, arguments: list[str]) -> None:
    """The error lists them; exit code 2, as for any argument that is missing."""
    two_workers(api)

    result = gateway(api, *arguments)

    assert result.exit_code == 2
    assert "There are 2 Workers: shop, api. Choose one with --worker NAME." in result.stderr


def test_a_gateway_without_workers_says_so(api: StubGateway) -> None:
    """Refused with a remedy."""
    api.on("GET", "/api/status", {**stub_gateway.status(), "workers": []})

    result = gateway(api, "versions", "list")

    assert result.exit_code == 1
    assert result.stderr.startswith("error: the gateway has no Worker yet\nremedy: ")


def test_a_worker_that_is_not_there_is_told_with_those_that_are(api: StubGateway) -> None:
    """Where the command needs the status anyway, it can say more than 'not found'."""
    result = gateway(api, "objects", "show", "user-123", "--worker", "shpo")

    assert result.exit_code == 1
    assert result.stderr == "error: there is no Worker 'shpo'\nremedy: There are: shop.\n"


# Reading


def test_versions_list_shows_ten_and_says_how_many_there_are(api: StubGateway) -> None:
    """R105: 10 entries; the newest first, with what each is and does."""
    many = [stub_gateway.version(1, number=number) for number in range(12, 0, -1)]
    many[0] = stub_gateway.version(2, number=12, message="faster cart", percentage=10, state="crashed")
    api.on("GET", f"{SHOP}/versions", {"versions": many})

    ten, everything = gateway(api, "versions", "list"), gateway(api, "versions", "list", "--all")
    lines = ten.stdout.splitlines()

    assert [" ".join(line.split()) for line in lines[:3]] == [
        "number tag id created (UTC) source state percentage message",
        "12 v2 22222222 2026-11-22 10:00:00 config crashed 10% faster cart",
        "11 v1 11111111 2026-11-21 10:00:00 config running -",
    ]
    assert lines[-1] == "10 of 12 versions; --all lists them all."
    assert len(lines) == 12
    assert len(everything.stdout.splitlines()) == 13


def test_lists_as_json_are_the_apis_objects(api: StubGateway) -> None:
    """All of them, however many are shown to people."""
    versions = [stub_gateway.version(1, number=number) for number in range(12, 0, -1)]
    deployments = [stub_gateway.deployment(number, (V1, 100)) for number in range(12, 0, -1)]
    api.on("GET", f"{SHOP}/versions", {"versions": versions})
    api.on("GET", f"{SHOP}/deployments", {"deployments": deployments})

    assert json.loads(gateway(api, "versions", "list", "--json").stdout) == versions
    assert json.loads(gateway(api, "deployments", "list", "--json").stdout) == deployments


def test_versions_view_shows_why_a_version_does_not_run(api: StubGateway) -> None:
    """Its trouble, and the last lines it wrote."""
    crashed = stub_gateway.version(2, state="crashed", trouble="exit code 1", last_lines=["boom", "\x1b[2Jgone"])
    api.on("GET", f"{SHOP}/versions/v2", crashed)

    result = gateway(api, "versions", "view", "v2")

    assert result.exit_code == 0
    for text in (V2, "command argv=python -m shop", "crashed", "exit code 1", "not deployed", "  boom"):
        assert text in result.stdout
    assert "\\x1b[2Jgone" in result.stdout
    assert "\x1b" not in result.stdout


def test_deployments_list_shows_each_split_and_which_is_active(api: StubGateway) -> None:
    """R105: 10 entries, the active one first."""
    many = [stub_gateway.deployment(number, (V1, 100)) for number in range(12, 0, -1)]
    many[0] = stub_gateway.deployment(12, (V1, 90), (V2, 10), active=True, message="try v2")
    many[1] = stub_gateway.deployment(11, (V1, 100), triggered_by="rollback")
    api.on("GET", f"{SHOP}/deployments", {"deployments": many})

    result = gateway(api, "deployments", "list")
    lines = result.stdout.splitlines()

    assert "v1 90%, v2 10%" in lines[1]
    assert lines[1].rstrip().endswith("try v2")
    assert "api, rollback  v1 100%" in lines[2]
    assert [("active" in line) for line in lines[1:11]] == [True] + [False] * 9
    assert lines[-1] == "10 of 12 deployments; --all lists them all."


def test_deployments_status_shows_the_ranges_of_the_active_one(api: StubGateway) -> None:
    """R39: end to end in listed order; a version at 0% has none (R14)."""
    active = stub_gateway.deployment(4, (V1, 87.5), (V2, 12.5), active=True)
    api.on("GET", f"{SHOP}/deployments/active", active)

    shown, as_json = gateway(api, "deployments", "status"), gateway(api, "deployments", "status", "--json")

    assert "points 0 to 87.5" in shown.stdout
    assert "points 87.5 to 100" in shown.stdout
    assert json.loads(as_json.stdout) == active


# Rolling back


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        ([], {}),
        (["v1"], {"version": "v1"}),
        (["v1", "--message", "v2 loses carts", "-y"], {"version": "v1", "message": "v2 loses carts"}),
    ],
)
def test_rollback_asks_for_one_version_at_100(api: StubGateway, arguments: list[str], body: object) -> None:
    """R93, R95: without a version the gateway finds the stable one."""
    api.on("POST", f"{SHOP}/rollback", stub_gateway.created((V1, 100), warnings=["careful"]))

    result = gateway(api, "rollback", *arguments)

    assert result.exit_code == 0
    assert api.asked("POST", f"{SHOP}/rollback")[0].body == body
    assert "Deployment 3 of shop is active: v1 (11111111) 100%." in result.stdout
    assert result.stderr == "warning: careful\n"


# Explaining


def explanation(**changes: object) -> dict[str, object]:
    """Return why a request with an affinity key goes to v2."""
    return {
        "worker": "shop",
        "route": "shop.localhost/*",
        "problem": None,
        "steps": [
            {"rule": "override", "outcome": "ignored", "detail": "not-deployed: v3 is not", "cites": "R29"},
            {"rule": "affinity_key", "outcome": "decided", "detail": "key 'u1' lies at 92.5", "cites": "R23"},
        ],
        "decision": {
            "version_id": V2,
            "tag": "v2",
            "reason": "affinity",
            "point": 92.5,
            "low": 90,
            "high": 100,
            "cohort": "",
            "state": "running",
            "ignored": [{"signal": "override", "cause": "not-deployed", "detail": "v3 is not", "rule": "R29"}],
        },
        "deployment": stub_gateway.deployment(2, (V1, 90), (V2, 10), active=True),
        "counts": [],
        **changes,
    }


def test_explain_sends_the_request_and_shows_every_step(api: StubGateway) -> None:
    """Headers as curl takes them; the point lies under the range of the version that answers."""
    api.on("POST", "/api/explain", explanation())

    key = "Cloudflare-Workers-Version-Key: a:b"
    result = gateway(api, "explain", "http://shop.localhost:8787/cart", "-H", key, "-H", "X-Y:", "-X", "PUT")

    assert result.exit_code == 0, result.output
    assert api.asked("POST", "/api/explain")[0].body == {
        "url": "http://shop.localhost:8787/cart",
        "method": "PUT",
        "headers": [["Cloudflare-Workers-Version-Key", "a:b"], ["X-Y", ""]],
    }
    for text in ("affinity key", "R23", "R29", "▲ 92.5000", "[90, 100)", "v2 (22222222)", "not-deployed (R29)"):
        assert text in result.stdout


def test_explain_counts_the_versions_of_many_decisions(api: StubGateway) -> None:
    """R44: the share that came out stands beside the percentage that was set."""
    counts = [{"version_id": V1, "tag": "v1", "count": 907}, {"version_id": V2, "tag": "v2", "count": 93}]
    api.on("POST", "/api/explain", explanation(counts=counts))

    result = gateway(api, "explain", "http://shop.localhost:8787/", "--count", "1000")

    assert api.asked("POST", "/api/explain")[0].body == {"url": "http://shop.localhost:8787/", "count": 1000}
    assert "1000 decisions:" in result.stdout
    (line,) = [line for line in result.stdout.splitlines() if " 907 " in line]
    assert line.split()[:5] == ["v1", "(11111111)", "907", "90.7%", "90%"]


def test_a_terminal_without_unicode_gets_a_bar_all_the_same(api: StubGateway) -> None:
    """What its encoding lacks is drawn with what it has; nothing fails."""
    api.on("POST", "/api/explain", explanation(route="日本"))
    start = Start(Terminal(), {"GATEWAY_CONTROL": api.url})

    result = CliRunner(charset="ascii").invoke(cli, ["explain", "/"], obj=start)

    assert result.exit_code == 0, result.output
    assert f"0 {'#' * 45}{'.' * 5} 100" in result.stdout
    assert "^ 92.5000" in result.stdout
    assert "??" in result.stdout


def test_explain_says_why_there_is_no_version(api: StubGateway) -> None:
    """The explanation is the answer, so the exit code is 0."""
    api.on(
        "POST",
        "/api/explain",
        explanation(worker=None, route="", problem="no route matches", steps=[], decision=None, deployment=None),
    )

    result = gateway(api, "explain", "other.localhost/")

    assert result.exit_code == 0
    assert "no version: no route matches" in result.stdout
    assert api.asked("POST", "/api/explain")[0].body == {"url": "http://other.localhost/"}


def test_explain_takes_a_path_alone(api: StubGateway) -> None:
    """It is a path of the gateway itself."""
    api.on("POST", "/api/explain", explanation())

    gateway(api, "explain", "/cart/user-123")

    assert api.asked("POST", "/api/explain")[0].body == {"url": "http://127.0.0.1:8787/cart/user-123"}


@pytest.mark.parametrize("header", ["no colon", ": value", ""])
def test_explain_refuses_what_is_no_header(api: StubGateway, header: str) -> None:
    """A usage error that shows the form."""
    result = gateway(api, "explain", "/", "-H", header)

    assert result.exit_code == 2
    assert "'Name: value'" in result.stderr


# Durable Objects


def test_objects_list_passes_its_filters_on_and_tells_the_next_page(api: StubGateway) -> None:
    """Pages, since a class may have a million objects."""
    pinned = stub_gateway.durable_object(pinned=V1, running=V2, running_tag="v2")
    unnamed = stub_gateway.durable_object(name=None, id="cd" * 32)
    api.on("GET", f"{SHOP}/objects", {"objects": [pinned, unnamed], "total": 70, "next": "cdcd"})

    result = gateway(
        api, "objects", "list", "--class", "Cart", "--search", "user &", "--after", "ab", "--limit", "2"
    )

    assert result.exit_code == 0
    query = "class=Cart&search=user+%26&after=ab&limit=2"
    assert api.received[-1].target == f"{SHOP}/objects?{query}"
    for text in ("user-123", "pinned, runs v2", "cd" * 32, "2 of 70 objects.", "--after cdcd"):
        assert text in result.stdout


def test_objects_list_of_a_past_deployment_shows_what_is_known(api: StubGateway) -> None:
    """The API tells class, id, name and version only."""
    past = {"class": "Cart", "id": "ab" * 32, "name": "user-123", "assigned": V1, "assigned_tag": "v1"}
    api.on("GET", f"{SHOP}/objects", {"objects": [past], "total": 1, "next": None})

    result = gateway(api, "objects", "list", "--deployment", "1")

    assert api.received[-1].target == f"{SHOP}/objects?limit=50&deployment=1"
    assert result.stdout.splitlines()[1].split() == ["user-123", "v1", "(11111111)"]
    assert "--after" not in result.stdout


def test_objects_list_says_when_there_is_none(api: StubGateway) -> None:
    """Of how many is told too: a search may just not match."""
    api.on("GET", f"{SHOP}/objects", {"objects": [], "total": 3, "next": None})

    assert gateway(api, "objects", "list").stdout == "No Durable Object here; the class has 3.\n"


def test_objects_show_tells_the_history(api: StubGateway) -> None:
    """R56: each version it had, under which deployment, and why it changed."""
    shown = {
        "object": stub_gateway.durable_object(name="a/b c", pinned=V2, running=V2, running_tag="v2", resets=1),
        "history": [
            {"deployment": 3, "version_id": V2, "tag": "v2", "cause": "moved", "at": "2026-11-23T12:00:00Z"},
        ],
    }
    api.on("GET", f"{SHOP}/objects/Cart/a%2Fb%20c", shown)

    result = gateway(api, "objects", "show", "a/b c")

    assert result.exit_code == 0, result.output
    for text in ("a/b c", "still runs", "to 22222222", "35.25 of 100", "moved", "2026-11-23 12:00:00"):
        assert text in result.stdout


@pytest.mark.parametrize(
    ("arguments", "method", "body"),
    [(["pin", "user-123", "v2"], "PUT", {"version": "v2"}), (["unpin", "user-123"], "DELETE", None)],
)
def test_objects_pin_and_unpin(api: StubGateway, arguments: list[str], method: str, body: object) -> None:
    """They answer with the object as it is now."""
    path = f"{SHOP}/objects/Cart/user-123/pin"
    api.on(method, path, stub_gateway.durable_object(pinned=V2 if body else None))

    result = gateway(api, "objects", *arguments)

    assert result.exit_code == 0, result.output
    assert api.asked(method, path)[0].body == body
    assert ("pinned" in result.stdout) is bool(body)


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        (["1", "3"], "from=1&to=3"),
        ([], "from=1&to=2"),
        (["1"], "from=1&to=2"),
        (["1", "3", "--class", "Cart"], "class=Cart&from=1&to=3"),
    ],
)
def test_objects_diff_compares_with_the_active_deployment_unless_told(
    api: StubGateway, arguments: list[str], query: str
) -> None:
    """Without numbers: what the last deployment moved."""
    api.on("GET", f"{SHOP}/deployments/active", stub_gateway.deployment(2, (V1, 100), active=True))
    changes = [
        {"id": "ab" * 32, "name": "user-456", "before": V1, "before_tag": "v1", "after": V2, "after_tag": "v2"},
        {"id": "cd" * 32, "name": None, "before": None, "before_tag": "", "after": V2, "after_tag": "v2"},
    ]
    api.on("GET", f"{SHOP}/objects/diff", {"changes": changes, "total": 5})

    result = gateway(api, "objects", "diff", *arguments)

    assert api.received[-1].target == f"{SHOP}/objects/diff?{query}&limit=50"
    assert result.stdout.splitlines()[1].split() == ["user-456", "v1", "(11111111)", "v2", "(22222222)"]
    assert "not used yet" in result.stdout
    assert "2 of 5 objects" in result.stdout


def test_objects_diff_needs_two_deployments(api: StubGateway) -> None:
    """Refused with a remedy, before anything is asked."""
    api.on("GET", f"{SHOP}/deployments/active", stub_gateway.deployment(1, (V1, 100), active=True))

    result = gateway(api, "objects", "diff")

    assert result.exit_code == 1
    assert "only one deployment" in result.stderr


@pytest.mark.parametrize(
    ("classes", "code", "text"),
    [
        ([], 1, "has no Durable Objects"),
        (["Cart", "Room"], 2, "2 classes: Cart, Room. Choose one with --class NAME."),
    ],
)
def test_of_several_classes_one_must_be_named(api: StubGateway, classes: list[str], code: int, text: str) -> None:
    """The error lists them."""
    api.on("GET", "/api/status", stub_gateway.status(stub_gateway.worker_status(classes=classes)))

    result = gateway(api, "objects", "show", "user-123")

    assert result.exit_code == code
    assert text in result.stderr


# Every command


COMMANDS = [
    ["versions", "list"],
    ["versions", "view", "v1"],
    ["versions", "deploy", "v1"],
    ["deployments", "list"],
    ["deployments", "status"],
    ["rollback"],
    ["explain", "http://shop.localhost/"],
    ["objects", "list"],
    ["objects", "show", "user-123"],
    ["objects", "pin", "user-123", "v1"],
    ["objects", "unpin", "user-123"],
    ["objects", "diff", "1", "2"],
]


@pytest.mark.parametrize("arguments", COMMANDS)
def test_every_command_tells_that_no_gateway_runs(arguments: list[str], tmp_path: Path) -> None:
    """It names the file that would say where, and the command that starts one; exit code 1."""
    result = CliRunner().invoke(cli, ["--state", str(tmp_path), *arguments], obj=Start(Terminal(), {}))

    assert result.exit_code == 1
    assert f"{tmp_path}/run.json does not exist" in result.stderr
    assert "gateway run" in result.stderr
    assert result.stdout in {"", "Deploying to shop: v1 100%\n"}


@pytest.mark.parametrize("arguments", COMMANDS)
def test_every_command_tells_what_the_api_refuses(api: StubGateway, arguments: list[str]) -> None:
    """The stub refuses all but the status: message and remedy on stderr, exit code 1."""
    result = gateway(api, *arguments)

    assert result.exit_code == 1
    assert result.stderr.startswith("error: nothing at /api/")
    assert result.stderr.endswith("remedy: Look at the list.\n")


@pytest.mark.parametrize("arguments", COMMANDS)
def test_every_command_says_when_something_else_answers(api: StubGateway, arguments: list[str]) -> None:
    """A web server on that port is no gateway; no traceback."""
    for key in list(api.answers):
        api.answers[key] = (200, b"<html>hello</html>")
    api.on("POST", "/api/explain", [1, 2])

    result = gateway(api, *arguments)

    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "not as a gateway" in result.stderr


@pytest.mark.parametrize("options_first", [True, False])
def test_the_state_folder_may_be_named_before_or_after_the_command(
    api: StubGateway, tmp_path: Path, options_first: bool
) -> None:
    """Its run.json says where the gateway is; what is typed wins over GATEWAY_CONTROL."""
    api.on("GET", f"{SHOP}/versions", {"versions": []})
    (tmp_path / "run.json").write_text(json.dumps({"url": "", "control": api.url, "pid": 1}))
    state, command = ["--state", str(tmp_path)], ["versions", "list"]

    start = Start(Terminal(), {"GATEWAY_CONTROL": "http://127.0.0.1:9"})
    result = CliRunner().invoke(cli, state + command if options_first else command + state, obj=start)

    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("options_first", [True, False])
def test_the_api_may_be_named_before_or_after_the_command(api: StubGateway, options_first: bool) -> None:
    """--control needs no file."""
    api.on("GET", f"{SHOP}/versions", {"versions": []})
    control, command = ["--control", api.url + "/"], ["versions", "list"]

    result = CliRunner().invoke(
        cli, control + command if options_first else command + control, obj=Start(Terminal(), {})
    )

    assert result.exit_code == 0, result.output


def test_colour_comes_only_where_it_is_allowed(api: StubGateway) -> None:
    """Plain when not a terminal or with NO_COLOR; the words are the same."""
    api.on("POST", f"{SHOP}/rollback", stub_gateway.created((V1, 100), warnings=["careful"]))
    coloured = Terminal(out=Style(colour=True), err=Style(colour=True))
    start = Start(coloured, {"GATEWAY_CONTROL": api.url})

    plain = gateway(api, "rollback")
    bright = CliRunner().invoke(cli, ["rollback"], obj=start, color=True)

    assert "\x1b" not in plain.output
    assert bright.stderr == "\x1b[33mwarning: careful\x1b[0m\n"
    assert "\x1b[32m" in bright.stdout


def test_an_interrupt_exits_130_quietly(api: StubGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while a command waits."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gateway.control.client.GatewayClient.status", interrupted)

    result = gateway(api, "versions", "list")

    assert (result.exit_code, result.output) == (130, "")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["versions", "--help"], ["versions", "deploy", "-h"], ["--version"]]
)
def test_help_needs_no_gateway_and_loads_neither_server_nor_tables(arguments: list[str]) -> None:
    """It must come at once: no aiohttp, no rich, no HTTP."""
    program = (
        "import sys\nfrom gateway.cli.main import cli\n"
        f"try:\n    cli({arguments!r})\nfinally:\n"
        "    slow = {'aiohttp', 'asyncio', 'rich', 'http.client', 'yaml', 'structlog'} & set(sys.modules)\n"
        "    assert not slow, slow\n"
    )

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (result.returncode, result.stderr) == (0, "")
    assert "gateway" in result.stdout or "Usage" in result.stdout


def test_help_names_every_command_on_one_line_with_examples() -> None:
    """In the order of the work, not of the alphabet."""
    text = CliRunner().invoke(cli, ["--help"]).stdout
    listed = text.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()

    assert [line.split()[0] for line in listed] == list(cli.commands)
    assert "Examples:\n" in text


def test_python_m_gateway_is_the_command() -> None:
    """And it calls itself ``gateway`` in its usage."""
    result = subprocess.run(
        [sys.executable, "-m", "gateway", "nonsense"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )

    assert result.returncode == 2
    assert result.stderr.startswith("Usage: gateway ")
