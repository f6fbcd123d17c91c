"""Declarative ``exports`` of Durable Object classes: what they ask -> namespaces before and after (pure).

An entry is live, or a tombstone that deletes or renames; a class that no entry names is never deleted by silence.

Source: wrangler-api, section 4 and code 100402; the entry types of Cloudflare's published API client.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gateway.control.migrations import (
    Migrated,
    Move,
    class_name,
    create_class,
    delete_class,
    rename_class,
)
from gateway.control.refusals import ExportsRefused, InvalidUpload, NotServed
from gateway.model.worker import EXPORTS_TAG, WorkerState

DURABLE_OBJECT: Final = "durable-object"
WORKER: Final = "worker"
SQLITE: Final = "sqlite"
KEY_VALUE: Final = "legacy-kv"


@dataclass(frozen=True, slots=True)
class Export:
    """One Durable Object class among ``exports``.

    Args:
        state: ``created``, ``deleted`` or ``renamed``.
    """

    name: str
    state: str = "created"
    storage: str = ""
    renamed_to: str = ""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What ``exports`` lead to; ``summary`` is what wrangler prints of it."""

    migrated: Migrated
    changed: bool
    summary: Mapping[str, Any]


@dataclass(slots=True)
class _Work:
    migrated: Migrated
    problems: list[dict[str, Any]] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    renamed: list[dict[str, str]] = field(default_factory=list)
    removable: list[str] = field(default_factory=list)

    def refuse(self, name: str, scenario: str, message: str, suggestion: str) -> None:
        self.problems.append({"class": name, "scenario": scenario, "message": message, "suggestion": suggestion})


def parse_exports(value: object) -> tuple[Export, ...]:
    """Read the Durable Object classes among an upload's ``exports``; Worker entrypoints have no lifecycle.

    Raises:
        InvalidUpload: 10021. NotServed: A kind of export, or a transfer, that is not there.
    """
    if not isinstance(value, Mapping):
        raise InvalidUpload("metadata.exports is no object", remedy='Send {"C": {"type": "durable-object"}}.')
    return tuple(export for name, entry in value.items() if (export := _parse_export(name, entry)) is not None)


def _parse_export(name: str, entry: object) -> Export | None:
    if not isinstance(entry, Mapping):
        raise InvalidUpload(f"export {name!r} is {entry!r}, no object", remedy='Send {"type": "durable-object"}.')
    kind, state = entry.get("type"), entry.get("state", "created")
    if kind == WORKER:
        return None
    if kind != DURABLE_OBJECT:
        raise NotServed(f"export {name!r} of type {kind!r}")
    if state in ("transferred", "expecting-transfer"):
        raise NotServed(
            f"export {name!r} in state {state!r}",
            remedy="Hand the class over with a transferred_classes migration.",
        )
    if state not in ("created", "deleted", "renamed"):
        raise InvalidUpload(f"export {name!r} has state {state!r}", remedy="Give created, deleted or renamed.")
    storage = entry.get("storage", SQLITE)
    if state == "created" and storage not in (SQLITE, KEY_VALUE):
        raise InvalidUpload(f"export {name!r} has storage {storage!r}", remedy="Give sqlite or legacy-kv.")
    renamed_to = entry.get("renamed_to") if state == "renamed" else ""
    if renamed_to is None:
        raise InvalidUpload(f"export {name!r} is renamed to nothing", remedy='Send "renamed_to": "NewName".')
    renamed_to = class_name(renamed_to) if renamed_to else ""
    return Export(class_name(name), str(state), str(storage), renamed_to)


def reconcile(
    state: WorkerState, exports: tuple[Export, ...], users: Mapping[str, Sequence[str]], taken: frozenset[str]
) -> Reconciled:
    """Bring the namespaces in line with ``exports``, all or none.

    Args:
        users: Names of the other Workers that bind each class.
        taken: Unique keys of other Workers' namespaces.

    Raises:
        ExportsRefused: 100402, with one detail a class.
    """
    work = _Work(Migrated(state, taken=taken))
    for export in sorted(exports, key=lambda one: one.state == "created"):  # tombstones make room first
        _STATES[export.state](work, export, users)
    _refuse_orphans(work, exports)
    if work.problems:
        raise ExportsRefused(work.problems)
    changed = work.migrated.state.namespaces != state.namespaces
    if changed:
        tagged = replace(work.migrated.state, migration_tag=_next_tag(state.migration_tag))
        work.migrated = replace(work.migrated, state=tagged)
    return Reconciled(work.migrated, changed, _summary(work))


def _create(work: _Work, export: Export, _users: object) -> None:
    found = work.migrated.state.namespace_of(export.name)
    if found is not None:
        has = SQLITE if found.sqlite else KEY_VALUE
        if export.storage != has:
            work.refuse(
                export.name,
                "storage_mismatch",
                f"its storage is {has} and cannot become {export.storage}",
                f'Declare it with "storage": "{has}".',
            )
    elif export.storage == KEY_VALUE:
        work.refuse(
            export.name, "legacy_kv_not_provisionable", "a new namespace cannot be legacy-kv", 'Use "sqlite".'
        )
    else:
        work.migrated = create_class(work.migrated, export.name, sqlite=True)
        work.created.append(export.name)


def _delete(work: _Work, export: Export, users: Mapping[str, Sequence[str]]) -> None:
    if work.migrated.state.namespace_of(export.name) is None:
        work.removable.append(export.name)
        return
    bound_by = users.get(export.name)
    if bound_by:
        work.problems.append(
            {
                "class": export.name,
                "scenario": "deleted_but_referenced",
                "message": "other Workers bind it",
                "suggestion": "Take their bindings out first.",
                "referencing_scripts": list(bound_by),
            }
        )
        return
    work.migrated = delete_class(work.migrated, export.name)
    work.deleted.append(export.name)


def _rename(work: _Work, export: Export, _users: object) -> None:
    state = work.migrated.state
    if state.namespace_of(export.name) is None:
        work.removable.append(export.name)
    elif state.namespace_of(export.renamed_to) is not None:
        work.refuse(
            export.name,
            "rename_target_exists",
            f"it cannot be renamed to '{export.renamed_to}', which exists",
            "Choose another name, or delete that class first.",
        )
    else:
        work.migrated = rename_class(work.migrated, Move(export.name, export.renamed_to))
        work.renamed.append({"from": export.name, "to": export.renamed_to})


_STATES: Final[Mapping[str, Callable[[_Work, Export, Any], None]]] = {
    "created": _create,
    "deleted": _delete,
    "renamed": _rename,
}


def _refuse_orphans(work: _Work, exports: tuple[Export, ...]) -> None:
    """A class that is left out would lose its objects; Cloudflare asks for a tombstone."""
    named = {export.name for export in exports} | {export.renamed_to for export in exports}
    for namespace in work.migrated.state.namespaces:
        if namespace.class_name not in named:
            work.refuse(
                namespace.class_name,
                "missing_export",
                "it has a namespace but is not declared in `exports`",
                'Declare it, or retire it with {"type": "durable-object", "state": "deleted"}.',
            )


def _next_tag(tag: str) -> str:
    number = tag.removeprefix(EXPORTS_TAG)
    return f"{EXPORTS_TAG}{int(number) + 1 if tag != number and number.isdigit() else 1}"


def _summary(work: _Work) -> Mapping[str, Any]:
    return {
        "created": work.created,
        "updated": [],
        "deleted": work.deleted,
        "renamed": work.renamed,
        "transferred": [],
        "transfer_pending": [],
        "warnings": [],
        "info": [],
        "removable_entries": work.removable,
    }
