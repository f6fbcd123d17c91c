"""Workers beyond their versions: accounts, services, settings, triggers, references, deletion, the beta paths."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from gateway.model.version import WorkerName
from tests.control.cloudflare.api import (
    BASE,
    CODE,
    EDGE_PORT,
    FROM_FILE,
    JS,
    MAIN,
    SECRET,
    Api,
    form,
    secret,
    settings_form,
)

COUNTER = {"name": "C", "type": "durable_object_namespace", "class_name": "Counter"}
V1 = {"new_tag": "v1", "steps": [{"new_sqlite_classes": ["Counter"]}]}


# Accounts and services.


async def test_who_the_caller_is(api: Api) -> None:
    """wrangler-api 5: whoami, and a client without an account id."""
    assert (await api.ok("GET", f"{BASE}/user"))["email"] == "developer@localhost"
    assert (await api.ok("GET", f"{BASE}/user/tokens/verify"))["status"] == "active"
    assert await api.ok("GET", f"{BASE}/accounts?page=1") == [
        {"id": "local", "name": "Local gateway", "type": "standard"}
    ]
    (membership,) = await api.ok("GET", f"{BASE}/memberships?page=1")
    assert (membership["account"]["id"], len(membership["roles"])) == ("local", 1)
    assert (await api.ok("GET", f"{BASE}/accounts/any-id_1"))["id"] == "any-id_1"
    assert await api.ok("GET", "subdomain") == {"subdomain": "local"}


@pytest.mark.parametrize("path", ["/accounts", "/memberships", "/accounts/x/workers/scripts", "/zones"])
async def test_lists_end_with_an_empty_page(api: Api, path: str) -> None:
    """wrangler-api 2, 11: a list that ignored ``page`` would loop for ever."""
    await api.put()
    response = await api.send("GET", f"{BASE}{path}?page=2&per_page=50")
    told = await response.json()

    assert told["result"] == []
    assert (told["result_info"]["page"], told["result_info"]["per_page"]) == (2, 50)


async def test_all_accounts_share_the_same_workers(api: Api) -> None:
    """Issue B, 4: several accounts' paths."""
    await api.ok("PUT", f"{BASE}/accounts/first/workers/scripts/shop", data=form())

    assert (await api.ok("GET", f"{BASE}/accounts/second/workers/services/shop"))["id"] == "shop"


async def test_a_service_tells_what_wrangler_asks_before_each_upload(api: Api) -> None:
    """wrangler-api 5: tag, tags, last_deployed_from."""
    agent = {"User-Agent": "wrangler/4.164.0"}
    await api.ok("PUT", "scripts/shop", data=form(tags=["cf:service=shop"]), headers=agent)
    environment = (await api.ok("GET", "services/shop"))["default_environment"]
    script = environment["script"]

    assert (environment["environment"], script["last_deployed_from"]) == ("production", "wrangler")
    assert (len(script["tag"]), script["tags"]) == (32, ["cf:service=shop"])
    assert "migration_tag" not in script
    await api.put()
    again = (await api.ok("GET", "services/shop"))["default_environment"]["script"]
    assert (again["tag"], again["last_deployed_from"]) == (script["tag"], "api")
    assert [one["id"] for one in await api.ok("GET", "services")] == ["shop"]


# Settings.


async def test_script_settings_are_the_workers_not_a_versions(api: Api) -> None:
    """R6, wrangler-api 5, 6: the answer is the settings after the change; no version is made."""
    await api.put(logpush=True, observability={"enabled": True})
    assert await api.ok("GET", "scripts/shop/script-settings") == {
        "logpush": True,
        "observability": {"enabled": True},
        "tail_consumers": None,
        "tags": [],
    }
    told = await api.ok(
        "PATCH",
        "scripts/shop/script-settings",
        json={"observability": {"enabled": False}, "tags": ["t"], "other": 1},
    )

    assert (told["logpush"], told["observability"], told["tags"]) == (True, {"enabled": False}, ["t"])
    assert len(await api.versions()) == 1


async def test_a_version_upload_leaves_settings_alone(api: Api) -> None:
    """R6: wrangler patches them when it deploys."""
    await api.put(logpush=True)
    await api.upload(logpush=False)

    assert (await api.ok("GET", "scripts/shop/script-settings"))["logpush"] is True


async def test_settings_of_the_latest_version(api: Api) -> None:
    """wrangler-api 5: ``bindings`` at least; changes of compatibility make a version, of logpush none."""
    await api.put(bindings=[secret("S")])
    await api.ok("PATCH", "scripts/shop/settings", json={"logpush": True})
    assert len(await api.versions()) == 1
    body = {"compatibility_date": "2026-02-02", "compatibility_flags": ["nodejs_compat"]}
    told = await api.ok("PATCH", "scripts/shop/settings", data=settings_form(body))

    assert told["bindings"] == [{"name": "S", "type": "secret_text"}]
    assert (told["logpush"], told["compatibility_date"]) == (True, "2026-02-02")
    assert len(await api.versions()) == 2


