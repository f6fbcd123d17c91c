"""Versions and deployments as wrangler and the SDKs list, view, make and delete them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from gateway.settings import RoutingSettings
from tests.control.cloudflare.api import SECRET, Api, cloudflare_api, deployment, form

NOWHERE = "00000000-0000-4000-8000-000000000000"


async def two(api: Api) -> tuple[str, str]:
    """Deploy one version and upload another; return both."""
    first = (await api.put())["deployment_id"]
    return first, (await api.upload())["id"]


async def test_versions_are_listed_the_newest_first_with_resources(api: Api) -> None:
    """wrangler-api 3, 5: ``items[0]`` is the newest, and ``secret list --latest-version`` reads its bindings."""
    first, second = await two(api)
    items = await api.versions()

    assert [one["id"] for one in items] == [second, first]
    assert set(items[0]["resources"]) == {"script", "script_runtime", "bindings"}
    assert (await api.ok("GET", f"scripts/shop/versions/{second}")) == items[0]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [5, 4, 3, 2, 1]),
        ("?page=1&per_page=2", [5, 4]),
        ("?page=3&per_page=2", [1]),
        ("?page=4&per_page=2", []),
        ("?page=2", []),
        ("?page=0", [5, 4, 3, 2, 1]),
        ("?page=999999999", []),
        ("?deployable=true&page=7", [5, 4, 3, 2, 1]),
    ],
)
async def test_pages_of_versions(api: Api, query: str, numbers: list[int]) -> None:
    """wrangler-api 11, R100: the SDK turns pages until one is empty; ``deployable`` ignores paging."""
    await api.put()
    for _ in range(4):
        await api.upload()

    items = (await api.ok("GET", f"scripts/shop/versions{query}"))["items"]

    assert [one["number"] for one in items] == numbers


@pytest.mark.parametrize("query", ["page=x", "per_page=-1", "page=1e3", "page=99999999999999999999"])
async def test_odd_pages_are_400(api: Api, query: str) -> None:
    """wrangler-api 13."""
    await api.put()

    assert (await api.refused("GET", f"scripts/shop/versions?{query}"))["status"] == 400


async def test_only_the_last_hundred_can_be_deployed(api: Api) -> None:
    """R12: older ones stay readable."""
    first = (await api.put())["deployment_id"]
    for _ in range(100):
        await api.upload()
    deployable = (await api.ok("GET", "scripts/shop/versions?deployable=true"))["items"]
    error = await api.refused("POST", "scripts/shop/deployments", json=deployment((first, 100)))

    assert (len(deployable), deployable[-1]["number"]) == (100, 2)
    assert error["code"] == 90_105
    assert (await api.ok("GET", f"scripts/shop/versions/{first}"))["number"] == 1


@pytest.mark.parametrize("reference", [NOWHERE, "v1", "0000", "0" * 32])
async def test_an_unknown_version_is_100146(api: Api, reference: str) -> None:
    """wrangler-api 7: neither tags nor prefixes name a version here."""
    await api.put(annotations={"workers/tag": "v1"})
    view = await api.refused("GET", f"scripts/shop/versions/{reference}")
    deploy = await api.refused("POST", "scripts/shop/deployments", json=deployment((reference, 100)))

    assert [(one["code"], one["status"]) for one in (view, deploy)] == [(100_146, 404), (100_146, 404)]


async def test_an_id_may_come_without_hyphens_or_in_capitals(api: Api) -> None:
    """wrangler-api 4: wrangler hyphenates 32 hex digits itself, so it knows both."""
    first = (await api.put())["deployment_id"]

    assert (await api.ok("GET", f"scripts/shop/versions/{first.replace('-', '').upper()}"))["id"] == first


async def test_a_deployment_keeps_order_percentages_and_message(api: Api) -> None:
    """wrangler-api 3, R13-R15: as given; the newest is the active one."""
    first, second = await two(api)
    made = await api.deploy((second, 33.333), (first, 66.667), annotations={"workers/message": "third"})
    listed = await api.deployments()

    assert listed[0] == made
    assert made["versions"] == [
        {"version_id": second, "percentage": 33.333},
        {"version_id": first, "percentage": 66.667},
    ]
    assert made["annotations"] == {"workers/triggered_by": "deployment", "workers/message": "third"}
    assert (made["strategy"], made["author_email"]) == ("percentage", "developer@localhost")
    assert (await api.ok("GET", f"scripts/shop/deployments/{made['id']}")) == made


@pytest.mark.parametrize("annotations", [None, {}, {"workers/message": ""}, {"workers/message": None}])
async def test_an_empty_message_is_unset(api: Api, annotations: dict[str, Any] | None) -> None:
    """wrangler-api 6: ``{}``, an empty message, or nothing at all (the SDK)."""
    first, _ = await two(api)

    body: dict[str, Any] = {} if annotations is None else {"annotations": annotations}
    made = await api.deploy((first, 100), **body)

    assert made["annotations"] == {"workers/triggered_by": "deployment"}


async def test_a_message_is_cut_at_1000_bytes(api: Api) -> None:
    """R99, wrangler-api 3: messages at 1000 bytes, tags at 100, never within a character."""
    long = {"workers/message": "é" * 600, "workers/tag": "é" * 60}
    first = (await api.put(annotations=long))["deployment_id"]
    version = (await api.versions())[0]
    made = await api.deploy((first, 100), annotations=long)

    assert [version["annotations"][f"workers/{key}"] for key in ("message", "tag")] == ["é" * 500, "é" * 50]
    assert made["annotations"]["workers/message"] == "é" * 500


@pytest.mark.parametrize(
    ("strategy", "code"),
    [({"mode": "immediate"}, "immediate"), ({"mode": "deferred", "max_delay": 10}, "deferred")],
)
async def test_code_update_strategy_reaches_the_deployment(api: Api, strategy: dict[str, Any], code: str) -> None:
    """R60, wrangler-api 4, 6: on the PUT and on the POST."""
    first = (await api.put(code_update_strategy=strategy))["deployment_id"]
    await api.deploy((first, 100), code_update_strategy=strategy)

    assert [one.code_update.mode for one in api.catalog.find("shop").deployments] == [code, code]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 90_120),
        ({"versions": []}, 90_120),
        ({"versions": ["x"]}, 90_120),
        ({"versions": [{"version_id": NOWHERE}]}, 90_120),
        ({"versions": [{"version_id": NOWHERE, "percentage": "100"}]}, 90_120),
        ({"versions": [{"version_id": NOWHERE, "percentage": True}]}, 90_120),
        ({"strategy": "blue_green", "versions": []}, 90_120),
    ],
)
async def test_a_body_that_is_no_deployment_is_400(api: Api, body: dict[str, Any], code: int) -> None:
    """wrangler-api 13: 4xx for permanent errors; this request is never sent again."""
    await api.put()

    error = await api.refused("POST", "scripts/shop/deployments", json=body)

    assert (error["status"], error["code"]) == (400, code)


@pytest.mark.parametrize(
    ("percentages", "code"),
    [((50, 40), 90_101), ((50, 50.01), 90_101), ((-1, 101), 90_102), ((101, 0), 90_102), ((50, 25, 25), 90_103)],
)
async def test_percentages_and_counts_that_break_a_rule(
    api: Api, percentages: tuple[float, ...], code: int
) -> None:
    """R11, R13, R103: refused in wrangler's words."""
    await api.put()
    versions = [(await api.upload())["id"] for _ in percentages]
    shares = list(zip(versions, percentages, strict=True))

    assert (await api.refused("POST", "scripts/shop/deployments", json=deployment(*shares)))["code"] == code


