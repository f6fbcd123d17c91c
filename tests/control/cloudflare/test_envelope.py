"""What stands around every request: credentials, one shape, no route that is silent."""

from __future__ import annotations

import pytest

from gateway.control.cloudflare.envelope import failure, success
from gateway.control.refusals import ExportsRefused, InheritImpossible, MigrationInVersion, Refusals
from gateway.errors import BadRequest, InvalidCode
from tests.control.cloudflare.api import BASE, SECRET, WORKERS, Api, form


def test_success_and_failure_have_one_shape() -> None:
    """R97, wrangler-api 2: success, errors, messages, result; pages add ``result_info``."""
    assert success([1], {"page": 1}) == {
        "success": True,
        "errors": [],
        "messages": [],
        "result": [1],
        "result_info": {"page": 1},
    }
    assert failure(BadRequest("x is 1", remedy="Send 2.")) == {
        "success": False,
        "errors": [{"code": 90_120, "message": "x is 1. Send 2."}],
        "messages": [],
        "result": None,
    }


def test_errors_carry_what_clients_read() -> None:
    """wrangler-api 2, 7: documentation_url, meta.details, one error a missing name, workerd's words untouched."""
    moved = failure(MigrationInVersion())["errors"][0]
    details = failure(ExportsRefused([{"class": "C", "scenario": "s", "message": "m"}]))["errors"][0]
    missing = failure(Refusals([InheritImpossible("A", "A"), InheritImpossible("B", "OLD")]))["errors"]
    broken = failure(InvalidCode("Uncaught SyntaxError\n  at index.js:1:2"))["errors"][0]

    assert moved["documentation_url"].startswith("https://developers.cloudflare.com/")
    assert details["meta"]["details"] == [{"class": "C", "scenario": "s", "message": "m"}]
    assert [one["message"] for one in missing] == [
        "inherit binding 'A' is invalid: previous version does not have binding named 'A'",
        "inherit binding 'B' is invalid: previous version does not have binding named 'OLD'",
    ]
    assert broken["message"] == "Uncaught SyntaxError\n  at index.js:1:2"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": " "}, 401),
        ({"X-Auth-Key": "k"}, 401),
        ({"Authorization": "Bearer anything"}, 200),
        ({"X-Auth-Key": "k", "X-Auth-Email": "me@example.com"}, 200),
    ],
)
async def test_any_credentials_will_do_but_none_will_not(api: Api, headers: dict[str, str], status: int) -> None:
    """wrangler-api 1, design 8: a header that no page in the browser can send."""
    response = await api.client.get(f"{BASE}/user", headers=headers)
    told = await response.json()

    assert response.status == status
    assert status == 200 or told["errors"][0]["code"] == 10_000


async def test_who_asks_is_who_made_it(api: Api) -> None:
    """wrangler-api 1, 3: X-Auth-Email is the author; User-Agent tells the client."""
    headers = {"X-Auth-Email": "me@example.com", "User-Agent": "wrangler/4.164.0"}
    await api.ok("PUT", "scripts/shop", data=form(), headers=headers)
    await api.ok("PUT", "scripts/shop", data=form(), headers={"User-Agent": "cloudflare-python"})
    newest, first = await api.versions()

    assert (first["metadata"]["author_email"], first["metadata"]["source"]) == ("me@example.com", "wrangler")
    assert (newest["metadata"]["author_email"], newest["metadata"]["source"]) == ("developer@localhost", "api")
    assert len(first["metadata"]["author_id"]) == 32


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nope"), ("POST", "/user"), ("GET", "/accounts/a%20b/workers/scripts"), ("DELETE", "")],
)
async def test_a_path_that_nobody_answers_says_so_in_an_envelope(api: Api, method: str, path: str) -> None:
    """wrangler-api 2: a body that is no envelope prints 'malformed response'."""
    error = await api.refused(method, f"{BASE}{path}")

    assert (error["status"], error["code"]) == (404, 7_003)
    assert error["message"].startswith(f"Could not route to {method} ")


@pytest.mark.parametrize(
    ("path", "product"),
    [
        ("/storage/kv/namespaces", "Workers KV"),
        ("/r2/buckets/b", "R2"),
        ("/d1/database", "D1"),
        ("/queues", "Queues"),
        ("/workflows/w", "Workflows"),
        ("/workers/assets/upload", "static assets"),
        ("/workers/scripts/shop/assets-upload-session", "static assets"),
    ],
)
async def test_products_that_are_not_there_are_named(api: Api, path: str, product: str) -> None:
    """Issue B, 3: never silently absent."""
    error = await api.refused("POST", f"{BASE}/accounts/local{path}", json={})

    assert (error["status"], error["code"]) == (400, 90_150)
    assert product in error["message"]