@pytest.mark.parametrize(
    "body",
    [
        {"bindings": [{"name": "K", "type": "kv_namespace", "namespace_id": "x"}]},
        {"bindings": [{"name": "new", "type": "plain_text"}]},
        {"migrations": V1},
        {"compatibility_date": 1},
        {"tags": "t"},
    ],
)
async def test_settings_that_cannot_be(api: Api, body: dict[str, Any]) -> None:
    """Issue B, 3: refused as in an upload; nothing is stored."""
    await api.put()

    assert 400 <= (await api.refused("PATCH", "scripts/shop/settings", json=body))["status"] < 500
    assert len(await api.versions()) == 1


@pytest.mark.parametrize(
    ("body", "enabled", "previews"),
    [
        ({"enabled": False}, False, False),
        ({"enabled": False, "previews_enabled": True}, False, True),
        ({"enabled": True, "previews_enabled": False}, True, False),
        ({"enabled": True}, True, True),
        ({}, True, True),
    ],
)
async def test_the_subdomain_switches(api: Api, body: dict[str, bool], enabled: bool, previews: bool) -> None:
    """wrangler-api 5: a missing previews_enabled takes the value of enabled; both reads tell the same."""
    await api.put()
    told = await api.ok("POST", "scripts/shop/subdomain", json=body)
    worker = await api.ok("GET", "workers/shop")

    assert told == {"enabled": enabled, "previews_enabled": previews}
    assert await api.ok("GET", "scripts/shop/subdomain") == told
    assert worker["subdomain"] == {
        **told,
        "url": "https://shop.local.workers.dev",
        "preview_url_suffix": f"-shop.localhost:{EDGE_PORT}",
    }
    assert (await api.versions())[0]["metadata"]["has_preview"] is previews
    assert api.plane.calls[-1] == "refresh"


# Triggers.


async def test_schedules(api: Api) -> None:
    """wrangler-api 5: the body replaces all; a cron that stays keeps its birthday."""
    await api.put()
    first = await api.ok("PUT", "scripts/shop/schedules", json=[{"cron": "*/5 * * * *"}, {"cron": "0 0 * * *"}])
    again = await api.ok("PUT", "scripts/shop/schedules", json=[{"cron": "0 0 * * *"}])

    assert [one["cron"] for one in first["schedules"]] == ["*/5 * * * *", "0 0 * * *"]
    assert again["schedules"][0]["created_on"] == first["schedules"][1]["created_on"]
    assert await api.ok("GET", "scripts/shop/schedules") == again
    assert await api.ok("PUT", "scripts/shop/schedules", json=[]) == {"schedules": []}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([{"cron": "x"}], 10_100),
        ([{"cron": "99 * * * *"}], 10_100),
        ([{}], 90_120),
        ({"cron": "* * * * *"}, 90_120),
    ],
)
async def test_schedules_that_cannot_be(api: Api, body: Any, code: int) -> None:
    """R5: nothing is stored of a list with a mistake."""
    await api.put()

    assert (await api.refused("PUT", "scripts/shop/schedules", json=body))["code"] == code
    assert await api.ok("GET", "scripts/shop/schedules") == {"schedules": []}


async def test_routes_and_zones(api: Api) -> None:
    """wrangler-api 5: PUT replaces them; any zone that is asked for is there, and lists its routes."""
    await api.put()
    body = [{"pattern": "shop.example.com/*", "zone_name": "example.com"}, {"pattern": "*.other.test/a*"}]
    await api.ok("PUT", "scripts/shop/routes", json=body)
    (zone,) = await api.ok("GET", f"{BASE}/zones?name=example.com&account.id=local")
    (route,) = await api.ok("GET", f"{BASE}/zones/{zone['id']}/workers/routes")

    assert (route["pattern"], route["script"]) == ("shop.example.com/*", "shop")
    assert api.workers.find("shop").state.route_patterns == ("shop.example.com/*", "*.other.test/a*")  # type: ignore[union-attr]
    assert [one["name"] for one in await api.ok("GET", f"{BASE}/zones")] == ["example.com", "other.test"]
    assert (await api.refused("PUT", "scripts/shop/routes", json=[{"pattern": "a*b/*"}]))["code"] == 10_021
    assert len(await api.ok("GET", "scripts/shop/routes")) == 2
    await api.put("other")
    taken = await api.refused("PUT", "scripts/other/routes", json=["shop.example.com/*"])
    assert (taken["status"], taken["code"]) == (409, 10_020)
    assert "'shop'" in taken["message"]


