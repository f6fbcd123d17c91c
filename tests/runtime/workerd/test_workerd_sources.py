"""The code of versions: files as they lie, and what the real wranglers bundle."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.model.worker_code import ModuleKind
from gateway.runtime.workerd import sources
from gateway.runtime.workerd.sources import UnreadableSource, bundle, find_wrangler, read_code
from gateway.settings import WorkerdSource
from tests.node import tools

WRANGLERS = ["4.164.0", "4.86.0"]
NOWHERE = {"PATH": "/nonexistent"}

CONFIG = """\
// A comment, and commas at the end.
{
  "name": "elsewhere",
  "main": "src/index.ts",
  "compatibility_date": "2026-04-01",
  "compatibility_flags": ["nodejs_compat"],
  "vars": {"TEXT": "x", "LIMITS": {"items": [1]}},
  "durable_objects": {"bindings": [{"name": "CART", "class_name": "Cart"}]},
  "migrations": [{"tag": "v1", "new_sqlite_classes": ["Cart"]}],
  "services": [{"binding": "API", "service": "api", "entrypoint": "Admin"}],
  "version_metadata": {"binding": "META"},
  "triggers": {"crons": ["*/5 * * * *"]},
  "upload_source_maps": true,
}
"""
INDEX = """\
import { DurableObject } from "cloudflare:workers";
import { greet } from "./lib/greet";
import page from "./page.html";

export class Cart extends DurableObject { }
export default { fetch(_request: Request): Response { return new Response(greet("you") + page); } };
"""


def write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def installed(folder: Path, script: str) -> Path:
    """Put a wrangler into a folder's ``node_modules``, as npm would."""
    path = folder / "node_modules" / ".bin" / "wrangler"
    write(folder, {"node_modules/.bin/wrangler": script})
    path.chmod(0o755)
    return path


def project(folder: Path, version: str = "4.164.0") -> Path:
    """Write a project in TypeScript, and return its configuration."""
    write(
        folder,
        {
            "wrangler.jsonc": CONFIG,
            "src/index.ts": INDEX,
            "src/lib/greet.ts": "export const greet = (name: string): string => `hello ${name}`;\n",
            "src/page.html": "<p>hi</p>\n",
            "other/page.html": "<p>another</p>\n",
            "README.md": "",
        },
    )
    installed(folder, f'#!/bin/sh\nexec {tools.node()} {tools.wrangler(version)} "$@"\n')
    return folder / "wrangler.jsonc"


# Files as they lie


def test_main_alone(tmp_path: Path) -> None:
    """Issue B, part 7: ``workerd:`` versions in YAML."""
    write(tmp_path, {"shop/index.js": "export default {};", "shop/unused.js": ""})
    code = read_code(WorkerdSource("shop/index.js", compatibility_date="2026-11-01"), tmp_path)

    assert code.form.metadata == {
        "main_module": "index.js", "compatibility_date": "2026-11-01", "compatibility_flags": [],
    }  # fmt: skip
    assert [(one.name, one.kind, one.content) for one in code.form.modules] == [
        ("index.js", ModuleKind.ES_MODULE, b"export default {};")
    ]
    assert code.files == {tmp_path / "shop/index.js"}


def test_modules_beside_main(tmp_path: Path) -> None:
    """Each is named by its path from the folder of main; the suffix tells its kind; each once, main first."""
    names = [
        "index.js",
        "a.mjs",
        "lib/b.js",
        "lib/c.cjs",
        "d.wasm",
        "e.txt",
        "f.bin",
        "g.json",
        "index.js.map",
        "h.sql",
    ]
    write(tmp_path, {f"shop/{name}": b"\x00" for name in names})
    source = WorkerdSource("shop/index.js", ("**/*", "*.js", "nothing/*"))
    code = read_code(source, tmp_path)

    assert code.form.modules[0].name == "index.js"
    assert {one.name: one.kind for one in code.form.modules} == {
        "index.js": ModuleKind.ES_MODULE,
        "a.mjs": ModuleKind.ES_MODULE,
        "lib/b.js": ModuleKind.ES_MODULE,
        "lib/c.cjs": ModuleKind.COMMON_JS,
        "d.wasm": ModuleKind.WASM,
        "e.txt": ModuleKind.TEXT,
        "f.bin": ModuleKind.DATA,
        "g.json": ModuleKind.JSON,
        "index.js.map": ModuleKind.SOURCE_MAP,
        "h.sql": ModuleKind.TEXT,
    }
    assert len(code.form.modules) == len(names)
    assert {tmp_path / "shop", tmp_path / "shop/lib"} <= code.files


def test_files_that_cannot_be_modules(tmp_path: Path) -> None:
    """House rule 8: names the file and what would do."""
    write(tmp_path, {"index.js": "", "photo.png": ""})
    with pytest.raises(UnreadableSource, match=r"photo\.png") as unknown:
        read_code(WorkerdSource("index.js", ("*",)), tmp_path)
    with pytest.raises(UnreadableSource, match=r"none\.js") as missing:
        read_code(WorkerdSource("none.js"), tmp_path)

    assert unknown.value.remedy
    assert missing.value.remedy


# What wrangler bundles


