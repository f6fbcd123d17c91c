"""Script and version upload: forms, metadata, bindings, what is refused and what then stays."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tracemalloc
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData

from gateway.control.cloudflare import multipart
from gateway.control.cloudflare.multipart import kind_of
from gateway.control.workers import bindings_of
from gateway.errors import InvalidCode, RuntimeUnavailable, StateUnavailable
from gateway.model.version import WorkerName
from gateway.model.worker_code import ModuleKind, WorkerdRuntime
from tests.control.cloudflare.api import (
    CODE,
    JS,
    MAIN,
    SECRET,
    WORKERS,
    Api,
    Part,
    cloudflare_api,
    form,
)

SHOP = WorkerName("shop")
PLAIN = {"name": "A", "type": "plain_text", "text": "1"}
HIDDEN = {"name": "S", "type": "secret_text", "text": SECRET}


def runtime_of(api: Api, version_id: str) -> WorkerdRuntime:
    """Return how a version runs."""
    version = api.catalog.version(version_id)  # type: ignore[arg-type]
    assert version is not None
    assert isinstance(version.runtime, WorkerdRuntime)
    return version.runtime


async def test_a_put_stores_a_version_and_deploys_it(api: Api) -> None:
    """wrangler-api 3, 4: deployment_id is the version's id, start-up 0; annotations as production writes them."""
    told = await api.put(annotations={"workers/message": "", "workers/tag": "t1"})
    (version,), (deployment,) = await api.versions(), await api.deployments()

    assert (told["deployment_id"], told["startup_time_ms"], told["id"]) == (version["id"], 0, "shop")
    assert version["annotations"] == {"workers/triggered_by": "upload", "workers/tag": "t1"}
    assert deployment["annotations"] == {
        "workers/triggered_by": "upload",
        "workers/message": "Automatic deployment on upload.",
    }
    assert deployment["versions"] == [{"version_id": version["id"], "percentage": 100}]
    assert [one.number for one in api.plane.checked] == [1]


async def test_a_put_with_a_message_gives_it_to_both(api: Api) -> None:
    """wrangler-api 3: the message stands for the automatic text."""
    await api.put(annotations={"workers/message": "first"})

    assert (await api.versions())[0]["annotations"]["workers/message"] == "first"
    assert (await api.deployments())[0]["annotations"]["workers/message"] == "first"


async def test_a_version_upload_never_deploys(api: Api) -> None:
    """Issue B, wrangler-api 4: the answer is the Version with what wrangler reads of it."""
    await api.put()
    told = await api.upload(annotations={"workers/message": "m", "workers/tag": "t", "workers/alias": "beta"})

    assert (told["number"], told["startup_time_ms"], told["metadata"]["has_preview"]) == (2, 0, True)
    assert told["metadata"]["hasPreview"] is True
    assert told["annotations"] == {
        "workers/triggered_by": "version_upload",
        "workers/message": "m",
        "workers/tag": "t",
        "workers/alias": "beta",
    }
    assert told["resources"]["script"]["etag"]
    assert told["resources"]["script_runtime"]["compatibility_date"] == "2026-01-01"
    assert len(await api.deployments()) == 1


async def test_the_first_upload_must_be_a_deploy(api: Api) -> None:
    """R8: wrangler words it from the 10007."""
    assert (await api.refused("POST", "scripts/shop/versions", data=form()))["code"] == 10_007


async def test_created_on_rises_strictly_in_fixed_width(api: Api) -> None:
    """wrangler-api 3: wrangler sorts by comparing text; the clock of this test stands still."""
    await api.put()
    for _ in range(3):
        await api.put()
    versions = [one["metadata"]["created_on"] for one in await api.versions()]
    deployments = [one["created_on"] for one in await api.deployments()]

    for moments in (versions, deployments):
        assert moments == sorted(set(moments), reverse=True)
    assert {len(moment) for moment in versions + deployments} == {len("2026-01-02T03:04:05.678901Z")}
    assert all(moment.endswith("Z") for moment in versions + deployments)


@pytest.mark.parametrize(("metadata_last", "named_files"), [(False, False), (True, True), (True, False)])
async def test_metadata_at_either_end_and_modules_by_file_name(
    api: Api, metadata_last: bool, named_files: bool
) -> None:
    """wrangler-api 4: wrangler's form and the SDKs'."""
    parts: list[Part] = [
        (MAIN, CODE, JS),
        ("./0f-page.html", b"<p>", "text/plain"),
        ("lib/a.wasm", b"\0asm", "application/wasm"),
        ("index.js.map", b"{}", "application/source-map"),
    ]
    told = await api.ok(
        "PUT", "scripts/shop", data=form(parts, metadata_last=metadata_last, named_files=named_files)
    )
    runtime = runtime_of(api, told["deployment_id"])

    assert [(one.name, one.kind) for one in runtime.modules] == [
        (MAIN, ModuleKind.ES_MODULE),
        ("./0f-page.html", ModuleKind.TEXT),
        ("lib/a.wasm", ModuleKind.WASM),
        ("index.js.map", ModuleKind.SOURCE_MAP),
    ]
    assert await api.files.read(runtime.modules[0].sha256) == CODE