async def test_custom_domains(api: Api) -> None:
    """wrangler-api 5: changeset first, then the records; a domain is the Worker's with every path."""
    await api.put()
    origins = [{"hostname": "Shop.example.com", "zone_id": None}]
    added = await api.ok("POST", "scripts/shop/domains/changeset?replace_state=true", json=origins)
    body = {"override_scope": True, "override_existing_origin": True, "origins": origins}
    await api.ok("PUT", "scripts/shop/domains/records", json=body)
    same = await api.ok("POST", "scripts/shop/domains/changeset", json=[{"hostname": "shop.example.com"}])
    gone = await api.ok("POST", "scripts/shop/domains/changeset", json=[])

    assert [len(added[key]) for key in ("added", "removed", "updated", "conflicting")] == [1, 0, 0, 0]
    assert [len(same[key]) for key in ("added", "removed", "updated")] == [0, 0, 1]
    assert len(gone["removed"]) == 1
    assert api.workers.find("shop").state.route_patterns == ("shop.example.com/*",)  # type: ignore[union-attr]
    assert [one["service"] for one in await api.ok("GET", "domains?service=shop")] == ["shop"]
    assert await api.ok("GET", "domains/records?service=other") == []
    assert (await api.refused("PUT", "scripts/shop/domains/records", json=[{"hostname": "a/b"}]))["status"] == 400


# References and deletion.


async def test_references_tell_who_binds_a_worker(api: Api) -> None:
    """wrangler-api 5: wrangler asks before it deletes."""
    await api.put(bindings=[COUNTER], migrations=V1)
    assert await api.ok("GET", "scripts/shop/references") == {
        "services": {"incoming": [], "outgoing": []},
        "durable_objects": [],
        "dispatch_outbounds": [],
    }
    service = {"name": "S", "type": "service", "service": "shop"}
    await api.put("user", bindings=[service, {**COUNTER, "script_name": "shop"}])
    told = await api.ok("GET", "scripts/shop/references")

    assert told["services"]["incoming"] == [{"service": "user", "environment": "production"}]
    assert told["durable_objects"][0]["durable_object_namespace_name"] == "shop_Counter"
    assert (await api.ok("GET", "workers/shop"))["references"]["workers"] == [{"id": "user", "name": "user"}]
    for path in ("tails/by-consumer/shop", "/client/v4/accounts/local/containers/applications"):
        assert await api.ok("GET", path) == []
    assert await api.ok("GET", f"{BASE}/accounts/local/storage/kv/namespaces?page=1") == []


@pytest.mark.parametrize("path", ["services/shop", "scripts/shop", "workers/shop"])
async def test_a_worker_is_deleted_with_all_that_is_its(api: Api, path: str) -> None:
    """wrangler-api 5: nothing is left of it; the name is free again, with another tag."""
    tag = (await api.put(bindings=[secret("S")]))["tag"]
    assert await api.ok("DELETE", path) is None

    assert (await api.refused("GET", "services/shop"))["code"] == 10_007
    assert (api.store.load_versions(), api.store.load_deployments(), api.store.load_workers()) == ([], [], [])
    assert api.plane.removed == [WorkerName("shop")]
    assert (await api.put())["tag"] != tag
    assert await api.ok("GET", "scripts/shop/secrets") == []
    assert [one["number"] for one in await api.versions()] == [1]


async def test_a_worker_that_others_bind_is_deleted_only_by_force(api: Api) -> None:
    """Issue B, 4: the message names them; a binding that no live version has does not count."""
    await api.put()
    await api.put("user", bindings=[{"name": "S", "type": "service", "service": "shop"}])
    error = await api.refused("DELETE", "services/shop?force=false")
    await api.put("user")
    await api.ok("DELETE", "services/shop")

    assert error["status"] == 409
    assert "user" in error["message"]


async def test_a_worker_of_the_configuration_file(api: Api) -> None:
    """Issue B: it is seen without ever having been uploaded; wrangler may deploy to it, not delete it."""
    record = api.catalog.record(WorkerName("from-file"))
    assert (await api.refused("GET", "services/from-file"))["code"] == 10_007
    await api.store.add_versions([FROM_FILE])
    record.versions[FROM_FILE.id] = FROM_FILE

    (seen,) = await api.versions("from-file")
    tag = (await api.ok("GET", "workers/from-file"))["id"]
    edit = await api.refused("PUT", "scripts/from-file/secrets", json=secret("K"))
    content = await api.refused("GET", "scripts/from-file/content/v2")
    told = await api.put("from-file")
    error = await api.refused("DELETE", "services/from-file?force=true")

    assert (seen["annotations"]["workers/tag"], seen["resources"]["bindings"]) == ("v1", [])
    assert (edit["code"], content["code"]) == (90_150, 90_150)
    assert told["tag"] == tag
    assert (error["status"], error["code"]) == (409, 90_151)
    assert "configuration file" in error["message"]


