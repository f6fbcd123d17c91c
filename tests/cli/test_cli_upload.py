"""``gateway versions upload``: sends what wrangler would, says what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli.main import cli
from gateway.cli.session import Start, Terminal
from gateway.model.worker_code import ModuleKind
from gateway.runtime.workerd.upload_form import UploadForm, parse_upload_form
from tests.cli import stub_gateway
from tests.cli.stub_gateway import V2, StubGateway
from tests.node import tools

SCRIPT = "/client/v4/accounts/local/workers/scripts/shop"
VERSIONS = "/api/workers/shop/versions"
KEPT = [
    "plain_text", "json", "secret_text", "secret_key", "durable_object_namespace", "service", "version_metadata",
]  # fmt: skip


def enveloped(result: Any) -> dict[str, Any]:
    return {"success": True, "errors": [], "messages": [], "result": result}


def refused(code: int, message: str) -> dict[str, Any]:
    return {"success": False, "errors": [{"code": code, "message": message}], "messages": [], "result": None}


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StubGateway]:
    """Return a gateway whose Worker runs on workerd, in a folder with some code."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "index.js").write_text("export default {};")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "a.js").write_text("export const a = 1;")
    runtime = {"kind": "workerd", "compatibility_date": "2026-10-01", "compatibility_flags": ["nodejs_compat"]}
    with stub_gateway.serving() as stub:
        stub.on("GET", VERSIONS, {"versions": [stub_gateway.version(1, runtime=runtime)]})
        stub.on("POST", f"{SCRIPT}/versions", enveloped({"id": V2}))
        stub.on("GET", f"{VERSIONS}/{V2}", stub_gateway.version(2))
        yield stub


def gateway(api: StubGateway, *arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, obj=Start(Terminal(), {"GATEWAY_CONTROL": api.url, "PATH": "/bin"}))


def sent(api: StubGateway, method: str = "POST", path: str = f"{SCRIPT}/versions") -> UploadForm:
    (one,) = api.asked(method, path)
    assert one.headers["Authorization"].startswith("Bearer ")
    assert one.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    return parse_upload_form(one.body)


def test_a_file_is_uploaded_with_the_bindings_of_the_version_before(api: StubGateway) -> None:
    """Issue B, part 7; R2: tag and message are given at upload."""
    result = gateway(api, "versions", "upload", "index.js", "--tag", "v2", "-m", "new", "--alias", "beta")
    form = sent(api)

    assert result.exit_code == 0, result.stderr
    assert result.stdout == (
        "uploaded v2 (22222222) of shop: http://22222222-shop.localhost:8787\n"
        "Nothing is routed to it yet: gateway versions deploy v2@10%\n"
    )
    assert form.metadata == {
        "main_module": "index.js",
        "compatibility_date": "2026-10-01",
        "compatibility_flags": ["nodejs_compat"],
        "bindings": [],
        "keep_bindings": KEPT,
        "annotations": {"workers/tag": "v2", "workers/message": "new", "workers/alias": "beta"},
    }
    assert [(one.name, one.kind, one.content) for one in form.modules] == [
        ("index.js", ModuleKind.ES_MODULE, b"export default {};")
    ]


def test_more_modules_another_date_and_flags(api: StubGateway) -> None:
    """What is typed wins over what the version before had."""
    gateway(
        api, "versions", "upload", "index.js", "--module", "lib/*.js", "--compatibility-date", "2026-11-01",
        "--compatibility-flag", "a", "--compatibility-flag", "b", "--worker", "shop",
    )  # fmt: skip
    form = sent(api)

    assert [one.name for one in form.modules] == ["index.js", "lib/a.js"]
    assert (form.metadata["compatibility_date"], form.metadata["compatibility_flags"]) == (
        "2026-11-01",
        ["a", "b"],
    )
    assert form.metadata["annotations"] == {}


