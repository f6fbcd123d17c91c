"""Secrets by every path, old and new: each edit is a version (R7, R96; wrangler-api, sections 6 and 7)."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.control.bindings import secrets_of
from gateway.control.workers import bindings_of
from tests.control.cloudflare.api import SECRET, Api, form, secret, settings_form

PATCH = {"Content-Type": "application/merge-patch+json"}


def stored(api: Api) -> dict[str, str]:
    """Return the latest version's secrets with their texts."""
    return secrets_of(bindings_of(api.catalog.find("shop").latest))


async def test_a_secret_is_a_new_version_that_is_deployed(api: Api) -> None:
    """wrangler-api 3: ``secret`` triggered both; the code is the same."""
    await api.put()
    told = await api.ok("PUT", "scripts/shop/secrets", json=secret("K"))
    newest, before = await api.versions()
    active = (await api.deployments())[0]

    assert told == {"name": "K", "type": "secret_text"}
    assert stored(api) == {"K": SECRET}
    assert newest["annotations"] == {"workers/triggered_by": "secret"}
    assert active["annotations"] == {"workers/triggered_by": "secret"}
    assert active["versions"] == [{"version_id": newest["id"], "percentage": 100}]
    assert newest["resources"]["script"]["etag"] == before["resources"]["script"]["etag"]


async def test_secrets_are_listed_shown_and_deleted_by_name(api: Api) -> None:
    """wrangler-api 5: ``url_encoded=true`` decodes the name once more."""
    await api.put()
    for name in ("A", "B/C"):
        await api.ok("PUT", "scripts/shop/secrets", json=secret(name))

    assert await api.ok("GET", "scripts/shop/secrets") == [
        {"name": "A", "type": "secret_text"},
        {"name": "B/C", "type": "secret_text"},
    ]
    assert await api.ok("GET", "scripts/shop/secrets/A") == {"name": "A", "type": "secret_text"}
    assert await api.ok("DELETE", "scripts/shop/secrets/B%252FC?url_encoded=true") is None
    assert await api.ok("DELETE", "scripts/shop/secrets/A") is None
    assert stored(api) == {}
    for method in ("GET", "DELETE"):
        assert (await api.refused(method, "scripts/shop/secrets/A"))["code"] == 10_056


async def test_bulk_of_new_wranglers(api: Api) -> None:
    """wrangler-api 6: a merge patch; null deletes; one version."""
    await api.put(bindings=[secret("A", "old"), secret("B")])
    body = {"secrets": {"A": secret("A"), "B": None, "C": {"text": "c"}, "never": None}}
    told = await api.ok("PATCH", "scripts/shop/secrets-bulk", json=body, headers=PATCH)

    assert [one["name"] for one in told] == ["A", "C"]
    assert stored(api) == {"A": SECRET, "C": "c"}
    assert len(await api.versions()) == 2


async def test_bulk_of_old_wranglers(api: Api) -> None:
    """wrangler-api 6: PATCH settings names every kept binding by type and name; what is not named goes."""
    plain = {"name": "P", "type": "plain_text", "text": "p"}
    await api.put(bindings=[plain, secret("A"), secret("gone")])
    kept = [{"name": "P", "type": "plain_text"}, {"name": "A", "type": "secret_text"}]
    body = {"bindings": [*kept, secret("N", "new")]}
    told = await api.ok("PATCH", "scripts/shop/settings", data=settings_form(body))

    assert told["bindings"] == [plain, kept[1], {"name": "N", "type": "secret_text"}]
    assert stored(api) == {"A": SECRET, "N": "new"}
    assert (await api.deployments())[0]["annotations"]["workers/triggered_by"] == "secret"


async def test_versions_secret_of_new_wranglers_does_not_deploy(api: Api) -> None:
    """wrangler-api 6: PATCH versions/latest; annotations as sent."""
    await api.put(bindings=[secret("A"), {"name": "P", "type": "plain_text", "text": "p"}])
    body = {
        "env": {"B": {"type": "secret_text", "text": "b"}, "A": None},
        "annotations": {"workers/message": 'Updated secret "B"', "workers/tag": "t"},
    }
    told = await api.ok("PATCH", "workers/shop/versions/latest", json=body, headers=PATCH)
    newest = (await api.versions())[0]

    assert told["id"] == newest["id"]
    assert stored(api) == {"B": "b"}
    assert newest["annotations"]["workers/triggered_by"] == "secret"
    assert newest["annotations"]["workers/tag"] == "t"
    assert len(await api.deployments()) == 1


