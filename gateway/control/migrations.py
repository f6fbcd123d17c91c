"""Durable Object migrations: the namespaces of a Worker before -> after (pure).

A migration renames, hands over, makes and deletes namespaces; what is stored under a namespace's ``unique_key``
stays with it through renames and transfers. Storage is deleted by whoever applies the outcome, once acknowledged.

Source: Cloudflare docs, Durable Objects migrations; R52, R53.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from gateway.control.refusals import InvalidUpload, MigrationRefused, MigrationTagMismatch
from gateway.model.worker import Namespace, WorkerState

STEPS: Final = ("new_classes", "new_sqlite_classes", "renamed_classes", "transferred_classes", "deleted_classes")
_CLASS_NAME = re.compile(r"[A-Za-z_$][\w$]*")
# Never change it: namespace ids are derived from it, and clients may keep them.
_NAMESPACE_IDS = uuid.UUID("0b9d1c1e-8f0e-5f53-9a1c-6f6f5bb0d3a4")

StateOf = Callable[[str], WorkerState | None]
"""The state of another Worker by name, or None where there is no such Worker."""


@dataclass(frozen=True, slots=True)
class Move:
    """A class that got another name, in another Worker too where ``from_worker`` is there."""

    from_class: str
    to_class: str
    from_worker: str = ""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step, read and checked for its shape."""

    new: tuple[str, ...] = ()
    new_sqlite: tuple[str, ...] = ()
    renamed: tuple[Move, ...] = ()
    transferred: tuple[Move, ...] = ()
    deleted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Migrations:
    """What an upload's ``migrations`` say.

    Args:
        old_tag: The tag the Worker must be at; empty: none.
        new_tag: The tag it is at afterwards; empty: unchanged.
    """

    steps: tuple[Migration, ...]
    old_tag: str = ""
    new_tag: str = ""


@dataclass(frozen=True, slots=True)
class Migrated:
    """What migrations lead to.

    Args:
        state: The Worker's state afterwards.
        giver: The state of the Worker that gave classes away, where one did.
        deleted: Namespaces that are gone, whose storage goes with them.
        taken: Unique keys of other Workers' namespaces: one that was handed over keeps the key it was born with.
    """

    state: WorkerState
    giver: WorkerState | None = None
    deleted: tuple[Namespace, ...] = ()
    taken: frozenset[str] = frozenset()


def parse_migrations(value: object) -> Migrations:
    """Read the ``migrations`` of an upload: several ``steps``, or one step's members at the top.

    Raises:
        InvalidUpload: 10021; says which member is wrong.
    """
    if not isinstance(value, Mapping):
        raise InvalidUpload("metadata.migrations is no object", remedy='Send {"new_tag": "v1", "steps": [...]}.')
    steps = value.get("steps")
    listed = steps if isinstance(steps, list) else [value]
    return Migrations(
        tuple(_parse_step(step) for step in listed),
        _text(value, "old_tag"),
        _text(value, "new_tag"),
    )


def _parse_step(step: object) -> Migration:
    if not isinstance(step, Mapping):
        raise InvalidUpload(f"migration step {step!r} is no object", remedy='Send {"new_sqlite_classes": ["C"]}.')
    return Migration(
        _classes(step, "new_classes"),
        _classes(step, "new_sqlite_classes"),
        tuple(_parse_move(one) for one in _list(step, "renamed_classes")),
        tuple(_parse_move(one, "from_script") for one in _list(step, "transferred_classes")),
        _classes(step, "deleted_classes"),
    )


def _parse_move(move: object, script: str = "") -> Move:
    if isinstance(move, Mapping):
        names = ["from", "to", *([script] if script else [])]
        texts = [move.get(name) for name in names]
        if all(isinstance(text, str) and text for text in texts):
            return Move(class_name(texts[0]), class_name(texts[1]), str(texts[2]) if script else "")
    shape = '{"from": "A", "from_script": "worker", "to": "B"}' if script else '{"from": "A", "to": "B"}'
    raise InvalidUpload(f"migration entry {move!r} is not understood", remedy=f"Send {shape}.")


def class_name(value: object) -> str:
    """Return a Durable Object class's name.

    Raises:
        InvalidUpload: It is none.
    """
    if not isinstance(value, str) or not _CLASS_NAME.fullmatch(value):
        raise InvalidUpload(f"{value!r} is no class name", remedy="Give the name of a class the Worker exports.")
    return value