@pytest.mark.parametrize(
    ("name", "content_type", "kind"),
    [
        ("a.js", "application/javascript+module", ModuleKind.ES_MODULE),
        ("a.js", "application/javascript+module; charset=utf-8", ModuleKind.ES_MODULE),
        ("a.js", "text/javascript+module", ModuleKind.ES_MODULE),
        ("a.js", "application/javascript", ModuleKind.COMMON_JS),
        ("a.mjs", "text/javascript", ModuleKind.ES_MODULE),
        ("a.mjs", "", ModuleKind.ES_MODULE),
        ("a.bin", "", ModuleKind.DATA),
        ("a.bin", "application/octet-stream", ModuleKind.DATA),
        ("a.json", "application/json", ModuleKind.JSON),
        ("a.js.map", "", ModuleKind.SOURCE_MAP),
    ],
)
def test_what_a_module_is(name: str, content_type: str, kind: ModuleKind) -> None:
    """wrangler-api 4: by its media type; without one by its name."""
    assert kind_of(name, content_type) == kind


async def test_unknown_metadata_is_passed_over(api: Api) -> None:
    """wrangler-api 4: unsafe.metadata is merged in."""
    await api.put(unheard_of={"x": 1}, placement={"mode": "smart"}, keep_assets=True, package_dependencies=[])


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"main_module": None}, 10_021, "main_module"),
    ({"main_module": "other.js"}, 10_021, "No such module"),
    ({"body_part": "script"}, 90_150, "service-worker"),
    ({"assets": {"jwt": "x"}}, 90_150, "static assets"),
    ({"containers": [{"class_name": "C"}]}, 90_150, "containers"),
    ({"compatibility_date": "yesterday"}, 10_021, "compatibility_date"),
    ({"bindings": {}}, 10_021, "metadata.bindings"),
    ({"bindings": [1]}, 10_021, "no object"),
    ({"bindings": [{"type": "plain_text"}]}, 10_021, "name"),
    ({"bindings": [{"name": "A", "type": "plain_text"}]}, 10_021, "text"),
    ({"bindings": [{"name": "A", "type": "json"}]}, 10_021, "json"),
    ({"bindings": [PLAIN, PLAIN]}, 10_021, "listed twice"),
    ({"bindings": [{"name": "A", "type": "inherit"}]}, 10_057, "inherit binding 'A' is invalid:"),
    ({"bindings": [{"name": "S", "type": "service", "service": "nope"}]}, 10_143, "'nope' not found"),
    ({"annotations": {"workers/alias": "Beta"}}, 10_021, "alias"),
    ({"annotations": {"workers/alias": "a" * 60}}, 10_021, "63"),
    ({"annotations": {"workers/message": 1}}, 90_120, "workers/message"),
    ({"annotations": []}, 90_120, "annotations"),
    ({"code_update_strategy": {"mode": "later"}}, 90_120, "code_update_strategy"),
    ({"logpush": "yes"}, 90_120, "logpush"),
    *(
        ({"bindings": [{"name": "X", "type": kind}]}, 90_150, f"binding 'X' of type {kind}")
        for kind in (
            "kv_namespace", "r2_bucket", "d1", "queue", "assets", "workflow", "analytics_engine", "ai",
            "vectorize",
            "hyperdrive", "browser", "send_email", "mtls_certificate", "dispatch_namespace", "ratelimit",
            "wasm_module", "text_blob", "data_blob", "secrets_store_secret", "pipelines", "never_heard_of",
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize(("metadata", "code", "text"), REFUSED, ids=[str(one[0])[:60] for one in REFUSED])
async def test_an_upload_that_cannot_be_leaves_nothing(
    api: Api, metadata: dict[str, Any], code: int, text: str
) -> None:
    """wrangler-api 7: its code and a text that names the thing; the Worker does not exist afterwards."""
    error = await api.refused("PUT", "scripts/shop?bindings_inherit=strict", data=form(**metadata))

    assert error["code"] == code
    assert text in error["message"]
    assert 400 <= error["status"] < 500
    assert (await api.refused("GET", "services/shop"))["code"] == 10_007
    assert api.store.load_versions() == []
    assert api.catalog.workers == {}


async def test_all_bindings_that_are_not_served_are_named_at_once(api: Api) -> None:
    """Issue B, 3: one error each."""
    bindings = [{"name": "K", "type": "kv_namespace"}, {"name": "D", "type": "d1"}]

    error = await api.refused("PUT", "scripts/shop", data=form(bindings=bindings))

    assert ["'K'" in error["all"][0]["message"], "'D'" in error["all"][1]["message"]] == [True, True]


@pytest.mark.parametrize("name", ["-shop", "a" * 64, "sh%20op", "shöp", "a.b"])
async def test_a_worker_name_must_be_a_label_of_a_host(api: Api, name: str) -> None:
    """R33, R89: it stands in host names."""
    assert (await api.refused("PUT", f"scripts/{name}", data=form()))["code"] == 10_021


async def test_code_that_does_not_start_is_10021_in_workerds_words(api: Api) -> None:
    """wrangler-api 7: stack lines are source-mapped by wrangler; nothing is stored."""
    await api.put()
    api.plane.code_trouble = InvalidCode("Uncaught SyntaxError: Unexpected token '}'\n  at index.js:1:28")
    for method, path in (("PUT", "scripts/shop"), ("POST", "scripts/shop/versions")):
        error = await api.refused(method, path, data=form())
        assert (error["status"], error["code"]) == (400, 10_021)
        assert error["message"].endswith("at index.js:1:28")

    assert len(await api.versions()) == 1
    assert len(api.store.load_versions()) == 1


async def test_a_missing_workerd_is_no_5xx(api: Api) -> None:
    """wrangler-api 2, 13: wrangler would send the upload three times."""
    api.plane.code_trouble = RuntimeUnavailable("no workerd to run versions on")

    error = await api.refused("PUT", "scripts/shop", data=form())

    assert (error["status"], error["code"]) == (424, 90_140)
    assert "gateway setup workerd" in error["message"]


# Bindings that are taken over.


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        (None, {"S"}),
        (["secret_text", "secret_key"], {"S"}),
        (["plain_text", "json"], {"A"}),
        ([], set()),
        (["plain_text", "secret_text"], {"A", "S"}),
    ],
)
async def test_what_is_kept_without_being_named(api: Api, keep: list[str] | None, kept: set[str]) -> None:
    """wrangler-api 4: absent keep_bindings means keep secrets, present means exactly that list."""
    await api.put(bindings=[PLAIN, HIDDEN])
    given: dict[str, Any] = {} if keep is None else {"keep_bindings": keep}
    told = await api.put("shop", bindings=[], **given)

    bindings = runtime_of(api, told["deployment_id"]).bindings
    assert {one.name for one in bindings} == kept
    assert all(one.secret == SECRET for one in bindings if one.name == "S")


