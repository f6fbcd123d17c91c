"""``gateway health``: may the new version get more traffic?"""

from __future__ import annotations

from typing import Final

import click

from gateway.cli import render_metrics
from gateway.cli.session import Session, connected
from gateway.cli.top import WINDOWS

EXIT_CODES: Final = {"safe": 0, "wait": 3, "roll_back": 4}


@click.command(short_help="Say whether the new version may get more traffic.")
@click.option("--baseline", metavar="VERSION", help="The version to compare with.  [default: the stable one]")
@click.option(
    "--candidate", metavar="VERSION", help="The version in question.  [default: the newest of the deployment]"
)
@click.option(
    "--window",
    type=click.Choice(WINDOWS),
    default="300",
    show_default=True,
    help="Seconds to look back, or all since the deployment.",
)
@connected
@click.pass_context
def health(
    ctx: click.Context, session: Session, *, baseline: str | None, candidate: str | None, window: str
) -> None:
    """Compare errors, P95 and share of two versions, and say what to do with the newer one.

    Exit code 0: safe to increase. 3: wait, there are too few requests, or it may be chance. 4: roll back.
    """
    found = session.client.health(session.worker(), baseline=baseline, candidate=candidate, window=window)
    session.answer(found, lambda style: render_metrics.health(found, style))
    ctx.exit(EXIT_CODES.get(found["verdict"], 1))
