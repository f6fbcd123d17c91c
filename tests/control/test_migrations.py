"""Durable Object migrations and declarative exports: the namespaces before and after."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.control.exports import parse_exports, reconcile
from gateway.control.migrations import Migrated, migrate, parse_migrations
from gateway.control.refusals import (
    ExportsRefused,
    InvalidUpload,
    MigrationRefused,
    MigrationTagMismatch,
    NotServed,
)
from gateway.model.version import WorkerName
from gateway.model.worker import Namespace, WorkerState

EMPTY = WorkerState(WorkerName("shop"), "f" * 32, "", "")
CART = Namespace("1" * 32, "Cart", "shop-Cart", sqlite=True)
LEGACY = Namespace("2" * 32, "Old", "shop-Old", sqlite=False)
SHOP = replace(EMPTY, migration_tag="v1", namespaces=(CART, LEGACY))
GIVER = WorkerState(
    WorkerName("giver"), "e" * 32, "", "", namespaces=(Namespace("3" * 32, "Tally", "giver-Tally", sqlite=True),)
)


def after(
    state: WorkerState, *steps: dict[str, Any], taken: frozenset[str] = frozenset(), **tags: str
) -> Migrated:
    """Apply steps to a Worker beside ``giver``."""
    migrations = parse_migrations({"old_tag": state.migration_tag, "new_tag": "new", **tags, "steps": list(steps)})

    def state_of(name: str) -> WorkerState | None:
        return {"giver": GIVER, "shop": state}.get(name)

    return migrate(state, migrations, state_of, taken)


def test_new_classes_get_namespaces() -> None:
    """wrangler-api 4: ``new_classes`` are KV-backed, ``new_sqlite_classes`` have ``ctx.storage.sql``."""
    state = after(EMPTY, {"new_classes": ["A"], "new_sqlite_classes": ["B"]}).state
    one, two = state.namespaces

    assert [(one.class_name, one.unique_key, one.sqlite), (two.class_name, two.unique_key, two.sqlite)] == [
        ("A", "shop-A", False),
        ("B", "shop-B", True),
    ]
    assert {len(one.id), len(two.id)} == {32}
    assert one.id != two.id
    assert state.migration_tag == "new"


def test_a_single_step_may_stand_at_the_top() -> None:
    """wrangler-api 4, the SDKs: without ``steps``."""
    migrated = migrate(EMPTY, parse_migrations({"new_tag": "v1", "new_sqlite_classes": ["A"]}), lambda _name: None)

    assert migrated.state.namespaces[0].class_name == "A"


def test_a_renamed_class_keeps_its_objects() -> None:
    """Issue B, 2: id and unique key stay; its old name is free again, under another key."""
    renamed = after(SHOP, {"renamed_classes": [{"from": "Cart", "to": "Basket"}]}).state
    again = after(renamed, {"new_sqlite_classes": ["Cart"]}).state

    assert renamed.namespaces[0] == replace(CART, class_name="Basket")
    assert again.namespaces[-1].unique_key == "shop-Cart-2"


def test_a_deleted_class_never_gives_its_key_back() -> None:
    """Issue B, 2: a class of the same name starts empty."""
    gone = after(SHOP, {"deleted_classes": ["Cart"]})
    both = after(SHOP, {"deleted_classes": ["Cart"], "new_sqlite_classes": ["Cart"]})

    assert (gone.deleted, gone.state.namespaces, gone.state.retired_keys) == ((CART,), (LEGACY,), ("shop-Cart",))
    assert both.state.namespaces[-1].unique_key == "shop-Cart-2"


def test_a_transferred_class_changes_both_workers() -> None:
    """Issue B, 2: key and id go along; the giver never uses the key again."""
    move = {"from": "Tally", "from_script": "giver", "to": "Count"}
    migrated = after(SHOP, {"transferred_classes": [move]})

    assert migrated.state.namespaces[-1] == replace(GIVER.namespaces[0], class_name="Count")
    assert migrated.giver is not None
    assert (migrated.giver.namespaces, migrated.giver.retired_keys) == ((), ("giver-Tally",))
    assert migrated.deleted == ()


def test_keys_of_other_workers_are_not_used() -> None:
    """A class that was handed over keeps the key it was born with, even when its Worker is made anew."""
    state = after(EMPTY, {"new_sqlite_classes": ["Cart"]}, taken=frozenset({"shop-Cart", "shop-Cart-2"})).state

    assert state.namespaces[0].unique_key == "shop-Cart-3"


def test_steps_follow_each_other() -> None:
    """wrangler-api 4: all steps behind the Worker's tag come at once."""
    steps: list[dict[str, Any]] = [
        {"new_sqlite_classes": ["A"]},
        {"renamed_classes": [{"from": "A", "to": "B"}]},
        {"deleted_classes": ["B"], "new_classes": ["A"]},
    ]
    state = after(EMPTY, *steps).state

    assert [(one.class_name, one.unique_key, one.sqlite) for one in state.namespaces] == [("A", "shop-A-2", False)]


