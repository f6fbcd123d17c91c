"""``gateway trigger``: make happen now what else happens by itself."""

from __future__ import annotations

import click

from gateway.cli import render
from gateway.cli.session import OrderedGroup, Session, connected

OK = "ok"


@click.group(cls=OrderedGroup, short_help="Fire a cron trigger now.")
def trigger() -> None:
    """Make happen now what else happens at its time."""


@trigger.command(short_help="Run a Worker's scheduled handler now.")
@click.argument("cron", required=False)
@connected
@click.pass_context
def cron(ctx: click.Context, session: Session, cron: str | None) -> None:
    """Run the scheduled handler with CRON, on a version that the percentages draw.

    CRON is any expression, such as "*/5 * * * *"; the Worker gets it as event.cron. It may be left out where the
    Worker has exactly one. Exit code 1 where the handler failed.
    """
    fired = session.client.trigger_cron(session.worker(), cron)
    session.answer(fired, lambda style: render.fired_cron(fired, style))
    if fired["outcome"] != OK:
        ctx.exit(1)
