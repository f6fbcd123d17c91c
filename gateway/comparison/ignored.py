"""Differences that are noise: ``header:Date``, ``json:/took_ms``, ``subresource:/beacon.js``, ``status``."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from gateway.comparison.answers import Difference, InvalidComparison

_KINDS: Final = ("header", "json", "subresource")


class IgnoredField(NamedTuple):
    """One field that is not compared.

    Args:
        kind: ``status``, ``header``, ``json`` or ``subresource``.
        pattern: Name, path or target; ``*`` stands for anything, in a JSON path for one step.
    """

    kind: str
    pattern: str

    def covers(self, field: str) -> bool:
        """Tell whether a difference in ``field`` is noise; a JSON path covers all below it."""
        kind, _, name = field.partition(":")
        if kind != self.kind:
            return False
        if kind == "json":
            steps, found = self.pattern.split("/"), name.split("/")
            return len(steps) <= len(found) and all(map(_matches, steps, found))
        return kind == "status" or fnmatchcase(name, self.pattern)


def _matches(step: str, found: str) -> bool:
    return step in {"*", found}


def parse_ignored(text: str) -> IgnoredField:
    """Read one ``--ignore``.

    Raises:
        InvalidComparison: It names no field.
    """
    kind, _, pattern = text.partition(":")
    if text == "status":
        return IgnoredField("status", "")
    if kind not in _KINDS or not pattern or (kind == "json" and not pattern.startswith("/")):
        raise InvalidComparison(
            f"ignore: {text!r} names no field",
            remedy="Write status, header:Date, header:set-cookie:sid, json:/items/*/id or subresource:/beacon.js.",
        )
    return IgnoredField(
        kind, pattern.lower() if kind == "header" and ":" not in pattern else _cookie(kind, pattern)
    )


def _cookie(kind: str, pattern: str) -> str:
    """Return a pattern whose header name is in lower case; names of cookies keep theirs."""
    if kind != "header":
        return pattern
    name, _, cookie = pattern.partition(":")
    return f"{name.lower()}:{cookie}"


def without_noise(differences: Iterable[Difference], ignored: Iterable[IgnoredField]) -> list[Difference]:
    """Return the differences that no rule calls noise."""
    rules = tuple(ignored)
    return [one for one in differences if not any(rule.covers(one.field) for rule in rules)]
