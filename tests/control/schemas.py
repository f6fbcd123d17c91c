"""Holds values against the schemas of an OpenAPI file: types, required members, enumerations, nothing unknown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.resources import files
from typing import Any

import yaml

Document = Mapping[str, Any]

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def openapi() -> Document:
    """Return the document as shipped."""
    loaded: Document = yaml.safe_load(files("gateway.control").joinpath("openapi.yaml").read_text("utf-8"))
    return loaded


def resolved(document: Document, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a ``$ref`` within the document stands for."""
    found: Any = schema
    while "$ref" in found:
        target: Any = document
        for part in found["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        found = target
    result: Mapping[str, Any] = found
    return result


def problems(document: Document, schema: Mapping[str, Any], value: object, where: str = "answer") -> Iterator[str]:
    """Yield what is wrong with a value; nothing when it is as the schema says."""
    schema = resolved(document, schema)
    if "oneOf" in schema:
        if all(any(problems(document, choice, value)) for choice in schema["oneOf"]):
            yield f"{where}: none of the choices fits {value!r}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{where}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is none of {schema['enum']}"
    if "type" in schema and not _is_of(schema["type"], value):
        yield f"{where}: {value!r} is no {schema['type']}"
        return
    if schema.get("format") == "date-time":
        datetime.fromisoformat(str(value))
    if isinstance(value, dict):
        yield from _object_problems(document, schema, value, where)
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from problems(document, schema["items"], item, f"{where}[{index}]")


def _is_of(types: str | list[str], value: object) -> bool:
    listed = [types] if isinstance(types, str) else types
    if isinstance(value, bool):
        return "boolean" in listed
    return any(isinstance(value, _TYPES[name]) for name in listed)


def _object_problems(
    document: Document, schema: Mapping[str, Any], value: dict[str, object], where: str
) -> Iterator[str]:
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{where}: {name!r} is missing"
    known = schema.get("properties", {})
    for name, member in value.items():
        if name in known:
            yield from problems(document, known[name], member, f"{where}.{name}")
        elif isinstance(schema.get("additionalProperties"), dict):
            yield from problems(document, schema["additionalProperties"], member, f"{where}.{name}")