@pytest.mark.parametrize(("has", "expected"), [("", "v1"), ("v1", ""), ("v1", "v2")])
def test_the_tag_must_be_the_one_the_upload_starts_from(has: str, expected: str) -> None:
    """wrangler-api 7: 10079, Cloudflare's words."""
    with pytest.raises(MigrationTagMismatch, match=f"got tag '{expected}' when expected tag is '{has}'"):
        after(replace(EMPTY, migration_tag=has), old_tag=expected)


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ({"new_classes": ["Cart"]}, "already depended on"),
        ({"new_sqlite_classes": ["A", "A"]}, "already depended on"),
        ({"deleted_classes": ["Nope"]}, "no such Durable Object class"),
        ({"renamed_classes": [{"from": "Nope", "to": "A"}]}, "it has: Cart, Old"),
        ({"renamed_classes": [{"from": "Cart", "to": "Old"}]}, "already depended on"),
        ({"transferred_classes": [{"from": "Tally", "from_script": "none", "to": "A"}]}, "does not exist"),
        ({"transferred_classes": [{"from": "Cart", "from_script": "shop", "to": "A"}]}, "does not exist"),
        ({"transferred_classes": [{"from": "Nope", "from_script": "giver", "to": "A"}]}, "no such"),
        (
            {"transferred_classes": [{"from": "Tally", "from_script": "giver", "to": "Cart"}]},
            "already depended on",
        ),
    ],
)
def test_migrations_that_do_not_fit_the_classes(step: dict[str, Any], text: str) -> None:
    """R121: Cloudflare's words where they are known; nothing was changed."""
    with pytest.raises(MigrationRefused, match=text):
        after(SHOP, step)


@pytest.mark.parametrize(
    "value",
    [
        1,
        {"steps": [1]},
        {"new_classes": "A"},
        {"new_classes": [1]},
        {"new_classes": ["no class"]},
        {"new_tag": 1},
        {"renamed_classes": [{"from": "A"}]},
        {"renamed_classes": ["A"]},
        {"transferred_classes": [{"from": "A", "to": "B"}]},
    ],
)
def test_migrations_of_another_shape(value: object) -> None:
    """House rule: the member is named."""
    with pytest.raises(InvalidUpload):
        parse_migrations(value)


# Declarative exports.


def reconciled(state: WorkerState, users: dict[str, tuple[str, ...]] | None = None, **exports: Any) -> Any:
    """Bring a Worker in line with exports; each a state or a whole entry."""
    entries = {
        name: {"type": "durable-object", **(entry if isinstance(entry, dict) else {"state": entry})}
        for name, entry in exports.items()
    }
    return reconcile(state, parse_exports(entries), users or {}, frozenset())