async def test_what_is_within_a_thousandth_of_100_is_100(api: Api) -> None:
    """R13: wrangler rounds to three decimals."""
    first, second = await two(api)

    await api.deploy((first, 33.3), (second, 66.699))
    await api.deploy((first, 0), (second, 100))


async def test_more_than_two_versions_by_setting(tmp_path: Path) -> None:
    """R11: the limit is a setting."""
    async with cloudflare_api(tmp_path, settings=RoutingSettings(max_versions=3)) as api:
        await api.put()
        versions = [(await api.upload())["id"] for _ in range(3)]
        await api.deploy(*((one, share) for one, share in zip(versions, (50, 25, 25), strict=True)))


async def test_an_older_deployment_can_be_deleted_the_active_one_not(api: Api) -> None:
    """R16: it is no longer shown; the numbers behind it go on."""
    await api.put()
    await api.put()
    active, older = await api.deployments()
    error = await api.refused("DELETE", f"scripts/shop/deployments/{active['id']}")
    assert await api.ok("DELETE", f"scripts/shop/deployments/{older['id']}") is None

    assert (error["status"], error["code"]) == (409, 90_153)
    assert await api.deployments() == [active]
    for method in ("GET", "DELETE"):
        assert (await api.refused(method, f"scripts/shop/deployments/{older['id']}"))["status"] == 404
    await api.put()
    assert api.catalog.find("shop").deployments[-1].number == 3


