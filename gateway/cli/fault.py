"""``gateway fault``: what goes wrong on purpose."""

from __future__ import annotations

from typing import Any, Final

import click

from gateway.cli.render_faults import added, cleared, faults
from gateway.cli.session import OrderedGroup, Session, connected
from gateway.model.fault import LONGEST_MS, FaultKind, FirstByte

_MS: Final = click.FloatRange(0, LONGEST_MS)
_KINDS: Final = tuple(kind.value for kind in FaultKind)
_SIDES: Final = tuple(side.value for side in FirstByte)

EXAMPLES = """\b
Examples:
  gateway fault add latency --ms 300 --jitter-ms 100 --worker shop --version v2
  gateway fault add status --status 500 --worker shop --version v2 --share 5
  gateway fault add late_propagation --ms 2000 --share 30 --worker shop
  gateway fault add crash --version v2 --after-switch-ms 500 --times 1
  gateway fault clear
"""


@click.group(cls=OrderedGroup, short_help="Let things go wrong on purpose.")
def fault() -> None:
    """Let things go wrong on purpose: add, list and clear faults."""


@fault.command(short_help="Add a fault.", epilog=EXAMPLES)
@click.argument("kind", type=click.Choice(_KINDS))
@click.option("--as", "fault_name", metavar="NAME", help="Its name; given by itself where left out.")
@click.option("--version", metavar="VERSION", help="Only requests to this version: tag or id.")
@click.option("--object", metavar="CLASS[/NAME]", help="Only requests of this Durable Object.")
@click.option("--path", metavar="PATH", help="Only this path; * stands for anything.")
@click.option(
    "--share", type=click.FloatRange(0, 100, min_open=True), metavar="PERCENT", help="Only so many of them."
)
@click.option("--after-switch-ms", type=_MS, metavar="MS", help="Only so long after a deployment became active.")
@click.option("--times", type=click.IntRange(1), metavar="N", help="So often at most.")
@click.option(
    "--ms",
    type=_MS,
    metavar="MS",
    help="How long latency lasts; how long late_propagation may; when, in a call, crash and object_reset come.",
)
@click.option("--jitter-ms", type=_MS, metavar="MS", help="latency: up to so much more.")
@click.option("--status", type=click.IntRange(200, 599), metavar="CODE", help="status: which.  [default: 503]")
@click.option("--first-byte", type=click.Choice(_SIDES), help="reset: before or after it.")
@click.option("--bytes-per-second", type=click.FloatRange(1), metavar="N", help="slow_body: how fast.")
@click.option("--bindings-only", is_flag=True, help="ignored_override: only calls through service bindings.")
@connected
def add(session: Session, *, kind: str, fault_name: str | None, bindings_only: bool, **fields: Any) -> None:
    """Add a fault of KIND. Requests that match all that is said of them meet it."""
    wanted = {"kind": kind, "name": fault_name, "worker": session.named_worker, **fields}
    told = {name: value for name, value in wanted.items() if value is not None}
    if bindings_only:
        told["bindings_only"] = True
    known = session.client.add_fault(told)
    session.answer(known, lambda style: added(known, style))


@fault.command("list", short_help="Show all faults.")
@connected
def list_faults(session: Session) -> None:
    """Show all faults, and how many requests have met each."""
    known = session.client.faults()
    session.answer({"faults": known}, lambda style: faults(known, style))


@fault.command(short_help="Take faults away.")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@connected
def clear(session: Session, *, names: tuple[str, ...]) -> None:
    """Take the named faults away, or all of them."""
    count = sum(session.client.clear_faults(name) for name in names) if names else session.client.clear_faults()
    session.answer({"cleared": count}, lambda _style: cleared(count))
