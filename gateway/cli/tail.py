"""``gateway tail``: what happens at the edge, as it happens."""

from __future__ import annotations

import json

import click

from gateway.cli.render_events import event_text, missed_text
from gateway.cli.session import Session, connected

MISSED = "missed"


@click.command(short_help="Watch requests, console output and errors as they come.")
@click.option("--version", "version", metavar="VERSION", help="Only of this version: id, unique prefix or tag.")
@click.option("--status", type=click.Choice(["ok", "error"]), help="Only what went well, or what did not.")
@click.option("--method", metavar="METHOD", help="Only requests with this method.")
@click.option("--search", metavar="TEXT", help="Only what has this text in it: path, message, ray id, ...")
@click.option(
    "--sampling-rate",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="N",
    help="Only this share, above 0 and at most 1.",
)
@click.option(
    "--format",
    "shape",
    type=click.Choice(["pretty", "json"]),
    default="pretty",
    show_default=True,
    help="json: one invocation a line, in the shape of `wrangler tail --format json`.",
)
@click.option(
    "--show-all", is_flag=True, help="Show secrets too: headers and ids in URLs are redacted else (R113)."
)
@connected
def tail(
    session: Session,
    *,
    version: str | None,
    status: str | None,
    method: str | None,
    search: str | None,
    sampling_rate: float | None,
    shape: str,
    show_all: bool,
) -> None:
    """Print what happens at the edge until Ctrl-C.

    That is: requests with their version and why it was picked, console output, exceptions, deployments, resets of
    Durable Objects, versions that start or crash.

    Without --worker it is of all Workers; --format json is of one.
    """
    filters = {
        "version": version,
        "status": status,
        "method": method,
        "search": search,
        "sampling_rate": None if sampling_rate is None else str(sampling_rate),
        "redact": "false" if show_all else None,
    }
    if shape == "json" or session.as_json:
        for item in session.client.tail(session.worker(), **filters):
            session.say(json.dumps(item.content))
        return
    for event in session.client.events(worker=session.named_worker, **filters):
        if event.kind == MISSED:
            session.say(missed_text(event.content, session.terminal.err), err=True)
        else:
            session.say(event_text(event.kind, event.content, session.terminal.out))
