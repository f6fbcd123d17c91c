"""``gateway fault``, against a server that answers as the API does."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from gateway.cli.main import cli
from gateway.cli.session import Start, Terminal
from tests.cli import stub_gateway
from tests.cli.stub_gateway import StubGateway

SLOW = {
    "kind": "latency",
    "name": "slow",
    "ms": 300.0,
    "version": "v2",
    "share": 10.0,
    "met": 0,
    "from_file": False,
}


@pytest.fixture
def api() -> Iterator[StubGateway]:
    """Return a gateway."""
    with stub_gateway.serving() as stub:
        yield stub


def gateway(api: StubGateway, *arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, obj=Start(Terminal(), {"GATEWAY_CONTROL": api.url}))


def test_a_fault_is_added_as_it_was_typed(api: StubGateway) -> None:
    """Issue D, faults: ``gateway fault add``; nothing is sent that was not said."""
    api.on("POST", "/api/faults", SLOW)

    result = gateway(
        api, "fault", "add", "latency", "--ms", "300", "--version", "v2", "--share", "10", "--as", "slow"
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    assert [one.body for one in api.asked("POST", "/api/faults")] == [
        {"kind": "latency", "name": "slow", "ms": 300.0, "version": "v2", "share": 10.0}
    ]
    assert "slow: latency ms=300 for version=v2 share=10." in result.stdout
    assert "gateway fault clear slow" in result.stdout


def test_every_field_has_an_option(api: StubGateway) -> None:
    """docs/faults.md: what the API takes, the command line takes."""
    api.on("POST", "/api/faults", SLOW)
    words = (
        "hang --worker shop --object Cart/foo --path /a* --after-switch-ms 50 --times 2 --jitter-ms 1 "
        "--status 500 --first-byte after --bytes-per-second 9 --bindings-only"
    )

    assert gateway(api, "fault", "add", *words.split()).exit_code == 0
    assert [one.body for one in api.asked("POST", "/api/faults")] == [
        {
            "kind": "hang", "worker": "shop", "object": "Cart/foo", "path": "/a*", "after_switch_ms": 50.0,
            "times": 2, "jitter_ms": 1.0, "status": 500, "first_byte": "after", "bytes_per_second": 9.0,
            "bindings_only": True,
        }
    ]  # fmt: skip


def test_faults_are_listed_with_what_became_of_them(api: StubGateway) -> None:
    """Issue D, faults: ``gateway fault list``."""
    api.on("GET", "/api/faults", {"faults": [{**SLOW, "met": 1200}]})
    lines = gateway(api, "fault", "list").stdout.splitlines()
    assert lines[-1].split() == ["slow", "latency", "ms=300", "version=v2", "share=10", "1200"]
    assert json.loads(gateway(api, "fault", "list", "--json").stdout)["faults"][0]["met"] == 1200

    api.on("GET", "/api/faults", {"faults": []})
    assert "Nothing goes wrong on purpose" in gateway(api, "fault", "list").stdout


def test_one_fault_or_all_are_cleared(api: StubGateway) -> None:
    """Issue D, faults: ``gateway fault clear``."""
    api.on("DELETE", "/api/faults", {"cleared": 3})
    api.on("DELETE", "/api/faults/slow", {"cleared": 1, "name": "slow"})

    assert gateway(api, "fault", "clear").stdout == "Took 3 faults away.\n"
    assert gateway(api, "fault", "clear", "slow").stdout == "Took 1 fault away.\n"


@pytest.mark.parametrize(
    "words", ["flood", "latency --ms -1", "status --status 99", "hang --share 0", "hang --times 0"]
)
def test_what_makes_no_sense_is_a_usage_error(api: StubGateway, words: str) -> None:
    """Design 7: exit code 2."""
    assert gateway(api, "fault", "add", *words.split()).exit_code == 2
