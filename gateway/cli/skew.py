"""``gateway skew``: version skew that was found in live traffic."""

from __future__ import annotations

from typing import Final

import click

from gateway.cli.render_skew import forgotten, incidents
from gateway.cli.session import Session, connected

KINDS: Final = ("asset_skew", "session_skew", "flow_skew", "object_skew", "stale_tab")


@click.command(short_help="Show version skew that was found in live traffic.")
@click.option(
    "--since", metavar="TIME", help="Only what was seen since: 30s, 10m, 2h, 1d, or 2026-11-23T10:00:00Z."
)
@click.option("--kind", type=click.Choice(KINDS), help="Only of this kind.")
@click.option("--forget", is_flag=True, help="Forget all traffic and incidents, and begin anew.")
@connected
def skew(session: Session, *, since: str | None, kind: str | None, forget: bool) -> None:
    """Show where requests that belong together met different versions, with proof, cause and remedy.

    Without --worker it is of all Workers. What a line marks as inferred is concluded, not known.
    """
    if forget:
        count = session.client.forget_skew()
        session.answer({"forgotten": count}, lambda _style: forgotten(count))
        return
    found = session.client.skew(since=since, worker=session.named_worker, kind=kind)
    session.answer(found, lambda style: incidents(found, style))
