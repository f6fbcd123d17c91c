"""``gateway explain``: why a request goes where it goes, without sending it."""

from __future__ import annotations

import click

from gateway.cli.render_explanation import explanation
from gateway.cli.session import Session, connected


class Header(click.ParamType[tuple[str, str]]):
    """``Name: value``, as curl takes it."""

    name = "header"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return the name and the value."""
        name, colon, content = str(value).partition(":")
        if not colon or not name.strip():
            self.fail(f"{value!r} is no header. Write it as 'Name: value'.", param, ctx)
        return name.strip(), content.strip()


@click.command(short_help="Show which version would answer a request, and why.")
@click.argument("url")
@click.option("-H", "--header", "headers", type=Header(), multiple=True, metavar="'NAME: VALUE'", help="A header.")
@click.option("-X", "--request", "--method", "method", metavar="METHOD", help="The method.  [default: GET]")
@click.option(
    "--count", type=click.IntRange(1, 100_000), metavar="N", help="Decide N times, and count the versions."
)
@connected
def explain(
    session: Session, url: str, headers: tuple[tuple[str, str], ...], method: str | None, count: int | None
) -> None:
    """Decide as a request to URL would be decided, without calling a version, and tell every step.

    URL may be a path alone, such as /cart/user-123.
    """
    found = session.client.explain(full_url(url, session), method=method, headers=headers, count=count)
    session.answer(found, lambda style: explanation(found, style))


def full_url(url: str, session: Session) -> str:
    """Return a URL for what people type: a path is of the gateway itself, and http:// may be left out."""
    if url.startswith("/"):
        return session.client.status()["url"].rstrip("/") + url
    return url if "://" in url else f"http://{url}"