async def test_inherit_takes_from_the_latest_or_a_named_version(api: Api) -> None:
    """wrangler-api 4: ``old_name`` and ``version_id``."""
    first = (await api.put(bindings=[PLAIN, HIDDEN]))["deployment_id"]
    await api.put(bindings=[{**PLAIN, "text": "2"}], keep_bindings=[])
    told = await api.upload(
        bindings=[
            {"name": "A", "type": "inherit"},
            {"name": "B", "type": "inherit", "old_name": "A", "version_id": first},
            {"name": "S", "type": "inherit", "version_id": first},
        ]
    )
    bindings = {one.name: one for one in runtime_of(api, told["id"]).bindings}

    assert [bindings[name].options.get("text") for name in ("A", "B")] == ["2", "1"]
    assert bindings["S"].secret == SECRET


async def test_inherit_that_leads_nowhere(api: Api) -> None:
    """wrangler-api 4: strict fails with one error a name, else it is dropped."""
    await api.put()
    bindings = [{"name": name, "type": "inherit"} for name in ("A", "B")]

    strict = await api.refused(
        "POST", "scripts/shop/versions?bindings_inherit=strict", data=form(bindings=bindings)
    )
    dropped = await api.ok("POST", "scripts/shop/versions", data=form(bindings=bindings))

    assert [one["code"] for one in strict["all"]] == [10_057, 10_057]
    assert dropped["resources"]["bindings"] == []