async def test_deployments_by_page_and_time(api: Api) -> None:
    """R98: ``page``, ``per_page``, ``since``, ``until`` of the newest client."""
    for _ in range(3):
        await api.put()
    moments = [one["created_on"] for one in await api.deployments()]

    async def listed(query: str) -> list[str]:
        found = (await api.ok("GET", f"scripts/shop/deployments?{query}"))["deployments"]
        return [one["created_on"] for one in found]

    assert await listed("per_page=2&page=2") == moments[2:]
    assert await listed("page=2") == []
    assert await listed(f"since={moments[1]}") == moments[:2]
    assert await listed(f"until={moments[1]}") == moments[1:]
    assert (await api.refused("GET", "scripts/shop/deployments?since=soon"))["status"] == 400


# Rollback.


async def test_a_rollback_is_a_deployment_of_an_older_version(api: Api) -> None:
    """R93, R95: no new version; the version's id occurs as often as it was deployed."""
    first = (await api.put())["deployment_id"]
    await api.put()
    await api.deploy((first, 100), annotations={"workers/message": "Rollback"})
    listed = await api.deployments()

    assert [one["versions"][0]["version_id"] for one in listed].count(first) == 2
    assert listed[0]["annotations"] == {"workers/triggered_by": "deployment", "workers/message": "Rollback"}
    assert len(await api.versions()) == 2


async def test_a_rollback_across_changed_secrets_wants_force(api: Api) -> None:
    """R95, wrangler-api 7: wrangler splits the names at ', ' and asks."""
    hidden = [{"name": name, "type": "secret_text", "text": SECRET} for name in ("A", "B", "C")]
    first = (await api.put(bindings=hidden))["deployment_id"]
    await api.put(
        bindings=[hidden[0], {**hidden[1], "text": "other"}, {**hidden[2], "name": "D"}], keep_bindings=[]
    )

    error = await api.refused("POST", "scripts/shop/deployments", json=deployment((first, 100)))

    assert (error["code"], error["message"]) == (10_220, "The following secrets have changed: B, C, D")
    await api.ok("POST", "scripts/shop/deployments?force=true", json=deployment((first, 100)))


async def test_what_is_no_rollback_asks_for_no_force(api: Api) -> None:
    """R95: forward, within the active split, and to a split."""
    first = (await api.put())["deployment_id"]
    second = (await api.upload(bindings=[{"name": "S", "type": "secret_text", "text": SECRET}]))["id"]

    await api.deploy((second, 100))
    await api.deploy((first, 50), (second, 50))
    await api.deploy((first, 100))
    await api.deploy((second, 100))


# Durable Object migrations.

COUNTER = {"name": "C", "type": "durable_object_namespace", "class_name": "Counter"}
V1 = {"new_tag": "v1", "steps": [{"new_sqlite_classes": ["Counter"]}]}


