"""``gateway trigger cron``, against a server that answers as the API does."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from gateway.cli.main import cli
from gateway.cli.session import Start, Terminal
from tests.cli import stub_gateway
from tests.cli.stub_gateway import V2, StubGateway

TRIGGER = "/api/workers/shop/crons/trigger"


@pytest.fixture
def api() -> Iterator[StubGateway]:
    """Return a gateway whose Worker runs crons."""
    with stub_gateway.serving() as stub:
        stub.on("POST", TRIGGER, fired())
        yield stub


def fired(outcome: str = "ok") -> dict[str, str]:
    return {"cron": "*/5 * * * *", "version_id": V2, "tag": "v2", "outcome": outcome}


def gateway(api: StubGateway, *arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, obj=Start(Terminal(), {"GATEWAY_CONTROL": api.url}))


@pytest.mark.parametrize(("arguments", "body"), [((), {}), (("0 17 * * sun",), {"cron": "0 17 * * sun"})])
def test_a_cron_is_fired_and_its_version_told(
    api: StubGateway, arguments: tuple[str, ...], body: dict[str, str]
) -> None:
    """Issue B: ``gateway trigger cron`` fires one now; the only one where none is named."""
    result = gateway(api, "trigger", "cron", *arguments)

    assert (result.exit_code, result.stdout) == (0, "cron '*/5 * * * *' ran on v2 (22222222): ok\n")
    assert [one.body for one in api.asked("POST", TRIGGER)] == [body]


def test_a_handler_that_fails_fails_the_command(api: StubGateway) -> None:
    """Exit code 1, so that a script notices."""
    api.on("POST", TRIGGER, fired("exception"))
    result = gateway(api, "trigger", "cron", "--worker", "shop", "--json")

    assert (result.exit_code, json.loads(result.stdout)) == (1, fired("exception"))


def test_what_the_gateway_refuses_is_told(api: StubGateway) -> None:
    """Design 7: exit code 1, with remedy."""
    api.on("POST", TRIGGER, stub_gateway.refusal(10_100, "invalid cron string 'x'", "Write five fields."), 400)
    result = gateway(api, "trigger", "cron", "x")

    assert result.exit_code == 1
    assert "remedy: Write five fields." in result.stderr
