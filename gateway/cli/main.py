"""The command ``gateway``: arguments -> calls of the API -> text and an exit code.

Exit codes: 0 done; 1 refused, with what to do about it on stderr; 2 arguments that make no sense; 130 interrupted.
``health`` has two more: 3 wait, 4 roll back. ``compare`` has one: 3 something differs. ``test`` says 1 where a
scenario failed, and 2 where a file makes no sense.
Every command but ``run``, ``check``, ``simulate`` and ``setup`` is a client of a running gateway, as any other
program could be.
"""

from __future__ import annotations

from pathlib import Path

import click

from gateway import __version__
from gateway.cli.compare import compare
from gateway.cli.deployments import deployments, rollback
from gateway.cli.explain import explain
from gateway.cli.fault import fault
from gateway.cli.health import health
from gateway.cli.objects import objects
from gateway.cli.run import check, run
from gateway.cli.session import CONTEXT_SETTINGS, RootGroup, Start
from gateway.cli.setup import setup
from gateway.cli.simulate import simulate
from gateway.cli.skew import skew
from gateway.cli.tail import tail
from gateway.cli.test import test
from gateway.cli.top import top
from gateway.cli.trigger import trigger
from gateway.cli.versions import versions

EXAMPLES = """\b
Examples:
  gateway run -c config/gateway.yaml --seed 42
  gateway versions deploy v1@90% v2@10% --message "10% on v2"
  gateway versions deploy --percentage 50        the newest gets 50, the stable one the rest
  gateway explain http://shop.localhost:8787/ -H "Cloudflare-Workers-Version-Key: user-123"
  gateway tail --status error
  gateway health && gateway versions deploy --percentage 50 -y
  gateway objects show user-123
  gateway test scenarios/*.yaml -c config/gateway.yaml --junit report.xml
  gateway rollback --message "v2 loses carts"
"""


@click.group(cls=RootGroup, context_settings=CONTEXT_SETTINGS, epilog=EXAMPLES)
@click.version_option(__version__, prog_name="gateway")
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="State folder of the gateway; its run.json says where the gateway listens.  [default: .gateway]",
)
@click.option(
    "--control", metavar="URL", help="Base URL of the gateway's API, instead of --state.  [env: GATEWAY_CONTROL]"
)
@click.pass_context
def cli(ctx: click.Context, state: Path | None, control: str | None) -> None:
    """Run several versions of your Workers side by side, and decide which one answers."""
    start = Start.of(ctx)
    ctx.obj = Start(start.terminal, start.environment, state, control)


for _command in (
    run, check, explain, versions, deployments, rollback, health, tail, top, skew, objects, fault, trigger,
    compare, simulate, test, setup,
):  # fmt: skip
    cli.add_command(_command)


def main() -> None:
    """Run the command that the process's arguments name, and exit with its code."""
    cli(prog_name="gateway")