@pytest.mark.parametrize("version", WRANGLERS)
async def test_wrangler_bundles_as_for_an_upload(tmp_path: Path, version: str) -> None:
    """Issue B, part 7: read through wrangler's own dry-run bundling, so TypeScript works."""
    code = await bundle(project(tmp_path, version), os.environ)
    modules = {one.name: one for one in code.form.modules}
    (page,) = [one for name, one in modules.items() if name.endswith("-page.html")]

    assert code.form.metadata["main_module"] == "index.js"
    assert code.form.metadata["compatibility_date"] == "2026-04-01"
    assert code.form.metadata["compatibility_flags"] == ["nodejs_compat"]
    assert sorted(code.form.metadata["bindings"], key=lambda one: str(one["name"])) == [
        {"name": "API", "type": "service", "service": "api", "entrypoint": "Admin"},
        {"name": "CART", "type": "durable_object_namespace", "class_name": "Cart"},
        {"name": "LIMITS", "type": "json", "json": {"items": [1]}},
        {"name": "META", "type": "version_metadata"},
        {"name": "TEXT", "type": "plain_text", "text": "x"},
    ]
    assert b"hello ${name}" in modules["index.js"].content
    assert (page.kind, page.content) == (ModuleKind.TEXT, b"<p>hi</p>\n")
    assert modules["index.js.map"].kind is ModuleKind.SOURCE_MAP
    # What to watch: what was written, and nothing that was installed or only looks alike.
    assert code.files == {
        tmp_path / name for name in ("wrangler.jsonc", "src/index.ts", "src/lib/greet.ts", "src/page.html")
    }


@pytest.mark.parametrize("version", WRANGLERS)
async def test_what_wrangler_refuses_is_told_in_its_own_words(tmp_path: Path, version: str) -> None:
    """House rule 8; no colours, no log files of its own."""
    config = project(tmp_path, version)
    write(tmp_path, {"src/lib/greet.ts": "export const greet = ;\n"})
    with pytest.raises(UnreadableSource) as refused:
        await bundle(config, {**os.environ, "FORCE_COLOR": "1"})

    assert "greet.ts:1:21" in refused.value.message
    assert "\x1b" not in refused.value.message
    assert "npx wrangler" in refused.value.remedy


async def test_toml_does_as_well(tmp_path: Path) -> None:
    """``wrangler.toml|json|jsonc``."""
    project(tmp_path)
    config = tmp_path / "wrangler.toml"
    write(
        tmp_path,
        {"wrangler.toml": 'name = "x"\nmain = "w.js"\ncompatibility_date = "2026-04-01"\n[vars]\nA = "b"\n'},
    )
    write(tmp_path, {"w.js": "export default {};\n"})
    (tmp_path / "wrangler.jsonc").unlink()
    code = await bundle(config, os.environ)

    assert code.form.metadata["bindings"] == [{"name": "A", "type": "plain_text", "text": "b"}]


def test_wrangler_is_found_as_npx_would(tmp_path: Path) -> None:
    """In ``node_modules`` of the folder or above it, the nearest first; then on PATH."""
    below = tmp_path / "workers" / "shop"
    below.mkdir(parents=True)
    far = installed(tmp_path, "")
    assert find_wrangler(below, NOWHERE) == far
    near = installed(below, "")
    assert find_wrangler(below, NOWHERE) == near

    everywhere = installed(tmp_path / "global", "#!/bin/sh\n")
    alone = tmp_path.parent / "alone"
    alone.mkdir(exist_ok=True)
    assert find_wrangler(alone, {"PATH": str(everywhere.parent)}) == everywhere


async def test_no_wrangler(tmp_path: Path) -> None:
    """A missing one gives a clear error with the remedy."""
    write(tmp_path, {"wrangler.jsonc": "{}"})
    with pytest.raises(UnreadableSource, match="no wrangler was found") as missing:
        await bundle(tmp_path / "wrangler.jsonc", NOWHERE)

    assert "npm install --save-dev wrangler" in missing.value.remedy


async def test_no_configuration(tmp_path: Path) -> None:
    """House rule 8."""
    with pytest.raises(UnreadableSource, match=r"there is no file .*none\.toml"):
        await bundle(tmp_path / "none.toml", NOWHERE)


FAILING = {
    "#!/bin/sh\necho 'it broke' >&2\nexit 3\n": "it broke",
    "#!/bin/sh\nexit 0\n": "no upload",
    "#!/nonexistent/node\n": "does not start",
}


@pytest.mark.parametrize(("script", "told"), FAILING.items())
async def test_a_wrangler_that_does_not_do_its_part(tmp_path: Path, script: str, told: str) -> None:
    """A broken installation, or a version that knows no ``--outfile``."""
    write(tmp_path, {"wrangler.jsonc": "{}"})
    installed(tmp_path, script)
    with pytest.raises(UnreadableSource, match=told) as failed:
        await bundle(tmp_path / "wrangler.jsonc", os.environ)

    assert failed.value.remedy


async def test_a_build_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project's own build step may wait for something; its children end with it."""
    monkeypatch.setattr(sources, "BUNDLE_SECONDS", 0.3)
    write(tmp_path, {"wrangler.jsonc": "{}"})
    installed(tmp_path, "#!/bin/sh\nsleep 60 & echo $! > child\nwait\n")
    with pytest.raises(UnreadableSource, match="longer than"):
        await bundle(tmp_path / "wrangler.jsonc", os.environ)
    child = int((tmp_path / "child").read_text())

    deadline = time.monotonic() + 5
    while runs(child):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def runs(pid: int) -> bool:
    """Tell whether a process runs; one that ended and that nobody waited for does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return state.stdout.strip()[:1] not in ("", "Z")
