"""Scenario files and bodies -> scenarios; an error of a file names file, line, key, value and remedy.

A file holds one scenario, a list of them, or several documents of either. What is JSON is read as JSON first, so
that its errors are JSON's, and then as YAML, of which it is a part but for tabs and halves of surrogate pairs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gateway.config_place import Place
from gateway.errors import BadRequest, ConfigError
from gateway.scenarios.model import Scenario
from gateway.scenarios.parse import read_scenario


@dataclass(frozen=True, slots=True)
class Written:
    """A scenario of a file.

    Args:
        content: The same as JSON, for who sends it on.
    """

    path: Path
    line: int
    scenario: Scenario
    content: dict[str, Any]


def parse_scenarios(text: str, path: Path) -> list[Written]:
    """Return the scenarios of a file's text.

    Raises:
        ConfigError: Says where something is wrong.
    """
    written = [_written(place) for place in _places(text, path)]
    if not written:
        raise ConfigError(path, 1, "file", "it holds no scenario", remedy="Write one: name and steps.")
    names: dict[str, int] = {}
    for one in written:
        name = one.scenario.name
        if name in names:
            problem = f"{name!r} is the name of the scenario in line {names[name]}, too"
            raise ConfigError(path, one.line, "name", problem, remedy="Give each its own.")
        names[name] = one.line
    return written


def scenario_of(value: object) -> Scenario:
    """Return the scenario that a JSON value says.

    Raises:
        BadRequest: Names the key, the value and a remedy.
    """
    try:
        node = _Representer(sort_keys=False).represent_data(value)  # the order of versions matters
        for one in _nodes(node):
            one.start_mark = yaml.Mark("", 0, 0, 0, "", 0)
        return read_scenario(Place(Path("body"), node, ""))
    except ConfigError as error:
        key = "scenario" if error.key == "file" else error.key
        raise BadRequest(f"{key}: {error.problem}", remedy=error.remedy) from None
    except RecursionError:
        raise BadRequest("the scenario is nested too deeply", remedy="Flatten it.") from None


def _written(place: Place) -> Written:
    scenario = read_scenario(place)
    return Written(place.path, place.line, scenario, place.json_value())


def _places(text: str, path: Path) -> Iterator[Place]:
    for place in _documents(text, path):
        if place.is_list:
            yield from place.items()
        else:
            yield place


def _documents(text: str, path: Path) -> Iterator[Place]:
    if path.suffix.lower() == ".json":
        text = _checked_json(text, path)
    try:
        for node in yaml.compose_all(text, Loader=yaml.SafeLoader):
            for one in _nodes(node):
                _join_halves(one)
            yield Place(path, node, "")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else text.count("\n", 0, getattr(error, "position", 0)) + 1
        problem = f"it is not YAML: {getattr(error, 'problem', None) or error}"
        raise ConfigError(path, line, "file", problem, remedy="Mend the syntax there.") from error
    except RecursionError:
        raise ConfigError(path, 1, "file", "it is nested too deeply", remedy="Flatten it.") from None


def _checked_json(text: str, path: Path) -> str:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        problem = f"it is not JSON: {error.msg}"
        raise ConfigError(path, error.lineno, "file", problem, remedy="Mend the syntax there.") from error
    except RecursionError:
        raise ConfigError(path, 1, "file", "it is nested too deeply", remedy="Flatten it.") from None
    # JSON has no tab in a string, so that each stands between two of its tokens.
    return text.replace("\t", " ")


class _Representer(yaml.representer.SafeRepresenter):
    """Shows null as nothing, so that it is missing where a value must stand, rather than the word."""

    def represent_none(self, _data: Any) -> yaml.ScalarNode:
        """Return the node of null."""
        return self.represent_scalar("tag:yaml.org,2002:null", "")


_Representer.add_representer(type(None), _Representer.represent_none)


def _nodes(root: yaml.Node) -> Iterator[yaml.Node]:
    """Yield a node and all below it, each once: aliases let one stand in many places, or in itself."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            waiting += [one for pair in node.value for one in pair]


def _join_halves(node: yaml.Node) -> None:
    """Make one character of the two halves by which JSON escapes it (RFC 8259 section 7)."""
    if isinstance(node, yaml.ScalarNode) and any("\ud800" <= one <= "\udfff" for one in node.value):
        whole = node.value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        node.value = whole
