"""A node of a configuration file that knows where it stands, so that every error can say it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import yaml

from gateway.errors import ConfigError

Value = TypeVar("Value")


class Place:
    """A node of the file, with the way to it.

    Args:
        key: As errors name it: ``workers[0].versions[1].tag``.
    """

    def __init__(self, path: Path, node: yaml.Node, key: str) -> None:
        self.path, self.node, self.key = path, node, key

    @property
    def line(self) -> int:
        """Line of the file, from 1."""
        return int(self.node.start_mark.line) + 1

    def wrong(self, problem: str, remedy: str) -> NoReturn:
        """Raise a ``ConfigError`` of this place."""
        raise ConfigError(self.path, self.line, self.key or "file", problem, remedy=remedy)

    def entries(self) -> Iterator[tuple[str, Place]]:
        """Yield the entries of a mapping, in order; a key that stands twice is an error."""
        if not isinstance(self.node, yaml.MappingNode):
            self.wrong(f"{self.shown()} is not a mapping", "Write `key: value` lines.")
        seen = set()
        for key, value in self.node.value:
            name = str(key.value)
            place = Place(self.path, value, f"{self.key}.{name}" if self.key else name)
            if name in seen:
                place.wrong("it stands here twice", "Keep one of the two.")
            seen.add(name)
            yield name, place

    def mapping(self, known: Collection[str]) -> dict[str, Place]:
        """Return a mapping's entries; a key that means nothing is an error."""
        found = dict(self.entries())
        for name, place in found.items():
            if name not in known:
                place.wrong("no such key", f"{_meant(name, known)}Known here: {', '.join(known)}.")
        return found

    @property
    def is_list(self) -> bool:
        """Whether a list stands here."""
        return isinstance(self.node, yaml.SequenceNode)

    def items(self) -> list[Place]:
        """Return the items of a list."""
        if not isinstance(self.node, yaml.SequenceNode):
            self.wrong(f"{self.shown()} is not a list", "Write `- item` lines or [a, b].")
        return [Place(self.path, item, f"{self.key}[{index}]") for index, item in enumerate(self.node.value)]

    def text(self) -> str:
        """Return a scalar as it is written."""
        if not isinstance(self.node, yaml.ScalarNode):
            self.wrong(f"{self.shown()} is not a single value", "Write one value.")
        return str(self.node.value)

    def full_text(self, what: str) -> str:
        """Return a scalar that must not be empty."""
        if not self.text():
            self.wrong("'' is empty", f"Write {what}.")
        return self.text()

    def number(self) -> float:
        """Return a number."""
        try:
            return float(self.text())
        except ValueError:
            self.wrong(f"{self.shown()} is not a number", "Write a number, such as 10 or 0.5.")

    def whole_number(self) -> int:
        """Return a whole number."""
        text = self.text()
        if not re.fullmatch(r"-?[0-9]{1,18}", text):
            self.wrong(f"{self.shown()} is not a whole number", "Write a whole number.")
        return int(text)

    def switch(self) -> bool:
        """Return true or false."""
        text = self.text().lower()
        if text not in {"true", "false", "yes", "no", "on", "off"}:
            self.wrong(f"{self.shown()} is neither true nor false", "Write true or false.")
        return text in {"true", "yes", "on"}

    def one_of(self, choices: Collection[str]) -> str:
        """Return one of a few words."""
        text = self.text()
        if text not in choices:
            self.wrong(f"{self.shown()} is not known", f"Write one of: {', '.join(choices)}.")
        return text

    def read(self, parse: Callable[[str], Value], *errors: type[Exception], remedy: str) -> Value:
        """Return what ``parse`` makes of the text; what it raises becomes an error with this place."""
        try:
            return parse(self.text())
        except errors as error:
            self.wrong(f"{self.shown()}: {error}", remedy)

    def json_value(self) -> Any:
        """Return what stands here as a JSON value; a date is a text, as it is written."""
        try:
            return self._json_value()
        except RecursionError:
            self.wrong("it is nested too deeply", "Flatten it.")

    def _json_value(self) -> Any:
        if isinstance(self.node, yaml.MappingNode):
            return {name: place.json_value() for name, place in self.entries()}
        if isinstance(self.node, yaml.SequenceNode):
            return [place.json_value() for place in self.items()]
        try:
            value = yaml.constructor.SafeConstructor().construct_document(self.node)
        except (yaml.YAMLError, ValueError) as error:
            self.wrong(f"{self.shown()} is no value: {getattr(error, 'problem', error)}", "Write it in quotes.")
        if isinstance(value, float) and not math.isfinite(value):
            self.wrong(f"{self.shown()} is no number of JSON", "Write it in quotes.")
        return value if value is None or isinstance(value, str | int | float) else self.text()

    def shown(self) -> str:
        """Return what stands here, for an error."""
        return repr(self.node.value) if isinstance(self.node, yaml.ScalarNode) else "what stands here"


def _meant(name: str, known: Collection[str]) -> str:
    """Return a question after the key that was likely meant, or nothing."""
    # Only a mistake needs it, and most commands meet none.
    from difflib import get_close_matches  # noqa: PLC0415

    close = get_close_matches(name, list(known), 1)
    return f"Do you mean {close[0]!r}? " if close else ""
