"""Versions that run on workerd, as a configuration file writes them: ``workerd:`` and ``wrangler:``."""

from __future__ import annotations

import re
from datetime import date
from pathlib import PurePosixPath
from typing import Final

from gateway.config_place import Place
from gateway.model.worker_code import Binding
from gateway.settings import WorkerdSource, WranglerSource

_BINDING_NAME: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_CLASS_NAME: Final = _BINDING_NAME
_FLAG: Final = re.compile(r"[a-z0-9_]+")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SERVICE: Final = re.compile(r"([a-z0-9_][a-z0-9_-]*)(?:#([A-Za-z_$][A-Za-z0-9_$]*))?")
_WRANGLER_SUFFIXES: Final = (".toml", ".json", ".jsonc")


def workerd_source(place: Place) -> WorkerdSource:
    """Read ``workerd: {main: ..., ...}``.

    Raises:
        ConfigError: A key is missing or wrong.
    """
    found = place.mapping(
        (
            "main", "modules", "vars", "durable_objects", "services", "version_metadata", "compatibility_date",
            "compatibility_flags",
        )
    )  # fmt: skip
    if "main" not in found:
        place.wrong("the entry module is missing", "Add `main: path/to/index.js`.")
    if "compatibility_date" not in found:
        place.wrong("the compatibility date is missing", f"Add `compatibility_date: {date(2026, 11, 1)}`.")
    flags = found["compatibility_flags"].items() if "compatibility_flags" in found else []
    return WorkerdSource(
        main=found["main"].full_text("the path of the entry module"),
        modules=tuple(_glob(item) for item in found["modules"].items()) if "modules" in found else (),
        bindings=_bindings(found),
        compatibility_date=_date(found["compatibility_date"]),
        compatibility_flags=tuple(_matching(item, _FLAG, "compatibility flag", "nodejs_compat") for item in flags),
    )


def wrangler_source(place: Place) -> WranglerSource:
    """Read ``wrangler: path/to/wrangler.jsonc``.

    Raises:
        ConfigError: It is no path of a configuration of wrangler's.
    """
    path = place.full_text("the path of a wrangler.jsonc")
    if not path.endswith(_WRANGLER_SUFFIXES):
        place.wrong(f"{path!r} is no configuration of wrangler's", "Name a wrangler.toml, .json or .jsonc.")
    return WranglerSource(path)


def _bindings(found: dict[str, Place]) -> tuple[Binding, ...]:
    bindings: dict[str, Binding] = {}

    def add(place: Place, binding: Binding) -> None:
        if binding.name in bindings:
            place.wrong(f"binding {binding.name!r} is there already", "Give each binding its own name.")
        bindings[binding.name] = binding

    for key, read in (("vars", _var), ("durable_objects", _namespace), ("services", _service)):
        for name, place in found[key].entries() if key in found else ():
            _check_name(place, name)
            add(place, read(name, place))
    if "version_metadata" in found:
        place = found["version_metadata"]
        name = _matching(place, _BINDING_NAME, "name of a binding", "CF_VERSION_METADATA")
        add(place, Binding(name, "version_metadata"))
    return tuple(bindings.values())


def _check_name(place: Place, name: str) -> None:
    if not _BINDING_NAME.fullmatch(name):
        place.wrong(f"{name!r} is no name of a binding", "Use letters, digits and '_'.")


def _var(name: str, place: Place) -> Binding:
    """As in wrangler's configuration: a text is a text, all else is JSON."""
    value = place.json_value()
    return (
        Binding(name, "plain_text", {"text": value})
        if isinstance(value, str)
        else (Binding(name, "json", {"json": value}))
    )


def _namespace(name: str, place: Place) -> Binding:
    class_name = _matching(place, _CLASS_NAME, "class name", "Counter")
    return Binding(name, "durable_object_namespace", {"class_name": class_name})


def _service(name: str, place: Place) -> Binding:
    match = _SERVICE.fullmatch(place.text())
    if match is None:
        place.wrong(f"{place.shown()} is no Worker", "Write its name, or name#Entrypoint.")
    options = {"service": match[1], "entrypoint": match[2]}
    return Binding(name, "service", {key: value for key, value in options.items() if value})


def _glob(place: Place) -> str:
    pattern = place.full_text("a pattern such as lib/**/*.js")
    path = PurePosixPath(pattern)
    if path.is_absolute() or ".." in path.parts:
        place.wrong(f"{pattern!r} leaves the folder of main", "Modules lie beside main or below it.")
    return pattern


def _date(place: Place) -> str:
    text = _matching(place, _DATE, "date", "2026-11-01")
    place.read(date.fromisoformat, ValueError, remedy="Write it as 2026-11-01.")
    return text


def _matching(place: Place, pattern: re.Pattern[str], what: str, example: str) -> str:
    text = place.text()
    if not pattern.fullmatch(text):
        place.wrong(f"{place.shown()} is no {what}", f"Write it as {example}.")
    return text
