"""``gateway versions deploy``, with and without a terminal."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from click.testing import CliRunner, Result

from gateway.cli.main import cli
from gateway.cli.session import Start, Terminal
from tests.cli import stub_gateway
from tests.cli.stub_gateway import V1, V2, V3, StubGateway

DEPLOYMENTS = "/api/workers/shop/deployments"


@pytest.fixture
def api() -> Iterator[StubGateway]:
    """Return a gateway with v1 at 90 and v2 at 10 that accepts every deployment."""
    with stub_gateway.serving() as stub:
        stub.on("POST", DEPLOYMENTS, stub_gateway.created((V1, 90), (V2, 10)))
        yield stub


def deploy(api: StubGateway, *arguments: str, interactive: bool = False, answers: str = "") -> Result:
    """Run the command against the stub; ``answers`` is what the user types."""
    start = Start(Terminal(interactive=interactive), {"GATEWAY_CONTROL": api.url})
    return CliRunner().invoke(cli, ["versions", "deploy", *arguments], obj=start, input=answers)


def sent(api: StubGateway) -> list[object]:
    """Return the bodies of the deployments asked for."""
    return [received.body for received in api.asked("POST", DEPLOYMENTS)]


@pytest.mark.parametrize(
    ("arguments", "versions", "understood"),
    [
        (
            ["v1@90%", "v2@10%"],
            [{"version": "v1", "percentage": 90}, {"version": "v2", "percentage": 10}],
            "Deploying to shop: v1 90%, v2 10%",
        ),
        (
            ["v1@12.5", "v2"],
            [{"version": "v1", "percentage": 12.5}, {"version": "v2"}],
            "Deploying to shop: v1 12.5%, v2 87.5%",
        ),
        (
            ["--version-id", V1, "--percentage", "100", "--yes"],
            [{"version": V1, "percentage": 100}],
            f"Deploying to shop: {V1} 100%",
        ),
        (
            ["--version-tag", "v1@30", "--version-tag", "v2"],
            [{"version": "v1", "percentage": 30}, {"version": "v2"}],
            "Deploying to shop: v1 30%, v2 70%",
        ),
        (
            ["--percentage", "50"],
            [{"version": V1, "percentage": 50}, {"version": V2, "percentage": 50}],
            "the stable version v1 (11111111) 50%, the newest version v2 (22222222) 50%",
        ),
        (["--percentage", "0"], [{"version": V1, "percentage": 100}], "the stable version v1 (11111111) 100%"),
    ],
)
def test_each_form_is_sent_as_it_is_meant_and_told_before(
    api: StubGateway, arguments: list[str], versions: list[object], understood: str
) -> None:
    """R102, R45 and S4; without a terminal nothing is asked (R18)."""
    result = deploy(api, *arguments)

    assert result.exit_code == 0, result.output
    assert sent(api) == [{"versions": versions}]
    assert understood in result.stdout
    assert result.stdout.index(understood) < result.stdout.index("Deployment 3 of shop is active")


def test_the_message_and_a_dry_run_are_passed_on(api: StubGateway) -> None:
    """A dry run says what would happen, and that nothing did."""
    api.on("POST", DEPLOYMENTS, stub_gateway.created((V1, 100), dry_run=True))

    result = deploy(api, "v1", "--message", "back", "--dry-run", interactive=True)

    assert result.exit_code == 0
    assert sent(api) == [{"versions": [{"version": "v1"}], "message": "back", "dry_run": True}]
    assert "Dry run: shop would get v1 (11111111) 100%" in result.stdout
    assert "Nothing was changed." in result.stdout


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["v1@101%", "v2"], "Percentage value 101% (from 'v1@101%') is out of range."),
        (["v1@50", "v2@40"], "add up to 90%, but must total exactly 100%."),
        (
            ["--version-id", V1, "--percentage", "-1"],
            "Percentage value -1% (from '--percentage -1') is out of range.",
        ),
    ],
)
def test_wrong_percentages_are_refused_before_anything_is_sent(
    api: StubGateway, arguments: list[str], text: str
) -> None:
    """R103's texts and exit code 1, with a remedy on stderr."""
    result = deploy(api, *arguments)

    assert result.exit_code == 1
    assert text in result.stderr
    assert "remedy:" in result.stderr
    assert api.received == [] or sent(api) == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "gateway versions deploy v1@90% v2@10%"),
        (["--percentage", "10", "--percentage", "90"], "2 percentages, but no versions"),
        (["--version-id", V1, "--percentage", "10", "--percentage", "90"], "go together by position"),
        (["--percentage", "much"], "holds no percentage"),
        (["@10"], "names no version"),
    ],
)
def test_unclear_arguments_are_a_usage_error_with_or_without_a_gateway(arguments: list[str], text: str) -> None:
    """Exit code 2; without a terminal, naming no version is one too."""
    start = Start(Terminal(), {"GATEWAY_CONTROL": "http://127.0.0.1:9"})
    result = CliRunner().invoke(cli, ["versions", "deploy", *arguments], obj=start)

    assert result.exit_code == 2
    assert text in result.stderr
    assert "Usage: " in result.stderr


