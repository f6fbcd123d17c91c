"""HTML pages from templates in which every value is escaped unless it is markup already."""

from __future__ import annotations

import html
from pathlib import Path
from string import Template

from aiohttp import web

from sample_workers.runtime import Settings

# Scripts come from files only: the bundle is what the skew is shown with.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src data:; "
    "form-action 'self'; base-uri 'none'"
)


class Markup(str):
    """HTML that may stand in a page as it is."""

    __slots__ = ()


def load_template(path: Path) -> Template:
    """Return the template in a file; ``$name`` is a value, ``$$`` a dollar sign."""
    return Template(path.read_text(encoding="utf-8"))


def render(template: Template, **values: str) -> Markup:
    """Return the template filled in; a value that is not `Markup` is escaped."""
    return Markup(
        template.substitute(
            {name: value if isinstance(value, Markup) else html.escape(value) for name, value in values.items()}
        )
    )


def join(parts: list[Markup]) -> Markup:
    """Return the parts as one piece of markup."""
    return Markup("".join(parts))


LAYOUT = load_template(Path(__file__).with_name("layout.html"))


def page(
    settings: Settings, *, title: str, body: Markup, head: Markup | None = None, status: int = 200
) -> web.Response:
    """Return a whole page that carries its version in plain sight."""
    version_id = settings.metadata.id or "not told: started without $CF_VERSION_METADATA"
    text = render(
        LAYOUT,
        worker=settings.worker,
        version=settings.version,
        version_id=version_id,
        title=title,
        head=head or Markup(),
        body=body,
    )
    return web.Response(
        status=status,
        # A header or a query may hold bytes that are no UTF-8; they must not turn the answer into a 500.
        body=text.encode("utf-8", errors="replace"),
        content_type="text/html",
        charset="utf-8",
        headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY},
    )