def _classes(step: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(class_name(one) for one in _list(step, key))


def _list(step: Mapping[str, Any], key: str) -> Sequence[object]:
    value = step.get(key)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise InvalidUpload(f"migrations.{key} is {value!r}, no list", remedy=f'Send "{key}": [...].')
    return value


def _text(value: Mapping[str, Any], key: str) -> str:
    text = value.get(key) or ""
    if not isinstance(text, str):
        raise InvalidUpload(f"migrations.{key} is {text!r}, no string", remedy=f'Send "{key}": "v1".')
    return text


def migrate(
    state: WorkerState, migrations: Migrations, state_of: StateOf, taken: frozenset[str] = frozenset()
) -> Migrated:
    """Apply migrations, all or none.

    Args:
        state_of: Looks up the Worker that ``transferred_classes`` takes from.
        taken: As in ``Migrated``.

    Raises:
        MigrationTagMismatch: 10079. MigrationRefused: 10074, or one of its kin; nothing was changed.
    """
    if migrations.old_tag != state.migration_tag:
        # Cloudflare names what the upload expected as "got" and what the Worker is at as "expected".
        raise MigrationTagMismatch(migrations.old_tag, state.migration_tag)
    migrated = Migrated(state, taken=taken)
    for step in migrations.steps:
        migrated = _apply(migrated, step, state_of)
    tagged = replace(migrated.state, migration_tag=migrations.new_tag or state.migration_tag)
    return replace(migrated, state=tagged)


def _apply(migrated: Migrated, step: Migration, state_of: StateOf) -> Migrated:
    for name in step.deleted:
        migrated = delete_class(migrated, name)
    for move in step.renamed:
        migrated = rename_class(migrated, move)
    for move in step.transferred:
        migrated = _transfer(migrated, move, state_of)
    for name in step.new:
        migrated = create_class(migrated, name, sqlite=False)
    for name in step.new_sqlite:
        migrated = create_class(migrated, name, sqlite=True)
    return migrated


def create_class(migrated: Migrated, name: str, *, sqlite: bool) -> Migrated:
    """Add a namespace for a class.

    Raises:
        MigrationRefused: The class has one.
    """
    state = migrated.state
    kind = "new-sqlite-class" if sqlite else "new-class"
    if state.namespace_of(name) is not None:
        raise MigrationRefused(
            f"Cannot apply {kind} migration to class '{name}' that is already depended on by existing "
            "Durable Objects.",
            remedy="Take it out of the migration, or give the class another name.",
        )
    key = _unused_key(state, name, migrated.taken)
    new = Namespace(uuid.uuid5(_NAMESPACE_IDS, f"{state.tag}\n{key}").hex, name, key, sqlite)
    return replace(migrated, state=replace(state, namespaces=(*state.namespaces, new)))


def _unused_key(state: WorkerState, name: str, taken: frozenset[str]) -> str:
    used = {one.unique_key for one in state.namespaces} | set(state.retired_keys) | taken
    key, number = f"{state.name}-{name}", 1
    while key in used:
        number += 1
        key = f"{state.name}-{name}-{number}"
    return key


def delete_class(migrated: Migrated, name: str) -> Migrated:
    """Take a class's namespace away; its key is never used again.

    Raises:
        MigrationRefused: The class has none.
    """
    state = migrated.state
    gone = _existing(state, name, "delete-class")
    return replace(migrated, state=_without(state, gone), deleted=(*migrated.deleted, gone))


def rename_class(migrated: Migrated, move: Move) -> Migrated:
    """Give a class's namespace another name; id, unique key and so all objects stay.

    Raises:
        MigrationRefused: There is no such class, or the new name is taken.
    """
    state = migrated.state
    old = _existing(state, move.from_class, "rename-class")
    _check_free(state, move.to_class, "rename-class")
    named = tuple(replace(one, class_name=move.to_class) if one is old else one for one in state.namespaces)
    return replace(migrated, state=replace(state, namespaces=named))


def _transfer(migrated: Migrated, move: Move, state_of: StateOf) -> Migrated:
    giver, state = migrated.giver, migrated.state
    if giver is None:
        giver = state_of(move.from_worker)
    elif giver.name != move.from_worker:
        raise MigrationRefused(
            f"Cannot apply transfer-class migration from '{move.from_worker}' and from '{giver.name}' at once.",
            remedy="Deploy one after the other.",
        )
    if giver is None or giver.name == state.name:
        raise MigrationRefused(
            f"Cannot apply transfer-class migration from script '{move.from_worker}': it does not exist.",
            remedy="Give the name of the Worker that has the class now as from_script.",
        )
    taken = _existing(giver, move.from_class, "transfer-class")
    _check_free(state, move.to_class, "transfer-class")
    return replace(
        migrated,
        state=replace(state, namespaces=(*state.namespaces, replace(taken, class_name=move.to_class))),
        giver=_without(giver, taken),
    )


def _existing(state: WorkerState, name: str, kind: str) -> Namespace:
    namespace = state.namespace_of(name)
    if namespace is None:
        known = ", ".join(one.class_name for one in state.namespaces) or "none"
        raise MigrationRefused(
            f"Cannot apply {kind} migration to class '{name}': script '{state.name}' has no such Durable Object "
            f"class (it has: {known}).",
            remedy="Name a class that an earlier migration made.",
        )
    return namespace


def _check_free(state: WorkerState, name: str, kind: str) -> None:
    if state.namespace_of(name) is not None:
        raise MigrationRefused(
            f"Cannot apply {kind} migration to class '{name}' that is already depended on by existing "
            "Durable Objects.",
            remedy="Delete that class first, or choose another name.",
        )


def _without(state: WorkerState, namespace: Namespace) -> WorkerState:
    return replace(
        state,
        namespaces=tuple(one for one in state.namespaces if one is not namespace),
        retired_keys=(*state.retired_keys, namespace.unique_key),
    )
