"""``gateway top``: the versions and what they do, for those who stay in the shell."""

from __future__ import annotations

import json
import time
from typing import Final

import click

from gateway.cli import render_metrics
from gateway.cli.session import Session, connected
from gateway.cli.text import Style
from gateway.control.client import Metrics

WINDOWS: Final = ("60", "300", "3600", "deployment")


@click.command(short_help="Watch the versions: share, errors, times.")
@click.option(
    "--window",
    type=click.Choice(WINDOWS),
    default="60",
    show_default=True,
    help="Seconds to look back, or all since the deployment.",
)
@click.option(
    "--interval",
    type=click.FloatRange(0.2, 60),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two looks.",
)
@click.option("--once", is_flag=True, help="Print once and end, as is done where the output is no terminal.")
@connected
def top(session: Session, *, window: str, interval: float, once: bool) -> None:
    """Show each Worker's versions with the share they were asked to get and the one they got, errors and times.

    Ctrl-C ends it. With --json: the API's objects, once, as {"workers": [...]}.
    """
    if session.as_json:
        session.say(json.dumps({"workers": _looked(session, window)}, indent=2))
    elif once or not session.terminal.interactive:
        session.say(_text(_looked(session, window), session.terminal.out))
    else:
        _watch(session, window, interval)


def _looked(session: Session, window: str) -> list[Metrics]:
    named = session.named_worker
    names = [named] if named else [worker["name"] for worker in session.client.status()["workers"]]
    return [session.client.metrics(name, window) for name in names]


def _text(shown: list[Metrics], style: Style) -> str:
    if not shown:
        return "The gateway has no Worker yet."
    return "\n\n".join(render_metrics.metrics(one, style) for one in shown)


def _watch(session: Session, window: str, interval: float) -> None:
    from rich.live import Live  # noqa: PLC0415 - as slow to import as the rest of a command
    from rich.text import Text  # noqa: PLC0415

    style = session.terminal.out
    with Live(auto_refresh=False, screen=True) as live:
        while True:
            live.update(Text.from_ansi(_text(_looked(session, window), style)), refresh=True)
            time.sleep(interval)
