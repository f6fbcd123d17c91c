"""``gateway deployments`` and ``gateway rollback``."""

from __future__ import annotations

import click

from gateway.cli import render
from gateway.cli.session import OrderedGroup, Session, connected

SHOWN = 10
"""Entries of a list without --all, as wrangler (R105)."""


@click.group(cls=OrderedGroup, short_help="See the deployments of a Worker.")
def deployments() -> None:
    """See what serves, and served, a Worker."""


@deployments.command("list", short_help="List the last 10 deployments, the newest first.")
@click.option("--all", "everything", is_flag=True, help="List all, not only the last 10.")
@connected
def list_deployments(session: Session, *, everything: bool) -> None:
    """List the last 10 deployments, the newest (active) first; with --json all of them."""
    found = session.client.deployments(session.worker())
    shown = found if everything else found[:SHOWN]
    session.answer(found, lambda style: render.deployments(shown, len(found), style))


@deployments.command(short_help="Show the active deployment.")
@connected
def status(session: Session) -> None:
    """Show the active deployment, with the range of points of each version."""
    found = session.client.deployment(session.worker(), "active")
    session.answer(found, lambda style: render.deployment(found, style))


@click.command(short_help="Give one version all traffic again.")
@click.argument("version", required=False)
@click.option("-m", "--message", default="", help="Why; kept with the deployment.")
@click.option("-y", "--yes", is_flag=True, help="Accepted as by wrangler; nothing is asked.")
@connected
def rollback(session: Session, version: str | None, message: str, *, yes: bool) -> None:  # noqa: ARG001 - see its help
    """Make a new deployment with VERSION at 100%.

    VERSION is an id, a unique prefix of one, or a tag. Without it: the version of the newest earlier deployment
    that had one at 100% (R95).
    """
    answer = session.client.rollback(session.worker(), version, message=message)
    session.warn(answer["warnings"])
    session.answer(answer, lambda style: render.created(answer, style))
