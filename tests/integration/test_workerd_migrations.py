"""Durable Object migrations with real storage: new, renamed, deleted, handed over, and what they forbid."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.edge_process import EdgeProcess, running_edge
from tests.integration.waiting import wait_for
from tests.integration.workers_api import (
    NEW_CLASSES,
    OBJECTS,
    VERSION,
    Json,
    Module,
    Probed,
    Refused,
    by_hash,
    edge_config,
    objects,
    prober,
)

HASHED = ("new", "renamed", "deleted", "between", "versioned")


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    """One gateway; each test has a Worker of its own."""
    config = edge_config([by_hash(name) for name in HASHED])
    with running_edge(tmp_path_factory.mktemp("edge"), config) as edge:
        yield edge


def with_names(**renamed: str) -> Module:
    """Return the prober with classes exported under other names: ``Counter="Tally"``."""
    module = prober()
    code = module.content.decode()
    for old, new in renamed.items():
        code = code.replace(f"export class {old} ", f"export class {new} ")
    return module._replace(content=code.encode())


def step(old: str, new: str, **members: object) -> Json:
    """Return the next migration."""
    return {"old_tag": old, "new_tag": new, **members}


def bound_to(class_name: str) -> list[Json]:
    """Return bindings with ``COUNTER`` bound to a class."""
    return [VERSION, objects("COUNTER", class_name)]


def test_new_classes_have_the_storage_that_their_migration_names(edge: EdgeProcess) -> None:
    """Cloudflare docs, migrations: ``new_sqlite_classes`` have ``storage.sql``, ``new_classes`` have not."""
    worker = Probed(edge, "new")
    worker.deploy_first()
    assert worker.rpc("x", "count")["storedCount"] == 1
    assert worker.attempt("plain", "x")["sql"] is False
    assert worker.attempt("plain", "x")["storedCount"] == 2


def test_a_first_class_may_come_with_a_later_deployment(edge: EdgeProcess) -> None:
    """Issue B, new classes: the new process learns that it owns the objects that the old one never had."""
    worker = Probed(edge, "later")
    code = b"export default { fetch: () => new Response('no class yet') };"
    worker.deploy(prober()._replace(content=code), bindings=[VERSION])
    worker.deploy_first()
    assert [worker.rpc("x", "count")["storedCount"] for _ in range(2)] == [1, 2]


def test_a_class_that_was_never_made_cannot_be_bound(edge: EdgeProcess) -> None:
    """R121: 10061, a class without migration."""
    with pytest.raises(Refused) as refused:
        Probed(edge, "no-migration").deploy()
    assert refused.value.code in {10_061, 10_070}


def test_a_version_upload_with_a_migration_is_refused(edge: EdgeProcess) -> None:
    """R52: 10211; and nothing of it stays."""
    worker = Probed(edge, "versioned")
    worker.deploy_first()
    with pytest.raises(Refused) as refused:
        worker.upload(migrations=step("v1", "v2", new_sqlite_classes=["Other"]))
    assert refused.value.code == 10_211
    assert worker.rpc("x", "count")["storedCount"] == 1


def test_a_renamed_class_keeps_its_objects(edge: EdgeProcess) -> None:
    """Cloudflare docs, migrations: a rename hands over all that is stored, under the same ids."""
    worker = Probed(edge, "renamed")
    worker.deploy_first()
    before = worker.rpc("x", "count")

    new = worker.deploy(
        with_names(Counter="Tally"),
        bindings=bound_to("Tally"),
        migrations=step("v1", "v2", renamed_classes=[{"from": "Counter", "to": "Tally"}]),
    )

    after = worker.rpc("x", "count")
    assert (after["id"], after["storedCount"], after["version"]) == (before["id"], 2, new)


def test_a_rollback_across_a_migration_is_refused_and_changes_nothing(edge: EdgeProcess) -> None:
    """R53, R94: "no version from before it can be rolled back to"."""
    worker = Probed(edge, "between")
    a = worker.deploy_first()
    worker.rpc("x", "count")
    b = worker.deploy(migrations=step("v1", "v2", new_sqlite_classes=["Later"]))
    with pytest.raises(Refused):
        worker.split((a, 100))
    with pytest.raises(Refused):
        worker.split((a, 50), (b, 50))
    assert worker.active() == {b: 100}
    assert worker.rpc("x", "count") == {**worker.rpc("x", "look"), "storedCount": 2, "version": b}


def test_a_deleted_classs_storage_goes_only_with_the_deploy_and_a_class_made_anew_is_empty(
    edge: EdgeProcess,
) -> None:
    """Issue B: "a deleted class deletes its storage only after the deploy is acknowledged"."""
    worker = Probed(edge, "deleted")
    worker.deploy_first()
    for name in ("x", "y"):
        worker.rpc(name, "count")
    with pytest.raises(Refused):
        worker.deploy(
            Module("bad.js", b"export default {"),
            bindings=[VERSION],
            migrations=step("v1", "v2", deleted_classes=["Counter"]),
        )
    assert worker.rpc("x", "count")["storedCount"] == 2
    assert len(worker.owners_on_disk()) == 2

    worker.deploy(
        bindings=[VERSION, objects("PLAIN", "Plain")], migrations=step("v1", "v2", deleted_classes=["Counter"])
    )

    wait_for(lambda: not worker.owners_on_disk(), "the storage to go")
    worker.deploy(bindings=list(OBJECTS), migrations=step("v2", "v3", new_sqlite_classes=["Counter"]))
    assert worker.rpc("x", "count")["storedCount"] == 1


def test_a_class_that_is_handed_over_brings_its_objects_to_the_other_worker(edge: EdgeProcess) -> None:
    """Issue B, transferred classes: with ids and storage, and the giver has them no more."""
    giver = Probed(edge, "giver")
    giver.deploy_first()
    before = giver.rpc("x", "count")
    taker = Probed(edge, "taker", bindings=bound_to("Counter"))
    taker.deploy(
        migrations={
            "new_tag": "t1",
            "transferred_classes": [{"from": "Counter", "from_script": "giver", "to": "Counter"}],
        }
    )
    after = taker.rpc("x", "count")
    assert (after["id"], after["storedCount"]) == (before["id"], 2)
    assert giver.rpc("x", "count")["storedCount"] == 3, "bindings follow the namespace to its new Worker"


def test_a_deploy_that_names_the_same_migrations_again_changes_nothing(edge: EdgeProcess) -> None:
    """Wrangler sends all migrations each time; only those after ``old_tag`` are applied."""
    worker = Probed(edge, "again")
    worker.deploy_first()
    worker.rpc("x", "count")
    worker.deploy()
    assert worker.rpc("x", "count")["storedCount"] == 2
    with pytest.raises(Refused):
        worker.deploy(migrations=NEW_CLASSES)
    assert worker.rpc("x", "count")["storedCount"] == 3


def test_a_deleted_worker_leaves_no_object_behind(edge: EdgeProcess) -> None:
    """``wrangler delete``: its storage goes, and a Worker of that name starts with none."""
    worker = Probed(edge, "gone")
    worker.deploy_first()
    worker.rpc("x", "count")
    worker.api.call("DELETE", "gone?force=true")
    assert worker.get("/version").status in {404, 503}
    wait_for(lambda: not worker.owners_on_disk(), "the storage to go")
    worker.deploy_first()
    assert worker.rpc("x", "count")["storedCount"] == 1
