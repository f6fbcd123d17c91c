"""A request of a scenario -> what is sent, and the files that a page makes a browser ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote, urlsplit

from gateway.comparison.answers import Answer
from gateway.comparison.answers import Request as Asked
from gateway.comparison.browser_fields import PAGE_FIELDS, file_fields
from gateway.comparison.subresources import subresources_of
from gateway.scenarios.exchange import Exchange, Outgoing
from gateway.scenarios.model import Request
from gateway.scenarios.variables import CONTENT_TYPES, filled, filled_body

KEY: Final = "Cloudflare-Workers-Version-Key"
COHORT: Final = "Cloudflare-Workers-Cohort"
USER_AGENT: Final = "gateway-scenario"

_OF_PAGE_ONLY: Final = frozenset(
    {"accept", "content-type", "sec-fetch-dest", "sec-fetch-mode", "referer", "origin"}
)
_ASCII: Final = "".join(map(chr, range(0x21, 0x7F)))


def outgoing(request: Request, values: Mapping[str, str], visitor: int) -> Outgoing:
    """Return a request as it is sent.

    Args:
        values: What earlier requests saved; all that it uses.
        visitor: Number of the request, which makes one without a session somebody new.
    """
    session = filled(request.session, values)
    who = quote(session, safe="") if session else f"visitor-{visitor}"
    made = {"User-Agent": f"{USER_AGENT}/{who}"}
    if request.files:
        made |= PAGE_FIELDS
    if request.body is not None:
        made["Content-Type"] = CONTENT_TYPES[request.body.kind]
    given = [(name, filled(value, values)) for name, value in request.headers]
    named = {name.lower() for name, _ in given}
    headers = [(name, value) for name, value in made.items() if name.lower() not in named] + given
    for name, signal in ((KEY, filled(request.key, values)), (COHORT, request.cohort)):
        if signal:
            headers.append((name, signal))
    return Outgoing(
        request.method,
        _target(filled(request.path, values)),
        request.host,
        tuple(headers),
        filled_body(request.body, values) if request.body is not None else b"",
        request.override,
        session,
    )


def _target(path: str) -> str:
    """Return path and query; a saved ``Location`` may be a whole URL, and go on where it came from."""
    parts = urlsplit(path) if path.startswith(("http://", "https://")) else None
    if parts is not None:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return quote(path, safe=_ASCII)


def files_of(page: Exchange, sent: Outgoing) -> Iterator[tuple[str, Outgoing]]:
    """Yield the kinds and requests of the files that a browser asks for to show a page (R82)."""
    answer = Answer(page.status, page.headers)
    if not answer.is_html:
        return
    kept = [(name, value) for name, value in sent.headers if name.lower() not in _OF_PAGE_ONLY]
    for file in subresources_of(page.text, Asked("GET", page.host, page.path)):
        headers = (*kept, *file_fields(file.kind, f"http://{page.host}{page.path}").items())
        yield file.kind, Outgoing("GET", file.target, sent.host, headers, b"", sent.override, sent.session)
