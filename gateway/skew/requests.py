"""What a request is to the browser that made it: a page, a file that a page needs, or something else."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from gateway.skew.facts import FAILED_OUTCOMES, OK, RequestSeen

FILE_DESTINATIONS: Final = frozenset(
    {
        "script", "style", "image", "font", "worker", "sharedworker", "serviceworker", "audioworklet",
        "paintworklet", "manifest", "audio", "video", "track",
    }
)  # fmt: skip
"""``Sec-Fetch-Dest`` of what a page needs to be whole; never ``text/html`` (R83)."""

PAGE_DESTINATIONS: Final = frozenset({"document", "iframe", "frame", "fencedframe"})

_EXTENSIONS: Final = (
    "js", "mjs", "cjs", "css", "png", "jpg", "jpeg", "gif", "webp", "avif", "svg", "ico", "woff", "woff2", "ttf",
    "otf", "eot", "wasm", "map", "webmanifest",
)  # fmt: skip
_FILE: Final = re.compile(rf"\.(?:{'|'.join(_EXTENSIONS)})$", re.IGNORECASE)
_UNASKED: Final = re.compile(r"/favicon\.ico$|/apple-touch-icon[\w-]*\.png$|\.map$|^/\.well-known/|^/robots\.txt$")
_ASKS_FOR_OTHERS: Final = frozenset(
    {"text/html", "application/xhtml+xml", "text/css", "text/javascript", "application/javascript"}
)
_GONE: Final = (404, 410)
_NOT_MODIFIED: Final = 304
_SERVER_ERROR: Final = 500


class Answer(Enum):
    """What a version said when it was asked for a file."""

    HAS = "has"
    LACKS = "lacks"
    SILENT = "silent"
    """Neither: a redirect, a refusal, a failure."""


def is_navigation(seen: RequestSeen) -> bool:
    """Return whether a person goes somewhere, rather than a page asks for something."""
    if seen.fetch_dest or seen.fetch_mode:
        return seen.fetch_dest in PAGE_DESTINATIONS or seen.fetch_mode == "navigate"
    return "text/html" in seen.accept


def is_file(seen: RequestSeen) -> bool:
    """Return whether a file is asked for that pages are made of: by ``Sec-Fetch-Dest``, else by its extension."""
    if seen.method not in ("GET", "HEAD") or is_navigation(seen):
        return False
    if seen.fetch_dest and seen.fetch_dest != "empty":
        return seen.fetch_dest in FILE_DESTINATIONS
    return _FILE.search(seen.path) is not None


def is_unasked(path: str) -> bool:
    """Return whether browsers and their tools ask for a path that no page names."""
    return _UNASKED.search(path) is not None


def answer_for(seen: RequestSeen) -> Answer:
    """Return what an answer says of the file that was asked for (R82, R83)."""
    if seen.outcome != OK:
        return Answer.SILENT
    if seen.status in _GONE:
        return Answer.LACKS
    if seen.status == _NOT_MODIFIED:
        return Answer.HAS
    if seen.status not in (200, 203, 206):
        return Answer.SILENT
    return Answer.LACKS if seen.is_html else Answer.HAS


def may_ask_for_others(seen: RequestSeen) -> bool:
    """Return whether what was answered can make the browser ask for more: pages, styles, scripts."""
    if seen.method != "GET" and not (is_navigation(seen) and seen.is_html):
        return False
    if seen.status == _NOT_MODIFIED:
        return is_navigation(seen) or seen.fetch_dest in ("script", "style", "worker", "serviceworker")
    return seen.media_type in _ASKS_FOR_OTHERS


def has_failed(seen: RequestSeen) -> bool:
    """Return whether a call came to nothing."""
    return seen.outcome in FAILED_OUTCOMES or seen.status >= _SERVER_ERROR
