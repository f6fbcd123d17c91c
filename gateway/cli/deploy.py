"""``gateway versions deploy``: the versions that serve a Worker, and the percentage of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

import click

from gateway.cli import render
from gateway.cli.session import Session, connected
from gateway.cli.shares import (
    DEPLOYABLE_VERSIONS,
    FULL,
    NewestAt,
    UnclearArguments,
    check_percentages,
    filled,
    in_active_order,
    newest_at,
    parse_choice,
    parse_percentage,
    rest_for_each,
    understand,
)
from gateway.cli.text import label, percent, printable
from gateway.control.client import ClientError, Deployment, Version, VersionSpec
from gateway.errors import DeploymentError

_EXAMPLE: Final = "Name the versions, as in: gateway versions deploy v1@90% v2@10%"
_Parsed = TypeVar("_Parsed")

EPILOG: Final = """\b
Examples:
  gateway versions deploy v1@90% v2@10%
  gateway versions deploy v1@90 v2                    v2 gets the rest
  gateway versions deploy --version-id ID --percentage 100 --yes
  gateway versions deploy --percentage 10             newest 10, stable 90
  gateway versions deploy --percentage 0              takes the newest out
"""


@click.command(short_help="Split the traffic: v1@90% v2@10%.", epilog=EPILOG)
@click.argument("specs", nargs=-1, metavar="[VERSION[@PERCENTAGE]]...")
@click.option("--version-id", "version_ids", multiple=True, metavar="ID", help="A version; repeat it for two.")
@click.option("--version-tag", "version_tags", multiple=True, metavar="TAG[@N]", help="A version, by its tag.")
@click.option(
    "--percentage",
    "percentages",
    multiple=True,
    metavar="N",
    help="For the --version-id at the same place; alone: for the newest version.",
)
@click.option("-m", "--message", default="", help="Why; kept with the deployment.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only check, and say what would happen.")
@connected
def deploy(
    session: Session,
    *,
    specs: tuple[str, ...],
    version_ids: tuple[str, ...],
    version_tags: tuple[str, ...],
    percentages: tuple[str, ...],
    message: str,
    yes: bool,
    dry_run: bool,
) -> None:
    """Make a new deployment: the versions that serve the Worker, and the percentage of the requests of each.

    A version is named by its id, a unique prefix of it, or its tag. Versions without a percentage share what the
    others leave. The order counts: keep it from one deployment to the next, and no key moves back. On a terminal,
    what is not named is asked for.
    """
    try:
        understood = understand(specs, version_ids, version_tags, percentages)
    except UnclearArguments as error:
        raise click.UsageError(str(error)) from error
    if understood is None and not session.terminal.interactive:
        raise click.UsageError(_EXAMPLE)
    worker, shares, labels = _resolved(session, understood)
    session.note(f"Deploying to {printable(worker)}: {render.wanted_split(filled(shares), labels)}")
    warned = False
    if session.terminal.interactive and not yes and not dry_run:
        if not _confirmed(session, worker, shares, message):
            session.note("Nothing was changed.")
            click.get_current_context().exit(1)
        warned = True
    answer = session.client.deploy(worker, shares, message=message, dry_run=dry_run)
    if not warned:
        session.warn(answer["warnings"])
    session.answer(answer, lambda style: render.created(answer, style))


def _resolved(
    session: Session, understood: tuple[VersionSpec, ...] | NewestAt | None
) -> tuple[str, tuple[VersionSpec, ...], Mapping[str, str]]:
    """Return the Worker, the versions for it, and what to call those that are named by id."""
    if isinstance(understood, tuple):
        return session.worker(), understood, {}
    status = session.worker_status()
    listed = sorted(status["versions"], key=lambda version: version["number"], reverse=True)[:DEPLOYABLE_VERSIONS]
    if not listed:
        raise ClientError(
            f"Worker {status['name']!r} has no version to deploy",
            remedy="Add one to the configuration, or upload one.",
        )
    if understood is None:
        shares, newest = _asked(session, listed, status["active"]), None
    else:
        shares, newest = newest_at(understood.percentage, listed, status["active"]), listed[0]["id"]
    return status["name"], shares, _labels(listed, newest)


def _labels(listed: Sequence[Version], newest: str | None) -> dict[str, str]:
    """Return what to call each version by its id; where ``newest`` is given, also which of the two it is."""
    labels = {version["id"]: label(version["tag"], version["id"]) for version in listed}
    if newest is None:
        return labels
    return {
        version_id: f"the {'newest' if version_id == newest else 'stable'} version {text}"
        for version_id, text in labels.items()
    }


def _asked(session: Session, listed: Sequence[Version], active: Deployment | None) -> tuple[VersionSpec, ...]:
    """Ask which versions, then the percentage of each; versions keep the active deployment's order (R49)."""
    session.note(render.choices(listed, session.terminal.out))
    chosen = click.prompt(
        "Versions to deploy (numbers, such as 1 2)",
        value_proc=lambda text: _valid(lambda: parse_choice(text, len(listed))),
        err=session.as_json,
    )
    labels = _labels(listed, None)
    version_ids = in_active_order((listed[position]["id"] for position in chosen), active)
    if len(version_ids) == 1:
        return (VersionSpec(version_ids[0], FULL),)
    while True:
        shares = _asked_percentages(session, version_ids, labels)
        try:
            check_percentages(shares)
        except DeploymentError as error:
            session.say(render.error(error.message, error.remedy, session.terminal.err), err=True)
        else:
            return shares


def _asked_percentages(
    session: Session, version_ids: Sequence[str], labels: Mapping[str, str]
) -> tuple[VersionSpec, ...]:
    shares: list[VersionSpec] = []
    given = 0.0
    for position, version_id in enumerate(version_ids):
        rest = rest_for_each(given, len(version_ids) - position)
        percentage = click.prompt(
            f"Percentage of {labels[version_id]}",
            default=percent(rest),
            value_proc=lambda text: _valid(lambda: parse_percentage(text, text)),
            err=session.as_json,
        )
        shares.append(VersionSpec(version_id, percentage))
        given += percentage
    return tuple(shares)


def _valid(parse: Callable[[], _Parsed]) -> _Parsed:
    """Return what was entered; an error makes click print it and ask again."""
    try:
        return parse()
    except (UnclearArguments, DeploymentError) as error:
        raise click.UsageError(str(error)) from error


def _confirmed(session: Session, worker: str, shares: Sequence[VersionSpec], message: str) -> bool:
    """Show what is deployed now, what would be, and what that moves; return whether the user wants it."""
    preview = session.client.deploy(worker, shares, message=message, dry_run=True)
    session.note(render.change(session.worker_status()["active"], preview, session.terminal.out))
    session.warn(preview["warnings"])
    return click.confirm("Deploy?", default=True, err=session.as_json)