async def test_bodies_are_json_whatever_they_are_called(api: Api) -> None:
    """wrangler-api 5, 11: text/plain and merge-patch+json; the guard's rule for our own API does not hold here."""
    await api.put()
    for content_type in ("text/plain;charset=UTF-8", "application/merge-patch+json", "application/json"):
        told = await api.ok(
            "PATCH",
            "scripts/shop/script-settings",
            data=b'{"logpush": true}',
            headers={"Content-Type": content_type},
        )
        assert told["logpush"] is True


@pytest.mark.parametrize("body", [b"{", b"[1]", b'"x"', b"\xff", b"[" * 100_000, b'{"tags": "\\ud800"}'])
async def test_bodies_that_are_no_object_are_4xx(api: Api, body: bytes) -> None:
    """Design 8: deep, odd or non-UTF-8 JSON gets 4xx, in an envelope."""
    await api.put()

    error = await api.refused("PATCH", "scripts/shop/script-settings", data=body)

    assert error["status"] == 400


async def test_foreign_hosts_and_origins_are_refused_in_an_envelope(api: Api) -> None:
    """Design 8: DNS rebinding and cross-site requests stop at the guard here too."""
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        error = await api.refused("GET", f"{BASE}/user", headers=headers)
        assert (error["status"], error["code"]) == (403, 90_121)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "services/none"),
        ("DELETE", "services/none"),
        ("GET", "scripts/none"),
        ("DELETE", "scripts/none"),
        ("GET", "scripts/none/content/v2"),
        ("GET", "scripts/none/versions"),
        ("POST", "scripts/none/versions"),
        ("GET", "scripts/none/versions/00000000-0000-4000-8000-000000000000"),
        ("GET", "scripts/none/deployments"),
        ("POST", "scripts/none/deployments"),
        ("GET", "scripts/none/secrets"),
        ("PUT", "scripts/none/secrets"),
        ("DELETE", "scripts/none/secrets/K"),
        ("PATCH", "scripts/none/secrets-bulk"),
        ("GET", "scripts/none/settings"),
        ("PATCH", "scripts/none/settings"),
        ("GET", "scripts/none/script-settings"),
        ("PATCH", "scripts/none/script-settings"),
        ("GET", "scripts/none/subdomain"),
        ("POST", "scripts/none/subdomain"),
        ("GET", "scripts/none/schedules"),
        ("PUT", "scripts/none/schedules"),
        ("PUT", "scripts/none/routes"),
        ("GET", "scripts/none/references"),
        ("GET", "workers/none"),
        ("PATCH", "workers/none/versions/latest"),
    ],
)
async def test_an_unknown_worker_is_10007_on_every_path(api: Api, method: str, path: str) -> None:
    """wrangler-api 13: deploy depends on it."""
    error = await api.refused(method, path, json={})

    assert (error["status"], error["code"]) == (404, 10_007)


async def test_secrets_are_in_no_answer(api: Api) -> None:
    """Design 9, wrangler-api 3: secret bindings never carry their text."""
    await api.put(bindings=[secret_binding("S")])
    version = (await api.versions())[0]["id"]
    paths = [
        f"{BASE}/accounts/local/workers/{path}"
        for path in (
            "scripts", "scripts/shop/versions", f"scripts/shop/versions/{version}",
            "scripts/shop/versions?deployable=true",
            "scripts/shop/settings", "scripts/shop/secrets", "scripts/shop/secrets/S", "services/shop",
            "services/shop/environments/production/bindings", "workers/shop", "workers/shop/versions",
            f"workers/shop/versions/{version}?include=modules", "scripts/shop/content/v2",
        )
    ]  # fmt: skip
    for path in paths:
        assert SECRET not in await (await api.send("GET", path)).text(), path
    for method, path, body in (
        ("PUT", "scripts/shop/secrets", {"name": "S", "type": "secret_text", "text": [SECRET]}),
        ("PUT", "scripts/shop/secrets", {"name": [1], "text": SECRET}),
        ("PATCH", "scripts/shop/secrets-bulk", {"secrets": {"S": SECRET}}),
        ("PATCH", "workers/shop/versions/latest", {"env": {"S": SECRET}}),
    ):
        assert SECRET not in await (await api.send(method, f"{WORKERS}/{path}", json=body)).text(), path


def secret_binding(name: str) -> dict[str, str]:
    """Return a secret among an upload's bindings."""
    return {"name": name, "type": "secret_text", "text": SECRET}
