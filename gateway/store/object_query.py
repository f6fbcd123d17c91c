"""How a page of the object table is asked for: by key, so that the last of a million costs what the first does."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

OBJECT_COLUMNS: Final = (
    "class, id, name, first_version, first_deployment, version, deployment, running, resets, first_used, last_used"
)
"""In the order of ``ObjectRow``."""

_HEX: Final = re.compile(r"[0-9a-fA-F]{1,64}")


class PageQuery(NamedTuple):
    """A query, and the values of its parameters."""

    text: str
    values: tuple[int | str | bytes, ...]


def page_query(class_key: int, search: str, after: bytes, limit: int) -> PageQuery:
    """Return what asks for up to ``limit`` objects of a class, by id.

    Args:
        search: Part of a name, or of an id in hex of either case; empty for all. Nothing in it is a pattern.
        after: The id before the first; empty for the beginning.
    """
    found: list[str] = []
    sought: list[str] = []
    if search:
        found, sought = ["instr(name, ?)"], [search]
    # To write out a million ids in hex takes three times as long as to look into as many names.
    if _HEX.fullmatch(search):
        found.append("instr(hex(id), ?)")
        sought.append(search.upper())
    condition = f" AND ({' OR '.join(found)})" if found else ""
    return PageQuery(
        f"SELECT {OBJECT_COLUMNS} FROM objects WHERE class = ? AND id > ?{condition} ORDER BY id LIMIT ?",  # noqa: S608 - constants
        (class_key, after, *sought, limit),
    )
