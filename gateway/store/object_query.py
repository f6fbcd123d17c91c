"""How a page of the object table is asked for: by key, so that the last of a million costs what the first does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

OBJECT_COLUMNS: Final = (
    "class, id, name, first_version, first_deployment, version, deployment, running, resets, first_used, last_used"
)
"""In the order of ``ObjectRow``."""

MOVES_OF_RANGE: Final = "SELECT * FROM moves WHERE class = ? AND id BETWEEN ? AND ? ORDER BY id, rowid"
PINS_OF_RANGE: Final = "SELECT * FROM pins WHERE class = ? AND id BETWEEN ? AND ? ORDER BY id, rowid"
"""What happened to the objects of a page; the events of one object come in the order in which they were."""

IdRange = tuple[bytes, bytes]
"""The first id and the last."""

_HEX: Final = re.compile(r"[0-9a-fA-F]{1,64}")


def ranges_of(ids: Sequence[bytes], search: str) -> list[IdRange]:
    """Return the ranges that hold the objects of a page, in the order of their ids, and hardly others.

    Args:
        search: What the page was searched for; then others lie between those that were found.
    """
    if search:
        return [(id_, id_) for id_ in ids]
    return [(ids[0], ids[-1])] if ids else []


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
