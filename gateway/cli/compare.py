"""``gateway compare``: the same requests to two versions, and what differs."""

from __future__ import annotations

from typing import Any

import click

from gateway.cli.explain import Header
from gateway.cli.session import Session, connected


@click.command(short_help="Say how the answers of two versions differ.")
@click.argument("urls", nargs=-1, metavar="URL...")
@click.option(
    "--from-har",
    type=click.File("r", encoding="utf-8-sig", errors="replace"),
    metavar="FILE",
    help="Also the requests of a HAR file that went to the edge.",
)
@click.option(
    "--versions",
    "versions",
    nargs=2,
    metavar="V1 V2",
    help="The two versions: id, unique prefix or tag.  [default: those of the active deployment]",
)
@click.option(
    "--ignore",
    "ignored",
    multiple=True,
    metavar="FIELD",
    help="header:Date, json:/items/*/id, subresource:/x.js, status.",
)
@click.option(
    "-H", "--header", "headers", type=Header(), multiple=True, metavar="'NAME: VALUE'", help="With each URL."
)
@click.option(
    "-X",
    "--request",
    "--method",
    "method",
    default="GET",
    show_default=True,
    metavar="METHOD",
    help="Of each URL.",
)
@click.option(
    "--allow-unsafe", is_flag=True, help="Also send POST, PUT, DELETE, ...: twice, once to each version."
)
@connected
@click.pass_context
def compare(
    ctx: click.Context,
    session: Session,
    /,
    *,
    urls: tuple[str, ...],
    from_har: Any,
    versions: tuple[str, str] | None,
    ignored: tuple[str, ...],
    headers: tuple[tuple[str, str], ...],
    method: str,
    allow_unsafe: bool,
) -> None:
    """Send each URL to two versions through the edge, and compare status, headers, JSON shape and HTML's files.

    URL may be a path alone. Redirects are not followed. Exit code 0: nothing differs. 3: something does.
    """
    if not urls and from_har is None:
        raise click.UsageError("Give a URL, or --from-har FILE.")
    # What sends requests takes longer to import than `gateway --help` may.
    from gateway.cli.comparing import Wanted, compare_and_tell  # noqa: PLC0415

    asked = Wanted(urls, from_har, versions, ignored, headers, method.upper(), allow_unsafe)
    ctx.exit(compare_and_tell(session, asked))