async def test_bindings_of_every_served_kind_are_kept_as_given(api: Api) -> None:
    """Issue B, 3: vars, JSON, secrets, version_metadata, service."""
    await api.put("other")
    bindings: list[dict[str, Any]] = [
        PLAIN,
        {"name": "J", "type": "json", "json": {"x": [1, None]}},
        {"name": "N", "type": "json", "json": None},
        {"name": "V", "type": "version_metadata"},
        {"name": "O", "type": "service", "service": "other", "entrypoint": "E", "props": {"p": 1}},
        {"name": "Self", "type": "service", "service": "shop"},
    ]
    told = await api.put(bindings=bindings)
    shown = await api.ok("GET", f"scripts/shop/versions/{told['deployment_id']}")

    assert shown["resources"]["bindings"] == bindings


# What holds when things go wrong, or at once.


async def test_concurrent_uploads_get_distinct_numbers(api: Api) -> None:
    """Issue B, 4: concurrent uploads; created_on follows the numbers."""
    await api.put()
    await asyncio.gather(*(api.upload() for _ in range(10)), *(api.put() for _ in range(5)))
    versions = await api.versions()

    assert [one["number"] for one in versions] == list(range(16, 0, -1))
    moments = [one["metadata"]["created_on"] for one in versions]
    assert moments == sorted(set(moments), reverse=True)
    assert len(await api.deployments()) == 6


async def test_concurrent_first_deploys_make_one_worker(api: Api) -> None:
    """Issue B, 4: one tag, two versions."""
    first, second = await asyncio.gather(api.put(), api.put())

    assert first["tag"] == second["tag"]
    assert len(await api.deployments()) == 2


async def test_a_deployment_that_fails_takes_its_version_along(api: Api) -> None:
    """Design 9: nothing is half done; the next upload gets the number."""
    api.plane.trouble = StateUnavailable(Path("state"), sqlite3.OperationalError("full"))
    error = await api.refused("PUT", "scripts/shop", data=form())
    api.plane.trouble = None

    assert error["status"] == 507
    assert api.store.load_versions() == []
    assert (await api.refused("GET", "services/shop"))["code"] == 10_007
    await api.put()
    assert [one["number"] for one in await api.versions()] == [1]


async def test_a_full_disk_is_told_and_the_state_holds(api: Api) -> None:
    """Design 9: 507 with its remedy; then all goes on."""
    await api.put()
    api.store._thread.submit(api.store._database.execute, "PRAGMA query_only = 1").result()
    put = await api.refused("PUT", "scripts/shop", data=form())
    upload = await api.refused("POST", "scripts/shop/versions", data=form())
    edit = await api.refused("PATCH", "scripts/shop/script-settings", json={"logpush": True})
    api.store._thread.submit(api.store._database.execute, "PRAGMA query_only = 0").result()

    assert {one["status"] for one in (put, upload, edit)} == {507}
    assert "disk space" in put["message"]
    assert len(await api.versions()) == 1
    assert (await api.ok("GET", "scripts/shop/script-settings"))["logpush"] is False
    await api.put()


async def test_what_was_answered_is_there_after_a_restart(tmp_path: Path) -> None:
    """Design 9: versions, secrets, deployments and the Worker's state."""
    async with cloudflare_api(tmp_path) as api:
        await api.put(bindings=[PLAIN, HIDDEN], annotations={"workers/tag": "t"})
        await api.ok("POST", "scripts/shop/subdomain", json={"enabled": False})
        before = await api.versions(), await api.deployments(), await api.ok("GET", "workers/shop")
    async with cloudflare_api(tmp_path) as api:
        after = await api.versions(), await api.deployments(), await api.ok("GET", "workers/shop")
        latest = api.catalog.record(SHOP).latest

    assert after == before
    assert [one.secret for one in bindings_of(latest)] == ["", SECRET]


# Large uploads and odd forms.

HEAD = b"--x\r\nContent-Disposition: form-data; name=metadata\r\n\r\n"