async def test_a_migration_comes_with_a_deploy(api: Api) -> None:
    """R52, wrangler-api 5: the tag is told in services (new) and in the script list (old)."""
    told = await api.put(bindings=[COUNTER], migrations=V1)
    (script,) = await api.ok("GET", "scripts")
    service = (await api.ok("GET", "services/shop"))["default_environment"]["script"]
    (binding,) = (await api.versions())[0]["resources"]["bindings"]
    (namespace,) = await api.ok("GET", "durable_objects/namespaces")

    assert (told["migration_tag"], script["migration_tag"], service["migration_tag"]) == ("v1", "v1", "v1")
    assert (await api.versions())[0]["resources"]["script_runtime"]["migration_tag"] == "v1"
    assert binding == {**COUNTER, "namespace_id": namespace["id"]}
    assert namespace == {
        "id": namespace["id"], "name": "shop_Counter", "script": "shop", "class": "Counter", "use_sqlite": True,
    }  # fmt: skip
    assert [one.class_name for one in api.plane.namespaces[0]] == ["Counter"]
    assert api.store.load_workers()[0].namespaces[0].unique_key == "shop-Counter"


async def test_a_migration_that_fails_changes_nothing(api: Api) -> None:
    """Issue B: new version, deployment and namespaces come together or not at all."""
    await api.put()
    api.plane.trouble = RuntimeError("no")
    response = await api.send("PUT", "scripts/shop", data=form(bindings=[COUNTER], migrations=V1))
    api.plane.trouble = None

    assert response.status == 500
    assert "migration_tag" not in (await api.ok("GET", "scripts"))[0]
    assert len(await api.versions()) == 1
    await api.put(bindings=[COUNTER], migrations=V1)


@pytest.mark.parametrize(
    ("metadata", "code", "status"),
    [
        ({"bindings": [COUNTER]}, 10_061, 400),
        ({"bindings": [{**COUNTER, "script_name": "shop"}]}, 10_061, 400),
        ({"bindings": [{**COUNTER, "script_name": "none"}]}, 10_061, 400),
        ({"bindings": [{**COUNTER, "script_name": "other"}]}, 10_061, 400),
        ({"migrations": {**V1, "old_tag": "v0"}}, 10_079, 412),
        ({"migrations": {"new_tag": "v1", "deleted_classes": ["Counter"]}}, 10_074, 400),
        ({"migrations": []}, 0, 200),
        ({"migrations": 1}, 10_021, 400),
        ({"migrations": V1, "exports": {"Counter": {"type": "durable-object"}}}, 10_021, 400),
    ],
)
async def test_deploys_whose_classes_do_not_fit(
    api: Api, metadata: dict[str, Any], code: int, status: int
) -> None:
    """wrangler-api 7: 10061, 10074, 10079; text only."""
    await api.put("other")
    response = await api.send("PUT", "scripts/shop", data=form(**metadata))
    told = await response.json()

    assert (response.status, told["errors"][0]["code"] if told["errors"] else 0) == (status, code)


async def test_a_class_cannot_go_while_it_is_bound(api: Api) -> None:
    """wrangler-api 7: 10061 in Cloudflare's words."""
    await api.put(bindings=[COUNTER], migrations=V1)
    gone = {"old_tag": "v1", "new_tag": "v2", "steps": [{"deleted_classes": ["Counter"]}]}
    error = await api.refused("PUT", "scripts/shop", data=form(bindings=[COUNTER], migrations=gone))
    await api.put(migrations=gone)

    assert error["message"].startswith("Cannot apply --delete-class migration to class 'Counter' without also")
    assert api.store.load_workers()[0].retired_keys == ("shop-Counter",)


async def test_a_version_upload_brings_no_migration(api: Api) -> None:
    """R52, wrangler-api 7: 10211 with a page; 100406 for a class that is not there yet."""
    await api.put()
    moved = await api.refused("POST", "scripts/shop/versions", data=form(bindings=[COUNTER], migrations=V1))
    bound = await api.refused("POST", "scripts/shop/versions", data=form(bindings=[COUNTER]))
    exports = {"Counter": {"type": "durable-object", "storage": "sqlite"}}
    declared = await api.refused("POST", "scripts/shop/versions", data=form(bindings=[COUNTER], exports=exports))
    unbound = await api.refused("POST", "scripts/shop/versions", data=form(exports=exports))

    assert [one["code"] for one in (moved, bound, declared, unbound)] == [10_211, 100_406, 100_406, 10_211]
    assert "with-durable-objects" in moved["documentation_url"]
    assert "class 'Counter'" in bound["message"]