async def test_versions_secret_of_old_wranglers(api: Api) -> None:
    """wrangler-api 6: content, then a version with everything inherited; delete leaves secret_text out."""
    await api.put(bindings=[secret("A"), {"name": "P", "type": "plain_text", "text": "p"}])
    inherited = [{"name": "P", "type": "inherit"}]
    keep = ["secret_key", "secret_text"]
    await api.upload(bindings=[*inherited, secret("B", "b")], keep_bindings=keep, keep_assets=True)
    assert stored(api) == {"A": SECRET, "B": "b"}
    await api.upload(bindings=[*inherited, {"name": "B", "type": "inherit"}], keep_bindings=["secret_key"])

    assert stored(api) == {"B": "b"}


@pytest.mark.parametrize(
    ("method", "path", "given", "code"),
    [
        ("PUT", "scripts/shop/secrets", {"json": secret("K")}, 10_215),
        ("DELETE", "scripts/shop/secrets/S", {}, 10_215),
        ("PATCH", "scripts/shop/secrets-bulk", {"json": {"secrets": {"K": secret("K")}}}, 10_215),
        ("PATCH", "scripts/shop/settings", {"json": {"bindings": [secret("K")]}}, 10_214),
    ],
)
@pytest.mark.parametrize("share", [0, 50])
async def test_the_latest_version_must_be_deployed_to_all(
    api: Api, method: str, path: str, given: dict[str, Any], code: int, share: float
) -> None:
    """R96: else the edit would deploy what nobody deployed."""
    first = (await api.put(bindings=[secret("S")]))["deployment_id"]
    second = (await api.upload())["id"]
    await api.deploy((first, 100 - share), (second, share))

    error = await api.refused(method, path, **given)

    assert (error["code"], error["status"]) == (code, 400)
    assert "the latest version of your Worker isn't currently deployed" in error["message"]
    assert len(await api.versions()) == 2


async def test_a_worker_without_versions_is_10222(api: Api) -> None:
    """wrangler-api 7: status 404."""
    await api.ok("POST", "workers", json={"name": "shop"})
    for method, path, body in (
        ("PATCH", "workers/shop/versions/latest", {"env": {}}),
        ("PUT", "scripts/shop/secrets", secret("K")),
        ("GET", "workers/shop/versions/latest", {}),
        ("GET", "scripts/shop/content/v2", {}),
    ):
        error = await api.refused(method, path, json=body)
        assert (error["code"], error["status"]) == (10_222, 404), path
    assert await api.ok("GET", "scripts/shop/secrets") == []
    assert await api.deployments() == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("scripts/shop/secrets", {}),
        ("scripts/shop/secrets", {"name": "K"}),
        ("scripts/shop/secrets", {"name": "K", "text": 1}),
        ("scripts/shop/secrets", {"name": "K", "text": "x", "type": "secret_key"}),
    ],
)
async def test_secrets_that_cannot_be(api: Api, path: str, body: dict[str, Any]) -> None:
    """House rule: the field is named, the value never."""
    await api.put()

    assert 400 <= (await api.refused("PUT", path, json=body))["status"] < 500


async def test_code_is_checked_with_the_new_bindings_before_anything_is_stored(api: Api) -> None:
    """Issue B: what does not start is not stored."""
    await api.put()
    await api.ok("PUT", "scripts/shop/secrets", json=secret("K"))

    assert [one.name for one in bindings_of(api.plane.checked[-1])] == ["K"]


async def test_a_secret_can_be_changed_although_a_bound_worker_is_gone(api: Api) -> None:
    """What a version binds already does not stand in the way of an edit."""
    await api.put("other")
    await api.put(bindings=[{"name": "O", "type": "service", "service": "other"}])
    await api.ok("DELETE", "services/other?force=true")

    await api.ok("PUT", "scripts/shop/secrets", json=secret("K"))
    error = await api.refused("PUT", "scripts/shop", data=form(bindings=[{"name": "O", "type": "inherit"}]))

    assert error["code"] == 10_143
