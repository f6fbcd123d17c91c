"""``gateway simulate``: what a plan of deployments would do, without a gateway and without a request."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from gateway.cli.session import Start
from gateway.model.durable_object import AssignmentRule
from gateway.model.version import WorkerName
from gateway.simulation.scenario import DEFAULT_WORKER, KeySource, Order, Scenario

_PERCENT: Final = click.FloatRange(0, 100)


class Plan(click.ParamType[tuple[float, ...]]):
    """Percentages separated by commas."""

    name = "plan"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Return the percentages."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(part.strip().removesuffix("%")) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is no plan. Write percentages, such as 5,10,25,50,100.", param, ctx)


@click.command(short_help="Say what a plan of deployments would do.")
@click.option(
    "--plan",
    type=Plan(),
    default="5,10,25,50,100",
    show_default=True,
    help="The new version's percentages, in order.",
)
@click.option("--sessions", type=int, default=10_000, show_default=True, help="Sessions at each step.")
@click.option("--requests", type=int, default=20, show_default=True, help="Requests of each session.")
@click.option("--assets", type=int, default=8, show_default=True, help="Files of its own that each page asks for.")
@click.option(
    "--key-share", type=float, default=0.0, show_default=True, help="Share of users with an affinity key."
)
@click.option(
    "--key-source",
    type=click.Choice(list(KeySource)),
    default=KeySource.COOKIE,
    show_default=True,
    help="cookie: a first visit's first request has none (R42). client: every request has it.",
)
@click.option(
    "--returning", type=float, default=0.0, show_default=True, help="Share of sessions of earlier users."
)
@click.option("--objects", type=int, default=0, show_default=True, help="Durable Objects.")
@click.option(
    "--new-objects", type=float, default=0.2, show_default=True, help="Share of them first used during the plan."
)
@click.option(
    "--assignment",
    type=click.Choice(list(AssignmentRule)),
    default=AssignmentRule.STICKY,
    show_default=True,
    help="How objects get their version.",
)
@click.option(
    "--order",
    type=click.Choice(list(Order)),
    default=Order.NEW_FIRST,
    show_default=True,
    help="In which order deployments list the versions; swapped: the other way round at each step (R49).",
)
@click.option(
    "--error-rate", type=_PERCENT, default=1.0, show_default=True, help="Of the new version, in percent."
)
@click.option(
    "--baseline-error-rate", type=_PERCENT, default=0.0, show_default=True, help="Of the old version, in percent."
)
@click.option("--confidence", type=_PERCENT, default=95.0, show_default=True, help="In percent.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same report.")
@click.option("--compare", is_flag=True, help="Also with and without key, sticky and hash, order swapped.")
@click.option(
    "--from-log",
    type=click.File("r", encoding="utf-8", errors="surrogateescape"),
    metavar="FILE",
    help="Take the sessions from lines of `gateway tail --format json --show-all`; - is stdin.",
)
@click.option("--session", "session_place", metavar="PLACE", help="With --from-log: header:NAME or cookie:NAME.")
@click.option(
    "--object",
    "object_places",
    multiple=True,
    metavar="CLASS=PLACE",
    help="With --from-log: which requests belong to an object, such as Cart=path:/cart/{name}.",
)
@click.option(
    "--picture", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.svg", help="Draw the plan."
)
@click.option("--worker", metavar="NAME", help="Where a key lies depends on the Worker's name.  [default: shop]")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_context
def simulate(
    ctx: click.Context,
    /,
    *,
    error_rate: float,
    baseline_error_rate: float,
    confidence: float,
    compare: bool,
    from_log: Any,
    session_place: str | None,
    object_places: tuple[str, ...],
    picture: Path | None,
    worker: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Send made-up or recorded traffic through a plan, and say what each step costs.

    Decided by the routing code of the edge itself, with the draws it would make with the same seed; no gateway and
    no version is called.
    """
    if from_log is None and (session_place or object_places):
        raise click.UsageError("--session and --object tell how to read a log: give --from-log FILE.")
    # What runs a simulation takes longer to import than `gateway --help` may.
    from gateway.cli.simulating import LogFile, Wanted, run_and_tell  # noqa: PLC0415

    wanted = Wanted(
        scenario=Scenario(**given, worker=WorkerName(worker) if worker else DEFAULT_WORKER),
        notice=(error_rate, baseline_error_rate, confidence),
        log=None if from_log is None else LogFile(from_log, session_place, object_places, worker),
        compare=compare,
        picture=picture,
        as_json=as_json,
    )
    run_and_tell(wanted, Start.of(ctx).terminal)