def test_missing_classes_are_made_once() -> None:
    """wrangler-api 4: created on the first deploy, matched on the next; the tag tells that classes changed."""
    first = reconciled(EMPTY, Cart={})
    second = reconciled(first.migrated.state, Cart={"storage": "sqlite"})
    third = reconciled(second.migrated.state, Cart={}, Other="created")

    assert (first.changed, first.summary["created"], first.migrated.state.migration_tag) == (
        True,
        ["Cart"],
        "exports-1",
    )
    assert first.migrated.state.namespaces[0].sqlite
    assert (second.changed, second.summary["created"]) == (False, [])
    assert third.migrated.state.migration_tag == "exports-2"


def test_tombstones_delete_and_rename() -> None:
    """The API client's types: ``deleted`` and ``renamed``; one that was applied can be removed."""
    state = replace(SHOP, namespaces=(CART,))
    gone = reconciled(state, Cart="deleted")
    named = reconciled(state, Cart={"state": "renamed", "renamed_to": "Basket"}, Basket={})
    done = reconciled(named.migrated.state, Cart={"state": "renamed", "renamed_to": "Basket"}, Basket={})

    assert (gone.summary["deleted"], gone.migrated.deleted) == (["Cart"], (CART,))
    assert named.summary["renamed"] == [{"from": "Cart", "to": "Basket"}]
    assert named.migrated.state.namespaces == (replace(CART, class_name="Basket"),)
    assert (done.changed, done.summary["removable_entries"]) == (False, ["Cart"])


@pytest.mark.parametrize(
    ("exports", "users", "scenario"),
    [
        ({}, {}, "missing_export"),
        ({"Cart": {"storage": "legacy-kv"}}, {}, "storage_mismatch"),
        ({"Cart": {}, "New": {"storage": "legacy-kv"}}, {}, "legacy_kv_not_provisionable"),
        ({"Cart": "deleted"}, {"Cart": ("user",)}, "deleted_but_referenced"),
        (
            {"Cart": {"state": "renamed", "renamed_to": "Old"}, "Old": {"storage": "legacy-kv"}},
            {},
            "rename_target_exists",
        ),
    ],
)
def test_exports_that_would_lose_objects(
    exports: dict[str, Any], users: dict[str, tuple[str, ...]], scenario: str
) -> None:
    """wrangler-api 7: 100402 with details that wrangler renders."""
    state = SHOP if scenario == "rename_target_exists" else replace(SHOP, namespaces=(CART,))
    with pytest.raises(ExportsRefused) as refusal:
        reconciled(state, users, **exports)

    assert refusal.value.meta is not None
    (detail,) = refusal.value.meta["details"]
    assert detail["scenario"] == scenario
    assert {"class", "scenario", "message", "suggestion"} <= set(detail)


@pytest.mark.parametrize(
    ("exports", "error"),
    [
        ([], InvalidUpload),
        ({"A": 1}, InvalidUpload),
        ({"A": {"type": "durable-object", "state": "asleep"}}, InvalidUpload),
        ({"A": {"type": "durable-object", "storage": "paper"}}, InvalidUpload),
        ({"A": {"type": "durable-object", "state": "renamed"}}, InvalidUpload),
        ({"A-": {"type": "durable-object"}}, InvalidUpload),
        ({"A": {"type": "workflow"}}, NotServed),
        ({"A": {"type": "durable-object", "state": "transferred", "transferred_to": "x"}}, NotServed),
        ({"A": {"type": "durable-object", "state": "expecting-transfer", "transfer_from": "x"}}, NotServed),
    ],
)
def test_exports_of_another_shape(exports: object, error: type[Exception]) -> None:
    """House rule: the entry is named; what is not there says so."""
    with pytest.raises(error, match=r"A|exports"):
        parse_exports(exports)


def test_worker_entrypoints_have_no_lifecycle() -> None:
    """The API client's types: ``worker`` entries do not count."""
    assert parse_exports({"Entry": {"type": "worker"}}) == ()