# The paths of newer clients.


def modules(*names: str) -> list[dict[str, str]]:
    """Return modules as JSON carries them."""
    content = base64.b64encode(CODE).decode()
    return [{"name": name, "content_type": JS, "content_base64": content} for name in names]


async def test_a_worker_is_made_seen_changed_and_deleted(api: Api) -> None:
    """wrangler-api 11: by id or name."""
    made = await api.ok("POST", "workers", json={"name": "shop", "tags": ["t"], "subdomain": {"enabled": False}})
    again = await api.refused("POST", "workers", json={"name": "shop"})
    changed = await api.ok(
        "PATCH", f"workers/{made['id']}", json={"logpush": True, "observability": {"enabled": True}}
    )
    renamed = await api.refused("PUT", "workers/shop", json={"name": "other"})

    assert (made["name"], made["tags"], made["subdomain"]["enabled"]) == ("shop", ["t"], False)
    assert (again["status"], again["code"]) == (409, 10_004)
    assert (changed["logpush"], changed["observability"], changed["tags"]) == (True, {"enabled": True}, ["t"])
    assert renamed["code"] == 90_150
    assert [one["id"] for one in await api.ok("GET", "workers")] == [made["id"]]
    await api.ok("DELETE", f"workers/{made['id']}")
    assert await api.ok("GET", "workers") == []
    assert (await api.refused("POST", "workers", json={"name": "-"}))["code"] == 10_021


async def test_versions_as_json(api: Api) -> None:
    """wrangler-api 11: modules in base64; ``deploy=true`` deploys; ``include=modules`` gives them back."""
    await api.ok("POST", "workers", json={"name": "shop"})
    body = {"main_module": MAIN, "modules": modules(MAIN, "b.js"), "bindings": [secret("S")]}
    first = await api.ok("POST", "workers/shop/versions", json=body)
    assert await api.deployments() == []
    second = await api.ok("POST", "workers/shop/versions?deploy=true", json={**body, "bindings": []})
    listed = await api.ok("GET", "workers/shop/versions")
    shown = await api.ok("GET", f"workers/shop/versions/{first['id']}?include=modules")

    assert [one["id"] for one in listed] == [second["id"], first["id"]]
    assert (await api.deployments())[0]["versions"] == [{"version_id": second["id"], "percentage": 100}]
    assert shown["modules"] == modules(MAIN, "b.js")
    assert shown["urls"] == [f"http://{first['id'][:8]}-shop.localhost:{EDGE_PORT}"]
    assert "modules" not in listed[0]
    assert SECRET not in str(shown)
    assert (await api.ok("GET", "workers/shop/versions/latest"))["id"] == second["id"]
    assert (await api.ok("GET", "workers/shop/versions?page=2")) == []


async def test_a_version_is_deleted_unless_it_was_deployed(api: Api) -> None:
    """wrangler-api 11: deployments must stay readable."""
    deployed = (await api.put())["deployment_id"]
    idle = (await api.upload())["id"]
    error = await api.refused("DELETE", f"workers/shop/versions/{deployed}")
    await api.ok("DELETE", f"workers/shop/versions/{idle}")

    assert (error["status"], error["code"]) == (409, 90_152)
    assert [one["number"] for one in await api.versions()] == [1]
    assert len(api.store.load_versions()) == 1
    assert (await api.upload())["number"] == 2


@pytest.mark.parametrize(
    "body",
    [
        {"main_module": MAIN},
        {"main_module": MAIN, "modules": [1]},
        {"main_module": MAIN, "modules": [{"name": MAIN, "content_base64": "?"}]},
        {"main_module": MAIN, "modules": [{"name": MAIN, "content_base64": "é"}]},
        {"main_module": MAIN, "modules": [{"content_base64": ""}]},
        {"modules": []},
    ],
)
async def test_versions_as_json_that_cannot_be(api: Api, body: dict[str, Any]) -> None:
    """wrangler-api 13: a clear 4xx."""
    await api.ok("POST", "workers", json={"name": "shop"})

    assert 400 <= (await api.refused("POST", "workers/shop/versions", json=body))["status"] < 500


async def test_only_the_latest_version_can_be_patched(api: Api) -> None:
    """R1: a version never changes; ``latest`` makes a new one, other bindings too."""
    version = (await api.put())["deployment_id"]
    error = await api.refused("PATCH", f"workers/shop/versions/{version}", json={"env": {}})
    body = {"env": {"A": {"type": "plain_text", "text": "a"}}, "compatibility_date": "2026-03-03"}
    told = await api.ok("PATCH", "workers/shop/versions/latest", json=body)

    assert error["code"] == 90_150
    assert (told["compatibility_date"], [one["name"] for one in told["bindings"]]) == ("2026-03-03", ["A"])