async def test_no_version_is_deployed_across_a_migration(api: Api) -> None:
    """R53, R94: neither as a rollback nor in a split; with ``exports`` a split is 100405 (R19)."""
    before = (await api.put())["deployment_id"]
    after = (await api.put(bindings=[COUNTER], migrations=V1))["deployment_id"]
    rollback = await api.refused("POST", "scripts/shop/deployments", json=deployment((before, 100)))
    split = await api.refused("POST", "scripts/shop/deployments", json=deployment((before, 50), (after, 50)))

    assert [one["code"] for one in (rollback, split)] == [90_107, 90_107]
    assert "'v1'" in rollback["message"]
    await api.deploy((after, 100))


async def test_declarative_exports(api: Api) -> None:
    """wrangler-api 4, 7: missing classes are made; what would be lost is refused with details; splits agree."""
    exports = {"Counter": {"type": "durable-object", "storage": "sqlite"}, "Entry": {"type": "worker"}}
    before = (await api.put())["deployment_id"]
    told = await api.put(bindings=[COUNTER], exports=exports)
    again = await api.put(bindings=[COUNTER], exports=exports)
    lost = await api.refused("PUT", "scripts/shop", data=form(exports={"Other": {"type": "durable-object"}}))
    split = deployment((before, 50), (told["deployment_id"], 50))
    error = await api.refused("POST", "scripts/shop/deployments", json=split)

    assert told["exports_reconciliation"]["created"] == ["Counter"]
    assert again["exports_reconciliation"]["created"] == []
    assert (lost["code"], lost["status"]) == (100_402, 409)
    assert lost["meta"]["details"][0]["class"] == "Counter"
    assert error["code"] == 100_405
    await api.upload(bindings=[COUNTER], exports=exports)
    await api.deploy((again["deployment_id"], 100))


async def test_a_class_moves_to_another_worker_with_its_objects(api: Api) -> None:
    """R52: ``transferred_classes`` keeps id and unique key; both Workers change in one step."""
    await api.put("giver", bindings=[COUNTER], migrations=V1)
    (before,) = await api.ok("GET", "durable_objects/namespaces")
    move = {"from": "Counter", "from_script": "giver", "to": "Tally"}
    tally = {**COUNTER, "class_name": "Tally"}
    await api.put(
        "taker", bindings=[tally], migrations={"new_tag": "t1", "steps": [{"transferred_classes": [move]}]}
    )
    (after,) = await api.ok("GET", "durable_objects/namespaces")
    stored = {one.name: one for one in api.store.load_workers()}

    assert (after["id"], after["script"], after["class"]) == (before["id"], "taker", "Tally")
    assert stored["taker"].namespaces[0].unique_key == "giver-Counter"  # type: ignore[index]
    assert stored["giver"].namespaces == ()  # type: ignore[index]
    # The giver may make the class anew; its key is still in use elsewhere, even after the giver was deleted.
    await api.ok("DELETE", "services/giver?force=true")
    await api.put("giver", bindings=[COUNTER], migrations=V1)
    assert api.workers.find("giver").state.namespaces[0].unique_key == "giver-Counter-2"  # type: ignore[union-attr]


async def test_objects_of_another_worker_can_be_bound(api: Api) -> None:
    """wrangler-api 4: ``script_name``; naming oneself is naming nobody."""
    await api.put("owner", bindings=[{**COUNTER, "script_name": "owner"}], migrations=V1)
    foreign = {**COUNTER, "script_name": "owner"}
    await api.put(bindings=[foreign])

    assert (await api.versions())[0]["resources"]["bindings"] == [foreign]
    assert "script_name" not in (await api.versions("owner"))[0]["resources"]["bindings"][0]


async def test_ids_are_uuids(api: Api) -> None:
    """R3: a version named by another UUID is not found, one of another Worker neither."""
    other = (await api.put("other"))["deployment_id"]
    await api.put()

    for wanted in (str(uuid4()), other):
        assert (await api.refused("GET", f"scripts/shop/versions/{wanted}"))["code"] == 100_146
