"""HTML -> the files that a browser fetches to show it (R82), and whether an answer is such a file (R83)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Final, NamedTuple
from urllib.parse import urljoin, urlsplit

from gateway.comparison.answers import Answer, Request

MAX_SUBRESOURCES: Final = 500
"""Of one page; more are not looked at."""

_FAILED: Final = 400
_LINKS: Final[Mapping[str, str]] = {
    "stylesheet": "style",
    "modulepreload": "script",
    "preload": "",
    "icon": "image",
    "apple-touch-icon": "image",
    "manifest": "manifest",
}
"""``rel`` -> what is fetched; of a preload ``as`` says it."""

_ELEMENTS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "script": (("src", "script"),),
    "img": (("src", "image"), ("srcset", "image")),
    "source": (("src", "media"), ("srcset", "image")),
    "video": (("src", "media"), ("poster", "image")),
    "audio": (("src", "media"),),
    "track": (("src", "track"),),
    "input": (("src", "image"),),
    "embed": (("src", "embed"),),
}
_CANDIDATE: Final = re.compile(r"[\s,]*(\S*[^\s,])(?:\s[^,]*)?(?:,|$)")
_NEVER_HTML: Final = frozenset({"script", "style", "image", "font", "media", "track", "manifest"})


class Subresource(NamedTuple):
    """One file that a page asks for.

    Args:
        host: With the port.
        target: Path and query.
        kind: ``script``, ``style``, ``image``, ``font``, ``media``, ``track``, ``manifest`` or another.
    """

    host: str
    target: str
    kind: str


def subresources_of(page: str, request: Request) -> list[Subresource]:
    """Return the files a page asks its own host for, each once, in order; what scripts fetch is not known."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    base = urljoin(f"http://{request.host}{request.target}", reader.base)
    found = dict.fromkeys(
        one for reference, kind in reader.found if (one := _resolved(reference, base, kind, request.host))
    )
    return list(found)[:MAX_SUBRESOURCES]


def lack_of(answer: Answer, kind: str) -> str:
    """Return how an answer lacks the file, such as ``404`` or ``200 text/html``; empty where it has it."""
    if answer.status >= _FAILED:
        return str(answer.status)
    if kind in _NEVER_HTML and answer.is_html:
        return f"{answer.status} {answer.media_type}"  # a page where a file was meant: R83
    return ""


class _Reader(HTMLParser):
    """Collects references as they stand in a page; ``base`` is that of the first ``<base href>``."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.base = ""
        self.found: list[tuple[str, str]] = []
        self._inert = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element refers to."""
        given = {name: value or "" for name, value in reversed(attrs)}  # the first of two counts
        if tag == "template":
            self._inert += 1
        elif tag == "base" and not self.base:
            self.base = given.get("href", "").strip()
        if self._inert:
            return
        self.found += _link(given) if tag == "link" else _element(tag, given)

    def handle_endtag(self, tag: str) -> None:
        """Note the end of a template: what stands in one is not fetched."""
        if tag == "template" and self._inert:
            self._inert -= 1


def _link(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for rel in given.get("rel", "").lower().split():
        if rel not in _LINKS:
            continue
        kind = _LINKS[rel] or given.get("as", "").lower() or "other"
        yield from ((url, "image") for url in _candidates(given.get("imagesrcset", "")))
        if given.get("href"):
            yield given["href"], kind


def _element(tag: str, given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if tag == "input" and given.get("type", "").lower() != "image":
        return
    for name, kind in _ELEMENTS.get(tag, ()):
        value = given.get(name, "")
        if name == "srcset":
            yield from ((url, kind) for url in _candidates(value))
        elif value.strip():
            yield value, kind


def _candidates(srcset: str) -> Iterator[str]:
    """Yield the URLs of a ``srcset`` (HTML Standard, "Image candidate strings")."""
    for match in _CANDIDATE.finditer(srcset):
        yield match[1]


def _resolved(reference: str, base: str, kind: str, host: str) -> Subresource | None:
    """Return where a reference leads; None for another host, and for what is no HTTP."""
    try:
        parts = urlsplit(urljoin(base, reference.strip()))
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or parts.netloc.lower() != host.lower():
        return None
    return Subresource(host, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), kind)
