"""The bindings an upload asks for -> the bindings of the version (pure).

``inherit`` and ``keep_bindings`` take from an earlier version, secrets above all: nobody can read them back, so
they can only be handed on. Source: wrangler-api, section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from gateway.control.refusals import InheritImpossible, InvalidBinding, NotServed, Refusal, Refusals
from gateway.model.version import WorkerName
from gateway.model.worker_code import Binding

INHERIT: Final = "inherit"
SECRET: Final = "secret_text"  # noqa: S105 - a kind of binding
DURABLE_OBJECT: Final = "durable_object_namespace"
SERVICE: Final = "service"

SECRET_KINDS: Final = frozenset({SECRET, "secret_key"})
"""What is kept where an upload says nothing of ``keep_bindings``: a deploy never deletes secrets."""

_TEXT_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "plain_text": ("text",),
    "json": (),
    SECRET: ("text",),
    "version_metadata": (),
    DURABLE_OBJECT: ("class_name",),
    SERVICE: ("service",),
}
"""The kinds that are served, each with the texts it must have."""

_FILES: Final = frozenset({"wasm_module", "text_blob", "data_blob"})
_ELSEWHERE: Final = "Import the file as a module instead."


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What an upload may take from earlier versions.

    Args:
        previous: Bindings of the version uploaded last.
        of_version: Bindings of any version of the Worker by id, or None.
        keep: Kinds that are kept where the upload does not name them.
        strict: Whether an ``inherit`` that leads nowhere is an error, or left out.
    """

    previous: Sequence[Binding] = ()
    of_version: Callable[[str], Sequence[Binding] | None] = lambda _version: None
    keep: Collection[str] = SECRET_KINDS
    strict: bool = False


def resolve(wanted: Iterable[object], inheritance: Inheritance) -> tuple[Binding, ...]:
    """Return the bindings of a version: those wanted, in order, then those kept.

    Raises:
        NotServed, InvalidBinding: A kind that is not there, or a field that is wrong; all of them as ``Refusals``.
        InheritImpossible: 10057, one a name, as ``Refusals``.
    """
    found: dict[str, Binding] = {}
    problems: list[Refusal] = []
    for item in wanted:
        try:
            binding = _one(item, inheritance)
            if binding is not None:
                if binding.name in found:
                    raise InvalidBinding(binding.name, "it is listed twice", "List each name once.")
                found[binding.name] = binding
        except Refusal as problem:
            problems.append(problem)
    if problems:
        raise problems[0] if len(problems) == 1 else Refusals(problems)
    for binding in inheritance.previous:
        if binding.kind in inheritance.keep:
            found.setdefault(binding.name, binding)
    return tuple(found.values())


def _one(item: object, inheritance: Inheritance) -> Binding | None:
    if not isinstance(item, Mapping):
        raise InvalidBinding("?", "it is no object", 'Send {"name": "X", "type": "plain_text", "text": "..."}.')
    name = item.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidBinding(str(name), "its name is missing", 'Send "name": "X".')
    if item.get("type") == INHERIT or (item.get("type") == SECRET and "text" not in item):
        return _inherited(name, item, inheritance)
    return parse_binding(name, item)


def _inherited(name: str, item: Mapping[str, Any], inheritance: Inheritance) -> Binding | None:
    old_name, version = item.get("old_name") or name, item.get("version_id")
    known = inheritance.previous
    if isinstance(version, str) and version not in ("", "latest"):
        known = inheritance.of_version(version) or ()
    earlier = next((one for one in known if one.name == old_name), None)
    if earlier is None:
        if inheritance.strict:
            raise InheritImpossible(name, str(old_name))
        return None
    return replace(earlier, name=name)


def parse_binding(name: str, item: Mapping[str, Any]) -> Binding:
    """Read one binding that says all of itself.

    Raises:
        NotServed: Its kind is not there. InvalidBinding: A field is missing or wrong.
    """
    kind = item.get("type")
    if not isinstance(kind, str) or kind not in _TEXT_OF:
        what = f"binding '{name}' of type {kind}"
        raise NotServed(what, _ELSEWHERE) if kind in _FILES else NotServed(what)
    for field in _TEXT_OF[kind]:
        if not isinstance(item.get(field), str):
            raise InvalidBinding(name, f"its {field} is missing or no string", f'Send "{field}": "...".')
    if kind == "json" and "json" not in item:
        raise InvalidBinding(name, "its json is missing", 'Send "json": ... with any JSON value.')
    options = {key: value for key, value in item.items() if key not in ("name", "type") and value is not None}
    if kind == "json":
        options["json"] = item["json"]
    return Binding(name, kind, options) if kind != SECRET else Binding(name, kind, {}, str(item["text"]))


def own_class(binding: Binding, worker: WorkerName) -> Binding:
    """Write a Durable Object binding that names its own Worker as one that names none."""
    if binding.kind == DURABLE_OBJECT and binding.options.get("script_name") == worker:
        return replace(
            binding, options={key: value for key, value in binding.options.items() if key != "script_name"}
        )
    return binding


def with_secrets(bindings: Iterable[Binding], changes: Mapping[str, Binding | None]) -> tuple[Binding, ...]:
    """Return bindings with some put in, replaced in place, or taken out (``None``)."""
    found = {binding.name: binding for binding in bindings}
    for name, binding in changes.items():
        if binding is None:
            found.pop(name, None)
        else:
            found[name] = binding
    return tuple(found.values())


def secrets_of(bindings: Iterable[Binding]) -> dict[str, str]:
    """Return the secrets among bindings, by name; for comparing, never for showing."""
    return {binding.name: binding.secret for binding in bindings if binding.kind == SECRET}
