"""Source maps: where a place in bundled code was written; pure (ECMA-426).

The one package for it on PyPI has not been touched since 2017, and what is needed here is small.
"""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

_DIGITS: Final = {
    character: value
    for value, character in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
}
_CONTINUES: Final = 0b100000
_VALUE_BITS: Final = 0b011111
_SHIFT: Final = 5
_WITH_SOURCE: Final = 4
_MOST_DIGITS: Final = 7
"""A 32-bit number has no more digits (ECMA-426, base64 VLQ)."""

_FRAME: Final = re.compile(
    r"(?P<before>\bat (?:.* \()?)(?P<file>[^\s()]+?):(?P<line>\d+):(?P<column>\d+)(?P<after>\)?)$"
)


class NoSourceMap(ValueError):
    """A text is no source map that can be read."""


class Place(NamedTuple):
    """Where something was written; both numbers count from 1, as in stacks."""

    source: str
    line: int
    column: int


class _Segment(NamedTuple):
    """A mapping; all numbers from 0."""

    column: int
    source: int
    source_line: int
    source_column: int


@dataclass(frozen=True, slots=True)
class SourceMap:
    """The places of one bundled file; made by ``parse_source_map``.

    Args:
        lines: Mappings of each line of the bundle, by column.
    """

    sources: tuple[str, ...]
    lines: tuple[tuple[_Segment, ...], ...]

    def original(self, line: int, column: int) -> Place | None:
        """Return where a place of the bundle was written; None where the map does not say.

        Args:
            line, column: As stacks tell them: from 1.
        """
        if not 1 <= line <= len(self.lines):
            return None
        segments = self.lines[line - 1]
        index = bisect.bisect_right(segments, column - 1, key=lambda segment: segment.column) - 1
        if index < 0 or segments[index].source < 0:
            return None
        found = segments[index]
        return Place(self.sources[found.source], found.source_line + 1, found.source_column + 1)


def parse_source_map(text: str | bytes) -> SourceMap:
    """Read a source map.

    Raises:
        NoSourceMap: It is not JSON of version 3, or its mappings cannot be read.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NoSourceMap(f"it is not JSON: {error}") from error
    if not isinstance(content, Mapping) or content.get("version") != 3 or "sections" in content:  # noqa: PLR2004
        raise NoSourceMap("it is no plain source map of version 3")
    mappings, sources = content.get("mappings"), content.get("sources")
    if not isinstance(mappings, str) or not isinstance(sources, list):
        raise NoSourceMap("it lacks mappings or sources")
    return SourceMap(_named(sources, content.get("sourceRoot")), _lines(mappings, len(sources)))


def mapped_stack(stack: str, map_of: Callable[[str], SourceMap | None]) -> str:
    """Return a stack whose frames name the places that were written.

    Args:
        map_of: Gives the map of a bundled file by the name that stands in the stack; None where it has none.
    """
    return "\n".join(_mapped_frame(line, map_of) for line in stack.split("\n"))


def files_of(stack: str) -> set[str]:
    """Return the names of the bundled files that a stack speaks of."""
    return {match["file"] for line in stack.split("\n") if (match := _FRAME.search(line))}


def _mapped_frame(line: str, map_of: Callable[[str], SourceMap | None]) -> str:
    match = _FRAME.search(line)
    source_map = map_of(match["file"]) if match else None
    place = source_map.original(int(match["line"]), int(match["column"])) if match and source_map else None
    if match is None or place is None:
        return line
    start = line[: match.start()] + match["before"]
    return f"{start}{place.source}:{place.line}:{place.column}{match['after']}"


def _named(sources: Sequence[Any], root: object) -> tuple[str, ...]:
    prefix = root.rstrip("/") + "/" if isinstance(root, str) and root else ""
    return tuple(prefix + source if isinstance(source, str) else "(unknown)" for source in sources)


def _lines(mappings: str, source_count: int) -> tuple[tuple[_Segment, ...], ...]:
    """Decode the mappings; all but the column go on from line to line."""
    source = source_line = source_column = 0
    lines: list[tuple[_Segment, ...]] = []
    for line in mappings.split(";"):
        column = 0
        segments: list[_Segment] = []
        for text in filter(None, line.split(",")):
            fields = list(_numbers(text))
            column += fields[0]
            if len(fields) < _WITH_SOURCE:
                segments.append(_Segment(column, -1, 0, 0))
                continue
            source, source_line, source_column = (
                source + fields[1],
                source_line + fields[2],
                source_column + fields[3],
            )
            if not 0 <= source < source_count:
                raise NoSourceMap(f"source {source} of {source_count}")
            segments.append(_Segment(column, source, source_line, source_column))
        lines.append(tuple(sorted(segments)))
    return tuple(lines)


def _numbers(text: str) -> Iterator[int]:
    """Yield the numbers of a base64 VLQ text: 5 bits a digit, the lowest first, the sign in the very lowest."""
    value = shift = 0
    for character in text:
        digit = _DIGITS.get(character)
        if digit is None or shift > _SHIFT * _MOST_DIGITS:
            raise NoSourceMap(f"{text!r} is no base64 VLQ")
        value |= (digit & _VALUE_BITS) << shift
        shift += _SHIFT
        if not digit & _CONTINUES:
            yield -(value >> 1) if value & 1 else value >> 1
            value = shift = 0
    if shift:
        raise NoSourceMap(f"{text!r} ends in the middle of a number")
