"""``gateway objects``: Durable Objects and the versions they keep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from gateway.cli import render_objects
from gateway.cli.session import OrderedGroup, Session, connected
from gateway.control.client import ClientError, WorkerStatus

_class_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--class", "class_name", metavar="CLASS", help="The class; needed only where the Worker has several."
)
_limit_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, metavar="N", help="Print at most N."
)


@click.group(cls=OrderedGroup, short_help="See and pin the versions that Durable Objects keep.")
def objects() -> None:
    """See which version each Durable Object keeps, and pin one.

    An object is named by its name, or by its id in hex.
    """


@objects.command("list", short_help="List the objects of a class, by id.")
@_class_option
@click.option("--search", metavar="TEXT", help="Only those whose name or id contains TEXT.")
@click.option("--after", metavar="ID", help="The next page; the page before says from where.")
@_limit_option
@click.option(
    "--deployment", type=click.IntRange(1), metavar="N", help="As the objects were under deployment number N."
)
@connected
def list_objects(
    session: Session,
    *,
    class_name: str | None,
    search: str | None,
    after: str | None,
    limit: int,
    deployment: int | None,
) -> None:
    """List the objects of a class, by id."""
    page = session.client.objects(
        session.worker(), class_name, search=search, after=after, limit=limit, deployment=deployment
    )
    session.answer(page, lambda style: render_objects.objects(page, style))


@objects.command(short_help="Show one object and its history.")
@click.argument("name")
@_class_option
@connected
def show(session: Session, name: str, class_name: str | None) -> None:
    """Show one object, the version it keeps, and how it got it."""
    worker, class_name = _worker_and_class(session, class_name)
    found = session.client.object(worker, class_name, name)
    session.answer(found, lambda style: render_objects.object_with_history(found, style))


@objects.command(short_help="Keep an object on a version.")
@click.argument("name")
@click.argument("version")
@_class_option
@connected
def pin(session: Session, name: str, version: str, class_name: str | None) -> None:
    """Keep object NAME on VERSION, which must be in the active deployment."""
    worker, class_name = _worker_and_class(session, class_name)
    found = session.client.pin(worker, class_name, name, version)
    session.answer(found, lambda style: render_objects.durable_object(found, style))


@objects.command(short_help="Let the percentages decide an object's version again.")
@click.argument("name")
@_class_option
@connected
def unpin(session: Session, name: str, class_name: str | None) -> None:
    """Undo `gateway objects pin`."""
    worker, class_name = _worker_and_class(session, class_name)
    found = session.client.unpin(worker, class_name, name)
    session.answer(found, lambda style: render_objects.durable_object(found, style))


@objects.command(short_help="List the objects whose version differs between two deployments.")
@click.argument("from_number", metavar="[FROM]", type=click.IntRange(1), required=False)
@click.argument("to_number", metavar="[TO]", type=click.IntRange(1), required=False)
@_class_option
@_limit_option
@connected
def diff(
    session: Session, from_number: int | None, to_number: int | None, class_name: str | None, limit: int
) -> None:
    """List the objects whose version differs between deployments FROM and TO, given by number.

    TO is the active deployment where it is left out, and FROM the one before that.
    """
    worker = session.worker()
    if to_number is None:
        to_number = session.client.deployment(worker, "active")["number"]
    if from_number is None:
        from_number = to_number - 1
    if from_number < 1:
        raise ClientError(
            "there is only one deployment, so nothing to compare it with",
            remedy="Create another: gateway versions deploy",
        )
    found = session.client.object_diff(worker, from_number, to_number, class_name, limit=limit)
    text = render_objects.object_diff
    session.answer(found, lambda style: text(found, from_number, to_number, style))


def _worker_and_class(session: Session, class_name: str | None) -> tuple[str, str]:
    """Return the Worker and the class that are named, or else the only ones there are."""
    if session.named_worker is not None and class_name is not None:
        return session.named_worker, class_name
    worker = session.worker_status()
    return worker["name"], class_name or only_class(worker)


def only_class(worker: WorkerStatus) -> str:
    """Return the name of the Worker's only class of Durable Objects.

    Raises:
        click.UsageError: There are several; lists them.
        ClientError: There is none.
    """
    classes = worker["classes"]
    if not classes:
        raise ClientError(
            f"Worker {worker['name']!r} has no Durable Objects",
            remedy="Declare their class under durable_objects.bindings in the configuration.",
        )
    if len(classes) > 1:
        raise click.UsageError(
            f"{worker['name']!r} has {len(classes)} classes: {', '.join(classes)}. Choose one with --class NAME."
        )
    return classes[0]
