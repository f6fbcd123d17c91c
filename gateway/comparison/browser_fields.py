"""What a browser says of itself when it asks for a page and for the files of one (Fetch Metadata, R83)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

PAGE_FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
        "Sec-Fetch-Dest": "document",
        "Sec-Fetch-Mode": "navigate",
    }
)
"""Of who goes to a page."""

_DESTINATIONS: Final[Mapping[str, str]] = {"media": "video", "other": "empty"}
"""Kind of a file -> ``Sec-Fetch-Dest``, where they differ."""


def file_fields(kind: str, page_url: str) -> dict[str, str]:
    """Return those of a request for a file that a page's HTML names.

    Args:
        kind: As ``subresources`` tells it.
    """
    return _fields(_DESTINATIONS.get(kind, kind), "no-cors", page_url)


def call_fields(page_url: str) -> dict[str, str]:
    """Return those of what a page's script sends with ``fetch``."""
    return _fields("empty", "cors", page_url)


def _fields(destination: str, mode: str, page_url: str) -> dict[str, str]:
    return {"Accept": "*/*", "Referer": page_url, "Sec-Fetch-Dest": destination, "Sec-Fetch-Mode": mode}
