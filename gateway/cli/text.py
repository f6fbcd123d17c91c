"""What all text for people is made of: styles, cells, tables, and how numbers, times and names are written (pure).

Names, tags and messages come from requests and uploads, so whatever could steer a terminal is shown escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

import click

from gateway.model.version import VERSION_PREFIX_LENGTH

NOTHING: Final = "-"

PLAINER: Final = MappingProxyType({ord(drawn): plain for drawn, plain in zip("█░▓▒▲", "#.+-^", strict=True)})
"""What to draw bars with where the encoding has none of it; for ``str.translate``."""


@dataclass(frozen=True, slots=True)
class Style:
    """What text may look like.

    Args:
        width: Columns; a table folds its cells to fit. Output that is piped is for programs: nothing is folded.
    """

    colour: bool = False
    width: int = 2000

    def paint(self, text: str, colour: str = "", *, bold: bool = False) -> str:
        """Return ``text`` in a colour, where colours are allowed."""
        return click.style(text, fg=colour or None, bold=bold or None) if self.colour and text else text


PLAIN: Final = Style()


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table, and its colour."""

    text: str
    colour: str = ""


def printable(text: str) -> str:
    r"""Return ``text`` with control characters, and halves of surrogate pairs, written as ``\x1b``."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def number(value: float) -> str:
    """Return a percentage or point with at most three decimals, and none that say nothing."""
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def percent(value: float | None) -> str:
    """Return ``12.5%``, or a dash where there is none."""
    return NOTHING if value is None else f"{number(value)}%"


def short_id(version_id: str) -> str:
    """Return the first 8 characters: what a version URL starts with (R89)."""
    return printable(version_id[:VERSION_PREFIX_LENGTH])


def label(tag: str, version_id: str) -> str:
    """Return how people speak of a version: tag and short id."""
    return f"{printable(tag)} ({short_id(version_id)})" if tag else short_id(version_id)


def short_label(tag: str, version_id: str) -> str:
    """Return the tag, or the short id where there is none: for lists, where room is scarce."""
    return printable(tag) or short_id(version_id)


def moment(timestamp: str) -> str:
    """Return an RFC 3339 time to the second, in UTC; what is no such time stays as it is."""
    try:
        return datetime.fromisoformat(timestamp).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError):
        return printable(timestamp)


def table(headings: Sequence[str], rows: Iterable[Sequence[Cell | str]], style: Style, *, right: str = "") -> str:
    """Return aligned columns under their headings.

    Args:
        headings: One for each column.
        rows: A cell is a text, or a text with a colour.
        style: What the text may look like.
        right: Headings of the columns that hold numbers, separated by blanks.
    """
    # rich takes as long to import as the rest of a command; --json and --help do without.
    from io import StringIO  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold" if style.colour else "")
    for heading in headings:
        grid.add_column(heading, justify="right" if heading in right.split() else "left", overflow="fold")
    for row in rows:
        cells = (cell if isinstance(cell, Cell) else Cell(cell) for cell in row)
        grid.add_row(*(Text(printable(cell.text), cell.colour if style.colour else "") for cell in cells))
    out = StringIO()
    console = Console(
        file=out,
        width=style.width,
        force_terminal=style.colour,
        color_system="standard" if style.colour else None,
        highlight=False,
        legacy_windows=False,
        _environ={},
    )
    console.print(grid)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def fields(pairs: Iterable[tuple[str, str]], style: Style) -> str:
    """Return names and values, one pair a line, the values aligned; a pair without value is left out."""
    shown = [(name, value) for name, value in pairs if value]
    width = max((len(name) for name, _ in shown), default=0)
    return "\n".join(f"{style.paint(f'{name}:'.ljust(width + 2), bold=True)}{value}" for name, value in shown)