def test_a_project_is_bundled_by_its_own_wrangler(api: StubGateway, tmp_path: Path) -> None:
    """``--wrangler FILE``: what wrangler writes is sent as it is, with tag and message."""
    script = tmp_path / "node_modules" / ".bin" / "wrangler"
    script.parent.mkdir(parents=True)
    script.write_text(f'#!/bin/sh\nexec {tools.node()} {tools.wrangler("4.164.0")} "$@"\n')
    script.chmod(0o755)
    config = {"name": "x", "main": "index.ts", "compatibility_date": "2026-04-01", "vars": {"A": "b"}}
    (tmp_path / "wrangler.json").write_text(json.dumps(config))
    (tmp_path / "index.ts").write_text("const a: number = 1; export default { a };")
    result = gateway(api, "versions", "upload", "--wrangler", "wrangler.json", "--tag", "v2")
    form = sent(api)

    assert result.exit_code == 0, result.stderr
    assert form.metadata["bindings"] == [{"name": "A", "type": "plain_text", "text": "b"}]
    assert form.metadata["annotations"] == {"workers/tag": "v2"}
    assert b"a: number" not in form.modules[0].content


def test_the_first_version_of_a_worker_is_deployed(api: StubGateway) -> None:
    """R8: the first upload of a Worker must be a deploy; ``PUT`` as wrangler sends it."""
    api.on("GET", VERSIONS, stub_gateway.refusal(90_030, "there is no Worker 'shop'", "x"), 404)
    api.on("POST", f"{SCRIPT}/versions", refused(10_007, "This Worker does not exist"), 404)
    api.on("PUT", SCRIPT, enveloped({"deployment_id": V2}))
    result = gateway(
        api, "versions", "upload", "index.js", "--worker", "shop", "--compatibility-date", "2026-11-01"
    )

    assert result.exit_code == 0, result.stderr
    assert "it has all traffic" in result.stdout
    assert sent(api, "PUT", SCRIPT).metadata["main_module"] == "index.js"


def test_json(api: StubGateway) -> None:
    """Design 7: ``--json`` everywhere."""
    result = gateway(api, "versions", "upload", "index.js", "--json")

    assert json.loads(result.stdout) == stub_gateway.version(2)


def test_what_the_gateway_refuses_is_told_in_its_words(api: StubGateway) -> None:
    """10021: validation by workerd, with file and line."""
    api.on("POST", f"{SCRIPT}/versions", refused(10_021, "Uncaught SyntaxError\n  at index.js:1:2"), 400)
    result = gateway(api, "versions", "upload", "index.js")

    assert (result.exit_code, "at index.js:1:2" in result.stderr) == (1, True)
    assert api.asked("PUT", SCRIPT) == []


@pytest.mark.parametrize("content", [enveloped(None), enveloped({"name": "shop"})])
def test_an_answer_that_names_no_version(api: StubGateway, content: dict[str, Any]) -> None:
    """Another program may answer there."""
    api.on("POST", f"{SCRIPT}/versions", content)
    result = gateway(api, "versions", "upload", "index.js")

    assert (result.exit_code, "remedy:" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((), 2, "either PATH or --wrangler"),
        (("index.js", "--wrangler", "w.json"), 2, "either PATH or --wrangler"),
        (("none.js",), 1, "none.js"),
        (("--wrangler", "none.json"), 1, "none.json"),
    ],
)
def test_arguments_that_lead_nowhere(api: StubGateway, arguments: tuple[str, ...], code: int, told: str) -> None:
    """Design 7: exit codes 1 and 2."""
    result = gateway(api, "versions", "upload", *arguments)

    assert (result.exit_code, told in result.stderr) == (code, True)


def test_a_new_worker_needs_a_date(api: StubGateway) -> None:
    """There is no version before whose date it could take."""
    api.on("GET", VERSIONS, {"versions": [stub_gateway.version(1)]})
    result = gateway(api, "versions", "upload", "index.js")

    assert (result.exit_code, "--compatibility-date" in result.stderr) == (2, True)
