"""Code in files -> complete versions: ids by content, mistakes with their place, edits noticed."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.config_file import parse_settings
from gateway.errors import ConfigError
from gateway.model.version import UrlRuntime, derived_version_id
from gateway.model.worker_code import Binding, WorkerdRuntime
from gateway.settings import Settings, WorkerSettings
from gateway.sources import Sources
from gateway.store.modules import ModuleStore
from tests.model.examples import SHOP, A
from tests.node import tools

FILE = Path("config/gateway.yaml")
DATE = "compatibility_date: 2026-11-01"
TWO = f"""\
workers:
  - name: shop
    versions:
      - {{tag: v1, workerd: {{main: v1.js, {DATE}, vars: {{A: x}}, durable_objects: {{CART: Cart}}}}}}
      - {{tag: v2, workerd: {{main: v2.js, {DATE}}}}}
    deployment: {{v2: 10, v1: 90}}
"""
WRANGLER = "workers:\n  - name: shop\n    versions:\n      - {tag: v1, wrangler: wrangler.json}\n"


@dataclass
class Edge:
    folder: Path
    sources: Sources
    modules: ModuleStore

    def write(self, **files: str) -> None:
        """Write files; ``_`` in a name stands for ``.``. They are old enough to have been read whole."""
        for name, content in files.items():
            path = self.folder / name.replace("_", ".")
            path.write_text(content)
            # Two edits of a test may be closer together than the ticks of the file system's clock.
            self._old(path)

    def _old(self, path: Path) -> None:
        ages = getattr(self, "_ages", 1_000)
        self._ages = ages - 1
        then = time.time() - ages
        os.utime(path, (then, then))

    async def shop(self, text: str = TWO) -> WorkerSettings:
        settings = await self.sources.resolve(parse_settings(text, FILE))
        return settings.workers[0]

    def install(self, version: str = "4.164.0") -> None:
        """Give the project a wrangler that counts how often it runs."""
        path = self.folder / "node_modules" / ".bin" / "wrangler"
        path.parent.mkdir(parents=True)
        path.write_text(
            f'#!/bin/sh\necho x >> {self.folder}/.runs\nexec {tools.node()} {tools.wrangler(version)} "$@"\n'
        )
        path.chmod(0o755)

    @property
    def runs(self) -> int:
        return (self.folder / ".runs").read_text().count("x")


@pytest_asyncio.fixture
async def edge(tmp_path: Path) -> Edge:
    modules = ModuleStore(tmp_path / ".state" / "modules")
    (tmp_path / "project").mkdir()
    sources = Sources(modules, tmp_path / "project", os.environ, time.time)
    made = Edge(tmp_path / "project", sources, modules)
    made.write(v1_js="export default 1;", v2_js="export default 2;")
    return made


async def test_versions_are_complete_and_their_ids_follow_from_the_content(edge: Edge) -> None:
    """Design 6: a UUID derived from Worker, tag and definition; the definition is the code, not its path."""
    shop = await edge.shop()
    v1, v2 = shop.versions
    assert isinstance(v1.runtime, WorkerdRuntime)

    assert (v1.tag, v2.tag, shop.sources) == ("v1", "v2", ())
    assert v1.id == derived_version_id(SHOP, "v1", v1.runtime)
    assert v1.runtime.bindings == (
        Binding("A", "plain_text", {"text": "x"}),
        Binding("CART", "durable_object_namespace", {"class_name": "Cart"}),
    )
    assert (v1.runtime.main_module, v1.runtime.compatibility_date) == ("v1.js", "2026-11-01")
    assert await edge.modules.read(v1.runtime.modules[0].sha256) == b"export default 1;"
    assert [(share.tag, share.version_id, share.percentage) for share in shop.deployment] == [
        ("v2", v2.id, 10),
        ("v1", v1.id, 90),
    ]


async def test_an_edit_makes_another_version_of_the_same_tag(edge: Edge) -> None:
    """Issue B, part 7: live reload on save as a new version; the others stay what they are."""
    before = await edge.shop()
    edge.write(v1_js="export default 3;")
    after = await edge.shop()
    edge.write(v1_js="export default 1;")
    again = await edge.shop()

    assert before.versions[0].id != after.versions[0].id
    assert before.versions[1] == after.versions[1]
    assert again == before


@pytest.mark.parametrize("edit", ["A: x", "CART: Cart", "2026-11-01"])
async def test_an_edit_of_the_definition_makes_another_version(edge: Edge, edit: str) -> None:
    """R1: a version is the whole state: bindings and compatibility date too."""
    before = await edge.shop()
    after = await edge.shop(TWO.replace(edit, edit.replace("x", "y").replace("Cart", "Cart2").replace("11", "10")))

    assert before.versions[0].id != after.versions[0].id


async def test_a_given_id_is_kept(edge: Edge) -> None:
    """Design 6: ids may be given."""
    shop = await edge.shop(TWO.replace("tag: v1", f"tag: v1, id: {A}"))

    assert shop.versions[0].id == A
    assert shop.deployment[1].version_id == A


async def test_versions_of_all_kinds_stay_in_order(edge: Edge) -> None:
    """A Worker without Durable Objects may mix them."""
    shop = await edge.shop(
        "workers:\n  - name: shop\n    versions:\n      - {tag: a, url: 'http://a'}\n"
        f"      - {{tag: b, workerd: {{main: v1.js, {DATE}}}}}\n      - {{tag: c, url: 'http://c'}}\n"
    )

    assert [(one.tag, type(one.runtime)) for one in shop.versions] == [
        ("a", UrlRuntime),
        ("b", WorkerdRuntime),
        ("c", UrlRuntime),
    ]


async def test_settings_without_code_stay_as_they_are(edge: Edge) -> None:
    """An empty edge, and one of processes only."""
    for settings in (
        Settings(),
        parse_settings("workers: [{name: shop, versions: [{tag: v1, url: 'http://a'}]}]", FILE),
    ):
        assert await edge.sources.resolve(settings) == settings
        assert not await edge.sources.changed()


# Mistakes


async def test_a_file_that_is_not_there_is_told_with_its_place(edge: Edge) -> None:
    """Design 6: file, line, key, value, remedy."""
    (edge.folder / "v2.js").unlink()
    with pytest.raises(
        ConfigError, match=r"config/gateway\.yaml:5: workers\[0\]\.versions\[1\]\.workerd: .*v2\.js"
    ) as told:
        await edge.shop()

    assert told.value.remedy


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        ('"kv_namespaces": [{"binding": "KV", "id": "abc"}]', "KV"),
        ('"r2_buckets": [{"binding": "B", "bucket_name": "abc"}]', "r2_bucket"),
    ],
)
async def test_a_kind_of_binding_that_is_not_there_is_named(edge: Edge, extra: str, problem: str) -> None:
    """Issue B, bindings: refused with a message that names it, never silently absent."""
    edge.install()
    edge.write(wrangler_json=f'{{"name": "x", "main": "w.js", "compatibility_date": "2026-04-01", {extra}}}')
    edge.write(w_js="export default {};")
    with pytest.raises(ConfigError, match=rf"yaml:4: workers\[0\]\.versions\[0\]\.wrangler: .*{problem}"):
        await edge.shop(WRANGLER)


async def test_objects_of_a_bundled_version_beside_a_url(edge: Edge) -> None:
    """What the file itself could not tell is told once wrangler has said it."""
    edge.install()
    edge.write(
        wrangler_json='{"name": "x", "main": "w.js", "compatibility_date": "2026-04-01", "durable_objects": '
        '{"bindings": [{"name": "C", "class_name": "Cart"}]}}',
        w_js='import { DurableObject } from "cloudflare:workers";\n'
        "export class Cart extends DurableObject {}\nexport default {};",
    )
    with pytest.raises(ConfigError, match="Durable Objects live on workerd"):
        await edge.shop(WRANGLER + "      - {tag: v2, url: 'http://a'}\n")

    shop = await edge.shop(WRANGLER)
    assert isinstance(shop.versions[0].runtime, WorkerdRuntime)
    assert shop.versions[0].runtime.durable_object_classes == ("Cart",)


async def test_a_binding_to_its_own_worker_by_name_is_one_without(edge: Edge) -> None:
    """As for uploads: ``script_name`` of its own."""
    edge.install()
    edge.write(
        wrangler_json='{"name": "shop", "main": "w.js", "compatibility_date": "2026-04-01", "durable_objects": '
        '{"bindings": [{"name": "C", "class_name": "Cart", "script_name": "shop"}, '
        '{"name": "D", "class_name": "Cart", "script_name": "other"}]}}',
        w_js="export default {};",
    )
    runtime = (await edge.shop(WRANGLER)).versions[0].runtime
    assert isinstance(runtime, WorkerdRuntime)

    assert [dict(one.options) for one in runtime.bindings] == [
        {"class_name": "Cart"},
        {"class_name": "Cart", "script_name": "other"},
    ]


# Edits


async def test_an_edit_is_noticed_once(edge: Edge) -> None:
    """Issue B, part 7: live reload on save."""
    await edge.shop()
    assert not await edge.sources.changed()
    edge.write(v2_js="export default 4;")
    assert await edge.sources.changed()
    await edge.shop()

    assert not await edge.sources.changed()


async def test_a_file_that_goes_and_comes_back_is_noticed(edge: Edge) -> None:
    """Editors replace files."""
    await edge.shop()
    (edge.folder / "v2.js").unlink()
    assert await edge.sources.changed()
    with pytest.raises(ConfigError):
        await edge.shop()
    assert not await edge.sources.changed()
    edge.write(v2_js="export default 5;")

    assert await edge.sources.changed()


async def test_an_edit_during_the_reading_is_read_once_more(edge: Edge) -> None:
    """Nobody knows which content was read; a file that changes at each reading is written by a build step."""
    path = edge.folder / "v1.js"
    os.utime(path, (2**31, 2**31))
    await edge.shop()
    assert await edge.sources.changed()
    await edge.shop()
    assert not await edge.sources.changed()
    os.utime(path, (2**31 + 1, 2**31 + 1))
    assert await edge.sources.changed()
    await edge.shop()

    assert not await edge.sources.changed()


async def test_a_project_is_bundled_only_when_it_changed(edge: Edge) -> None:
    """Bundling takes a second; a file with ten versions must not take ten at each save."""
    edge.install()
    edge.write(
        wrangler_json='{"name": "x", "main": "w.js", "compatibility_date": "2026-04-01"}', w_js="export default 1;"
    )
    text = WRANGLER + "      - {tag: v2, wrangler: wrangler.json}\n"
    before = await edge.shop(text)
    again = await edge.shop(text)
    assert (edge.runs, again) == (1, before)
    edge.write(w_js="export default 2;")
    assert await edge.sources.changed()
    after = await edge.shop(text)

    assert edge.runs == 2
    assert {one.id for one in before.versions}.isdisjoint(one.id for one in after.versions)
    assert not await edge.sources.changed()


async def test_a_project_with_a_mistake_is_tried_again_once_anything_of_it_changed(edge: Edge) -> None:
    """Which of its files is to blame only wrangler knows."""
    edge.install()
    edge.write(
        wrangler_json='{"name": "x", "main": "w.js", "compatibility_date": "2026-04-01"}',
        w_js='import "./lib.js"; export default 1;',
        lib_js="export const = ;",
    )
    with pytest.raises(ConfigError, match=r"lib\.js"):
        await edge.shop(WRANGLER)
    assert not await edge.sources.changed()
    edge.write(lib_js="export const a = 1;")
    assert await edge.sources.changed()

    assert (await edge.shop(WRANGLER)).versions[0].tag == "v1"