def test_what_the_gateway_refuses_is_told_with_its_remedy(api: StubGateway) -> None:
    """The API's own words, exit code 1."""
    api.on("POST", DEPLOYMENTS, stub_gateway.refusal(90_030, "there is no version 'v9'", "Known: v1, v2."), 404)

    result = deploy(api, "v9")

    assert result.exit_code == 1
    assert result.stderr == "error: there is no version 'v9'\nremedy: Known: v1, v2.\n"


def test_a_percentage_alone_needs_a_version_and_a_stable_one(api: StubGateway) -> None:
    """S4: what cannot be guessed is refused, with the command that says it."""
    api.on("GET", "/api/status", stub_gateway.status(stub_gateway.worker_status(versions=[], active=None)))
    none_uploaded = deploy(api, "--percentage", "10")
    only_newest = stub_gateway.deployment(2, (V2, 100), active=True)
    api.on("GET", "/api/status", stub_gateway.status(stub_gateway.worker_status(active=only_newest)))
    none_stable = deploy(api, "--percentage", "10")

    assert (none_uploaded.exit_code, none_stable.exit_code) == (1, 1)
    assert "has no version to deploy" in none_uploaded.stderr
    assert "gateway versions deploy OTHER@90 22222222@10" in none_stable.stderr
    assert sent(api) == []


def test_warnings_go_to_stderr_and_json_stands_alone_on_stdout(api: StubGateway) -> None:
    """With --json stdout is for a program; what was understood goes to stderr as well."""
    answer = stub_gateway.created((V1, 90), (V2, 10), warnings=["10% of all affinity keys leave v1"])
    api.on("POST", DEPLOYMENTS, answer)

    result = deploy(api, "v1@90", "v2@10", "--json")

    assert json.loads(result.stdout) == answer
    assert "warning: 10% of all affinity keys leave v1" in result.stderr
    assert "Deploying to shop" in result.stderr


@pytest.mark.parametrize(
    ("answer", "code", "deployments"), [("\n", 0, 2), ("y\n", 0, 2), ("n\n", 1, 1), ("", 1, 1)]
)
def test_on_a_terminal_the_change_is_shown_and_confirmed(
    api: StubGateway, answer: str, code: int, deployments: int
) -> None:
    """A dry run tells the new split and what moves; only then the real one."""
    warning = "order changed"
    api.on("POST", DEPLOYMENTS, stub_gateway.created((V1, 50), (V2, 50), warnings=[warning], moved_percentage=40))

    result = deploy(api, "v1@50", "v2@50", interactive=True, answers=answer)

    assert result.exit_code == code
    assert (
        "now:   v1 (11111111) 90%, v2 (22222222) 10%\nnew:   v1 (11111111) 50%, v2 (22222222) 50%" in result.stdout
    )
    assert "40% of all affinity keys and 3 known objects change their version" in result.stdout
    assert result.stderr.count(warning) == 1
    bodies = api.asked("POST", DEPLOYMENTS)
    assert [body.body.get("dry_run") for body in bodies] == [True, None][:deployments]
    assert ("Nothing was changed." in result.stdout) is (answer == "n\n")


def test_yes_on_a_terminal_asks_nothing(api: StubGateway) -> None:
    """-y, as with wrangler."""
    result = deploy(api, "v1@50", "v2@50", "-y", interactive=True)

    assert result.exit_code == 0
    assert len(sent(api)) == 1


def test_without_arguments_it_asks_which_versions_and_each_percentage(api: StubGateway) -> None:
    """R102, S8: the newest first, those deployed marked; the order of the active deployment stays (R49)."""
    third = stub_gateway.version(3, message="faster cart")
    worker = stub_gateway.worker_status(
        versions=[third, stub_gateway.version(2, percentage=10), stub_gateway.version(1, percentage=90)]
    )
    api.on("GET", "/api/status", stub_gateway.status(worker))

    result = deploy(api, interactive=True, answers="1 3\n80\n\ny\n")

    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [line[:3] for line in lines[1:4]] == [["1", "-", V3[:8]], ["2", "v2", V2[:8]], ["3", "v1", V1[:8]]]
    assert "active, 90%" in result.stdout
    assert "Percentage of v1 (11111111) [50%]" in result.stdout
    assert "Percentage of 33333333 [20%]" in result.stdout
    meant = [{"version": V1, "percentage": 80}, {"version": V3, "percentage": 20}]
    assert sent(api) == [{"versions": meant, "dry_run": True}, {"versions": meant}]