async def test_a_large_upload_goes_to_disk_as_it_comes(api: Api) -> None:
    """Issue B, 4: 30 MB never sit in memory, neither on the way in nor on the way out."""
    size = 30 * 2**20
    boundary = uuid.uuid4().hex

    async def body() -> AsyncIterator[bytes]:
        for name, kind, content in (
            ("metadata", "", json.dumps({"main_module": MAIN}).encode()),
            (MAIN, JS, CODE),
        ):
            file_name = f'; filename="{name}"\r\nContent-Type: {kind}' if kind else ""
            yield f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file_name}\r\n\r\n'.encode()
            yield content + b"\r\n"
        yield f'--{boundary}\r\nContent-Disposition: form-data; name="big"; filename="big.bin"\r\n\r\n'.encode()
        for _ in range(size // 2**16):
            yield bytes(2**16)
        yield f"\r\n--{boundary}--\r\n".encode()

    tracemalloc.start()
    try:
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        told = await api.ok("PUT", "scripts/shop", data=body(), headers=headers)
        response = await api.send("GET", "scripts/shop/content/v2")
        read = 0
        async for piece in response.content.iter_chunked(2**16):
            read += len(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    modules = runtime_of(api, told["deployment_id"]).modules
    assert [one.size_bytes for one in modules] == [len(CODE), size]
    assert read > size
    assert peak < 12 * 2**20


async def test_an_upload_over_the_limit_is_10027(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """wrangler-api 7: wrangler prints help on size; nothing of it stays."""
    monkeypatch.setattr(multipart, "MAX_UPLOAD_BYTES", len(CODE) - 1)

    error = await api.refused("PUT", "scripts/shop", data=form())

    assert (error["status"], error["code"]) == (413, 10_027)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"addEventListener('fetch', () => {})", "application/javascript"),
        (b"{}", "application/json"),
        (b"nothing like a form", "multipart/form-data; boundary=x"),
        (b"--x\r\nContent-Disposition: form-data; name=metadata\r\n\r\n{", "multipart/form-data; boundary=x"),
        (
            b"--x\r\nContent-Disposition: form-data; name=metadata\r\n\r\n{\r\n--x--\r\n",
            "multipart/form-data; boundary=x",
        ),
        (
            b"--x\r\nContent-Disposition: form-data; name=metadata\r\n\r\n[]\r\n--x--\r\n",
            "multipart/form-data; boundary=x",
        ),
        (b"--x--\r\n", "multipart/form-data; boundary=x"),
        (b"", "multipart/form-data"),
    ],
)
async def test_a_body_that_is_no_upload_is_a_clear_4xx(api: Api, body: bytes, content_type: str) -> None:
    """wrangler-api 13: 4xx for permanent refusals, else wrangler sends it three times."""
    error = await api.refused("PUT", "scripts/shop", data=body, headers={"Content-Type": content_type})

    assert 400 <= error["status"] < 500


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([(MAIN, CODE, JS), (MAIN, CODE, JS)], "twice"),
        ([(MAIN, CODE, "text/x-python")], "Python"),
        ([(MAIN, CODE, "image/png")], "image/png"),
        ([(MAIN, CODE, "text/plain")], "no ES module"),
    ],
)
async def test_modules_that_cannot_be(api: Api, parts: list[Part], text: str) -> None:
    """wrangler-api 4: kinds that run; each name once."""
    assert text in (await api.refused("PUT", "scripts/shop", data=form(parts)))["message"]


async def test_the_draft_worker_of_secret_put(api: Api) -> None:
    """wrangler-api 6: a module named like the Worker, without query, ``logpush`` in the metadata."""
    data = FormData()
    data.add_field("metadata", json.dumps({"main_module": "shop", "bindings": [], "logpush": False}))
    data.add_field("shop", b"export default { fetch() {} }", filename="shop", content_type=JS)

    await api.ok("PUT", "scripts/shop", data=data)

    assert (await api.ok("GET", "scripts/shop/script-settings"))["logpush"] is False


async def test_content_comes_back_as_a_form(api: Api) -> None:
    """wrangler-api 5: no envelope; the modules, without source maps; cf-entrypoint names the main one."""
    parts: list[Part] = [
        (MAIN, CODE, JS),
        ('we"ird.txt', b"text", "text/plain"),
        ("m.map", b"{}", "application/source-map"),
    ]
    first = (await api.put(parts=parts))["deployment_id"]
    await api.put()
    for path in ("scripts/shop", "scripts/shop/content", "scripts/shop/content/v2"):
        assert (await (await api.send("GET", path)).text()).count("Content-Disposition") == 1
    response = await api.send("GET", f"{WORKERS}/scripts/shop/content/v2?version={first}")
    text = await response.text()

    assert response.headers["cf-entrypoint"] == MAIN
    assert 'name="index.js"; filename="index.js"\r\nContent-Type: application/javascript+module\r\n\r\n' in text
    assert 'filename="we%22ird.txt"' in text
    assert "m.map" not in text
    assert (await api.refused("GET", f"scripts/shop/content/v2?version={uuid.uuid4()}"))["code"] == 100_146


async def test_new_content_keeps_everything_else(api: Api) -> None:
    """wrangler-api 11: ``scripts.content.update`` of the SDK."""
    await api.put(bindings=[PLAIN, HIDDEN])
    told = await api.ok("PUT", "scripts/shop/content", data=form([(MAIN, b"export default {}", JS)]))
    runtime = runtime_of(api, told["deployment_id"])

    assert [one.name for one in runtime.bindings] == ["A", "S"]
    assert runtime.modules[0].size_bytes == len(b"export default {}")
