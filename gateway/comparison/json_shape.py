"""The shape of a JSON text, its paths and their types, compared; values are not looked at.

A path is written as in a JSON Pointer (RFC 6901), ``*`` standing for every element of an array.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.comparison.answers import Difference, Kind

UNREADABLE: Final = "no JSON"
_MAX_DEPTH: Final = 200

Shape = Mapping[str, frozenset[str]]
"""Path -> the types found there."""


def json_differences(before: bytes, after: bytes) -> Iterator[Difference]:
    """Yield the paths that one text has and the other lacks, and those with other types.

    Below an array that is empty, and below what is null, nothing is known, so nothing is missed there.
    """
    old, new = shape_of(before), shape_of(after)
    if old is None or new is None:
        if old is not new:
            yield Difference("json:", Kind.RETYPED, _types(old, ""), _types(new, ""))
        return
    for path in sorted(old.keys() | new.keys()):
        if path not in old:
            if not _unknown(path, old) and not _told_above(path, old):
                yield Difference(f"json:{path}", Kind.ADDED, "", _types(new, path))
        elif path not in new:
            if not _unknown(path, new) and not _told_above(path, new):
                yield Difference(f"json:{path}", Kind.REMOVED, _types(old, path), "")
        elif old[path] != new[path]:
            yield Difference(f"json:{path}", Kind.RETYPED, _types(old, path), _types(new, path))


def shape_of(text: bytes) -> Shape | None:
    """Return the shape of a JSON text, or None where it is none."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    found: dict[str, set[str]] = {}
    _walk(content, "", found, 0)
    return {path: frozenset(types) for path, types in found.items()}


def _walk(value: Any, path: str, found: dict[str, set[str]], depth: int) -> None:
    found.setdefault(path, set()).add(_type(value))
    if depth >= _MAX_DEPTH:
        return
    if isinstance(value, dict):
        for name, member in value.items():
            _walk(member, f"{path}/{name.replace('~', '~0').replace('/', '~1')}", found, depth + 1)
    elif isinstance(value, list):
        for element in value:
            _walk(element, f"{path}/*", found, depth + 1)


def _type(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _parents(path: str) -> Iterator[str]:
    while path:
        path = path.rpartition("/")[0]
        yield path


def _unknown(path: str, shape: Shape) -> bool:
    """Tell whether nothing can be said of a path that a shape lacks: above it is an empty array, or null."""
    child = path
    for parent in _parents(path):
        if parent in shape:
            types = shape[parent]
            empty = child == f"{parent}/*" and "array" in types and child not in shape
            return empty or "null" in types
        child = parent
    return False


def _told_above(path: str, shape: Shape) -> bool:
    """Tell whether what holds a path is itself missing or of another type, which is told already."""
    parent = path.rpartition("/")[0]
    if parent not in shape:
        return True
    return not shape[parent] & ({"array"} if path.endswith("/*") else {"object"})


def _types(shape: Shape | None, path: str) -> str:
    return UNREADABLE if shape is None else " or ".join(sorted(shape[path]))