def test_wrong_answers_are_asked_for_again(api: StubGateway) -> None:
    """A number outside the list, a percentage out of range, a sum that is not 100."""
    result = deploy(api, interactive=True, answers="7\n1 2\n101\nten\n60\n30\n60\n40\ny\n")

    assert result.exit_code == 0, result.output
    assert "'7' is not in the list" in result.output
    assert "Percentage value 101%" in result.output
    assert "'ten' holds no percentage" in result.output
    assert "add up to 90%, but must total exactly 100%." in result.stderr
    assert sent(api)[-1] == {"versions": [{"version": V1, "percentage": 60}, {"version": V2, "percentage": 40}]}


def test_one_chosen_version_gets_all_without_a_question(api: StubGateway) -> None:
    """Only 100 would be right."""
    result = deploy(api, "-y", interactive=True, answers="1\n")

    assert result.exit_code == 0, result.output
    assert sent(api) == [{"versions": [{"version": V2, "percentage": 100}]}]


def test_the_end_of_the_input_changes_nothing(api: StubGateway) -> None:
    """Ctrl-D at a prompt: exit code 1, and no traceback."""
    result = deploy(api, interactive=True, answers="1 2\n")

    assert result.exit_code == 1
    assert sent(api) == []


def test_at_most_the_last_100_versions_are_offered(api: StubGateway) -> None:
    """R12: older ones cannot be deployed."""
    many = [stub_gateway.version(1, id=f"{number:08d}{V1[8:]}", number=number) for number in range(1, 131)]
    api.on("GET", "/api/status", stub_gateway.status(stub_gateway.worker_status(versions=many)))

    result = deploy(api, interactive=True, answers="")

    shown = [line.split() for line in result.stdout.splitlines() if "v1" in line]
    assert (len(shown), shown[0][2], shown[-1][2]) == (100, "00000130", "00000031")


# The terminal must control the process's session, or Ctrl-C would be no signal; and tests that run in the
# background of a shell hand down that they ignore it.
ON_TERMINAL = """
import fcntl, signal, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.default_int_handler)
from gateway.cli.main import main
main()
"""


class Typist:
    """Somebody at a real terminal, who reads the prompts and types."""

    def __init__(self, api: StubGateway, *arguments: str) -> None:
        self.screen, child = pty.openpty()
        environment = {**os.environ, "GATEWAY_CONTROL": api.url, "TERM": "xterm", "NO_COLOR": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", ON_TERMINAL, *arguments],
            stdin=child,
            stdout=child,
            stderr=child,
            env=environment,
            start_new_session=True,
        )
        os.close(child)
        self.seen = ""

    def wait_for(self, text: str) -> None:
        """Read until ``text`` is on the screen."""
        ends_at = time.monotonic() + 20
        while text not in self.seen:
            assert time.monotonic() < ends_at, self.seen
            if select.select([self.screen], [], [], 0.1)[0]:
                self.seen += os.read(self.screen, 4096).decode()

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.screen, text.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C, and again as people do: CPython misses one that comes just before it starts to read."""
        for _ in range(10):
            self.type("\x03")
            try:
                self.process.wait(2)
            except subprocess.TimeoutExpired:
                continue
            return

    def ended(self) -> int:
        """Return the exit code, once all is on the screen."""
        code = self.process.wait(20)
        while select.select([self.screen], [], [], 0)[0]:
            try:
                self.seen += os.read(self.screen, 4096).decode()
            except OSError:  # Linux says so when the last process has closed its end
                break
        return code

    def leave(self) -> None:
        """End the process, if it has not ended, and turn off the screen."""
        self.process.kill()
        self.process.wait()
        os.close(self.screen)


StartTyping = Callable[..., Typist]


@pytest.fixture
def typist(api: StubGateway) -> Iterator[StartTyping]:
    """Return a function that runs a command on a terminal; it is surely ended."""
    with ExitStack() as stack:

        def start(*arguments: str) -> Typist:
            typist = Typist(api, *arguments)
            stack.callback(typist.leave)
            return typist

        yield start


def test_on_a_real_terminal_the_whole_conversation_works(api: StubGateway, typist: StartTyping) -> None:
    """A pseudo-terminal is seen as one, and the questions come."""
    user = typist("versions", "deploy")
    user.wait_for("Versions to deploy")
    user.type("1 2\n")
    user.wait_for("Percentage of v1")
    user.type("75\n")
    user.wait_for("[25%]")
    user.type("\n")
    user.wait_for("Deploy?")
    user.type("y\n")
    user.wait_for("Deployment 3 of shop is active")

    assert user.ended() == 0
    assert sent(api)[-1] == {"versions": [{"version": V1, "percentage": 75}, {"version": V2, "percentage": 25}]}


def test_ctrl_c_at_a_prompt_exits_130_quietly(api: StubGateway, typist: StartTyping) -> None:
    """No traceback, no 'Aborted!', nothing sent."""
    user = typist("versions", "deploy")
    user.wait_for("Versions to deploy")
    user.interrupt()

    assert user.ended() == 130
    assert "Traceback" not in user.seen
    assert "Abort" not in user.seen
    assert sent(api) == []
