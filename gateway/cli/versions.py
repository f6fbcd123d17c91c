"""``gateway versions``: list, view, upload and deploy them."""

from __future__ import annotations

import click

from gateway.cli import render
from gateway.cli.deploy import deploy
from gateway.cli.deployments import SHOWN
from gateway.cli.session import OrderedGroup, Session, connected
from gateway.cli.upload import upload


@click.group(cls=OrderedGroup, short_help="See the versions of a Worker, upload and deploy them.")
def versions() -> None:
    """See the versions of a Worker, upload new ones, and split its traffic between them.

    A version is named by its id, a unique prefix of it, or its tag.
    """


@versions.command("list", short_help="List the last 10 versions, the newest first.")
@click.option("--all", "everything", is_flag=True, help="List all, not only the last 10.")
@connected
def list_versions(session: Session, *, everything: bool) -> None:
    """List the last 10 versions, the newest first; with --json all of them."""
    found = session.client.versions(session.worker())
    shown = found if everything else found[:SHOWN]
    session.answer(found, lambda style: render.versions(shown, len(found), style))


@versions.command(short_help="Show one version, and how it is doing.")
@click.argument("version")
@connected
def view(session: Session, version: str) -> None:
    """Show VERSION: where it came from, how it runs, and the last lines it wrote."""
    found = session.client.version(session.worker(), version)
    session.answer(found, lambda style: render.version(found, style))


versions.add_command(upload)
versions.add_command(deploy)
