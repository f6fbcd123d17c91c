"""What differs between two versions -> text for people, and JSON (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from gateway.cli.text import NOTHING, Cell, Style, printable, short_label, table
from gateway.comparison.answers import Difference, Kind, Request
from gateway.control.client import Version

_COLOURS: Final = {Kind.ADDED: "green", Kind.REMOVED: "red", Kind.LACKING: "red"}
_LONGEST: Final = 200


class Compared(NamedTuple):
    """One request and what became of it.

    Args:
        skipped: Why the two versions could not be compared, or empty.
    """

    request: Request
    differences: list[Difference]
    skipped: str


class Comparison(NamedTuple):
    """A whole run.

    Args:
        versions: The first and the second.
        by_version_url: Whether each was reached by its version URL, not by the overrides header.
        notes: What was left out.
    """

    worker: str
    versions: tuple[Version, Version]
    by_version_url: tuple[bool, ...]
    compared: Sequence[Compared]
    notes: Sequence[str]

    @property
    def differences(self) -> int:
        """How many differences there are in all."""
        return sum(len(one.differences) for one in self.compared)


def comparison_view(result: Comparison) -> dict[str, Any]:
    """Return a run as JSON."""
    return {
        "worker": result.worker,
        "versions": [
            {"id": version["id"], "tag": version["tag"], "reached_by": "version-url" if by_url else "override"}
            for version, by_url in zip(result.versions, result.by_version_url, strict=True)
        ],
        "differences": result.differences,
        "requests": [
            {
                "method": one.request.method,
                "host": one.request.host,
                "target": one.request.target,
                "skipped": one.skipped or None,
                "differences": [difference.view() for difference in one.differences],
            }
            for one in result.compared
        ],
        "notes": list(result.notes),
    }


def comparison_text(result: Comparison, style: Style) -> str:
    """Return a run: a table of differences, then a sentence."""
    first, second = (short_label(version["tag"], version["id"]) for version in result.versions)
    rows = [
        (
            f"{one.request.method} {one.request.target}",
            difference.field,
            Cell(difference.kind, _COLOURS.get(difference.kind, "yellow")),
            _short(difference.before),
            _short(difference.after),
        )
        for one in result.compared
        for difference in one.differences
    ]
    lines = [table(("request", "field", "", first, second), rows, style), ""] if rows else []
    lines += [f"skipped: {printable(one.skipped)}" for one in result.compared if one.skipped]
    lines += [f"note: {printable(note)}" for note in result.notes]
    compared = sum(not one.skipped for one in result.compared)
    requests = f"{compared} request{'' if compared == 1 else 's'} to {first} and {second} of {result.worker}"
    found = result.differences
    told = f"{found} difference{'' if found == 1 else 's'}" if found else "no difference"
    return "\n".join(
        [*lines, style.paint(f"{printable(requests)}: {told}", "red" if found else "green", bold=True)]
    )


def _short(value: str) -> str:
    if not value:
        return NOTHING
    return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}..."
