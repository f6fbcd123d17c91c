"""Versions that run on workerd in the configuration file: every mistake with its place; every key read."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config_file import parse_settings
from gateway.errors import ConfigError
from gateway.model.version import provisional_version_id
from gateway.model.worker_code import Binding
from gateway.settings import ConfigPlace, Settings, VersionSource, WorkerdSource, WranglerSource
from tests.model.examples import SHOP, A

FILE = Path("config/gateway.yaml")
V = "workers[0].versions[0]"
W = f"{V}.workerd"

HEAD = """\
workers:
  - name: shop
    versions:
      - tag: v1
        workerd:
"""
"""Five lines before those of the code under test."""

READY = HEAD + "          main: index.js\n          compatibility_date: 2026-11-01\n"
"""Seven lines: all that is needed."""


def one_line(version: str) -> str:
    """Return a file whose fourth line is a version."""
    return f"workers:\n  - name: shop\n    versions:\n      - {{tag: v1, {version}}}\n"


TWO_OWNERS = f"""\
workers:
  - {{name: a, versions: [{{tag: v1, wrangler: w.toml, id: {A}}}]}}
  - name: b
    versions: [{{tag: v1, url: "http://b"}}, {{tag: v2, wrangler: w.toml, id: {A}}}]
"""

BAD: dict[str, tuple[str, int, str, str]] = {
    "workerd as text": (one_line("workerd: index.js"), 4, W, "'index.js'"),
    "workerd empty": (one_line("workerd: {}"), 4, W, "entry module"),
    "no date": (HEAD + "          main: index.js\n", 6, W, "compatibility date"),
    "main empty": (HEAD + "          main: ''\n          compatibility_date: 2026-11-01\n", 6, f"{W}.main", "''"),
    "unknown key": (READY + "          kv: {}\n", 8, f"{W}.kv", "no such key"),
    "date as word": (
        HEAD + "          main: index.js\n          compatibility_date: today\n",
        7, f"{W}.compatibility_date", "'today'",
    ),
    "day that never was": (
        HEAD + "          main: index.js\n          compatibility_date: 2026-02-30\n",
        7, f"{W}.compatibility_date", "'2026-02-30'",
    ),
    "date with time": (
        HEAD + "          main: index.js\n          compatibility_date: 2026-11-01T00:00\n",
        7, f"{W}.compatibility_date", "2026-11-01T00:00",
    ),
    "flags as text": (
        READY + "          compatibility_flags: nodejs_compat\n",
        8, f"{W}.compatibility_flags", "list",
    ),
    "flag with a dash": (
        READY + "          compatibility_flags: [nodejs-compat]\n",
        8, f"{W}.compatibility_flags[0]", "'nodejs-compat'",
    ),
    "modules as text": (READY + "          modules: lib/*.js\n", 8, f"{W}.modules", "list"),
    "module above": (READY + "          modules: [../*.js]\n", 8, f"{W}.modules[0]", "'../*.js'"),
    "module anywhere": (READY + "          modules: [a, /etc/*]\n", 8, f"{W}.modules[1]", "'/etc/*'"),
    "module empty": (READY + "          modules: ['']\n", 8, f"{W}.modules[0]", "''"),
    "vars as list": (READY + "          vars: [A]\n", 8, f"{W}.vars", "mapping"),
    "var of no name": (READY + "          vars: {a-b: 1}\n", 8, f"{W}.vars.a-b", "'a-b'"),
    "var without end": (READY + "          vars: {A: .inf}\n", 8, f"{W}.vars.A", ".inf"),
    "var of a strange kind": (READY + "          vars: {A: !new x}\n", 8, f"{W}.vars.A", "'x'"),
    "var with a key twice": (READY + "          vars: {A: {b: 1, b: 2}}\n", 8, f"{W}.vars.A.b", "twice"),
    "var that holds itself": (READY + "          vars: {A: &a [*a]}\n", 8, f"{W}.vars.A", "deeply"),
    "class of no name": (
        READY + "          durable_objects: {CART: My Cart}\n",
        8, f"{W}.durable_objects.CART", "'My Cart'",
    ),
    "class as list": (
        READY + "          durable_objects: {CART: [Cart]}\n",
        8, f"{W}.durable_objects.CART", "single",
    ),
    "service in upper case": (READY + "          services: {API: Api}\n", 8, f"{W}.services.API", "'Api'"),
    "service without entrypoint": (
        READY + "          services: {API: 'api#'}\n",
        8, f"{W}.services.API", "'api#'",
    ),
    "metadata without name": (
        READY + "          version_metadata: true false\n",
        8, f"{W}.version_metadata", "true",
    ),
    "one name for two": (
        READY + "          vars: {CART: 1}\n          durable_objects: {CART: Cart}\n",
        9, f"{W}.durable_objects.CART", "'CART'",
    ),
    "wrangler as mapping": (one_line("wrangler: {}"), 4, f"{V}.wrangler", "single value"),
    "wrangler empty": (one_line("wrangler: ''"), 4, f"{V}.wrangler", "''"),
    "wrangler of a folder": (one_line("wrangler: workers/shop"), 4, f"{V}.wrangler", "'workers/shop'"),
    "two ways to run": (one_line("wrangler: w.toml, url: 'http://a'"), 4, V, "exactly one"),
    "env beside wrangler": (one_line("wrangler: w.toml, env: {A: 1}"), 4, f"{V}.env", "command"),
    "ready beside url": (one_line("url: 'http://a', ready: /x"), 4, f"{V}.ready", "command"),
    "tag twice": (
        one_line("wrangler: a.toml") + "      - {tag: v1, url: 'http://a'}\n",
        5, "workers[0].versions[1]", "'v1'",
    ),
    "objects beside a url": (
        READY + "          durable_objects: {CART: Cart}\n      - {tag: v2, url: 'http://a'}\n",
        4, V, "v2",
    ),
    "objects of the gateway": (
        one_line("wrangler: w.toml")
        + "    durable_objects:\n      bindings:\n        - {class: Cart, object: 'path:/{name}'}\n",
        7, "workers[0].durable_objects.bindings", "v1 runs on workerd",
    ),
    "id of two Workers": (
        TWO_OWNERS,
        4, "workers[1].versions[1]", A,
    ),
    # gateway
    "workerd nowhere": ("gateway:\n  workerd: ''\n", 2, "gateway.workerd", "''"),
    "cf as text": ("gateway:\n  cf: DE\n", 2, "gateway.cf", "'DE'"),
    "cf of a list": ("gateway:\n  cf: {city: [Berlin]}\n", 2, "gateway.cf.city", "single value"),
    "cf of nothing": ("gateway:\n  cf: {city: }\n", 2, "gateway.cf.city", "''"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "key", "shown"), BAD.values(), ids=BAD)
def test_a_mistake_is_told_with_file_line_key_value_and_remedy(text: str, line: int, key: str, shown: str) -> None:
    """Design 6: every error names file, line, key, value and remedy."""
    with pytest.raises(ConfigError) as caught:
        parse_settings(text, FILE)
    error = caught.value

    assert (str(error.path), error.line) == (str(FILE), line)
    assert error.key.startswith(key)
    assert shown in error.message.removeprefix(f"{FILE}:{line}: {error.key}: ")
    assert error.remedy


EVERYTHING = """\
gateway:
  workerd: tools/workerd
  cf: {city: Berlin, asn: 64496, latitude: 52.5, isEUCountry: true, tlsVersion: TLSv1.3, date: 2026-11-01}
workers:
  - name: shop
    versions:
      - tag: v1
        message: first
        workerd:
          main: workers/shop/index.js
          modules: [lib/**/*.js, "*.wasm"]
          vars: {TEXT: "5", NUMBER: 5, LIST: [1, null, {a: yes}], DAY: 2026-11-01, NOTHING: }
          durable_objects: {CART: Cart}
          services: {API: api, ADMIN: "api#Admin"}
          version_metadata: CF_VERSION_METADATA
          compatibility_date: 2026-11-01
          compatibility_flags: [nodejs_compat]
      - {tag: v2, wrangler: workers/shop/wrangler.jsonc}
    deployment: {v1: 90, v2: 10}
    durable_objects: {assignment: hash}
  - name: mixed
    versions:
      - {tag: v1, wrangler: a.toml}
      - {tag: v2, url: "http://a"}
      - {tag: v3, workerd: {main: a.mjs, compatibility_date: 2026-11-01}}
"""


def test_every_setting_is_read() -> None:
    """Design 6: a file with everything in it; as in wrangler's, texts are texts and all else is JSON."""
    settings = parse_settings(EVERYTHING, FILE)
    shop, mixed = settings.workers
    first, second = shop.sources

    assert settings.workerd == Path("tools/workerd")
    assert settings.cf == {
        "city": "Berlin", "asn": 64496, "latitude": 52.5, "isEUCountry": True, "tlsVersion": "TLSv1.3",
        "date": "2026-11-01",
    }  # fmt: skip
    assert first == VersionSource(
        worker=SHOP,
        tag="v1",
        code=WorkerdSource(
            main="workers/shop/index.js",
            modules=("lib/**/*.js", "*.wasm"),
            bindings=(
                Binding("TEXT", "plain_text", {"text": "5"}),
                Binding("NUMBER", "json", {"json": 5}),
                Binding("LIST", "json", {"json": [1, None, {"a": True}]}),
                Binding("DAY", "plain_text", {"text": "2026-11-01"}),
                Binding("NOTHING", "json", {"json": None}),
                Binding("CART", "durable_object_namespace", {"class_name": "Cart"}),
                Binding("API", "service", {"service": "api"}),
                Binding("ADMIN", "service", {"service": "api", "entrypoint": "Admin"}),
                Binding("CF_VERSION_METADATA", "version_metadata"),
            ),
            compatibility_date="2026-11-01",
            compatibility_flags=("nodejs_compat",),
        ),
        place=ConfigPlace(FILE, 10, "workers[0].versions[0].workerd"),
        id=provisional_version_id(SHOP, "v1"),
        id_given=False,
        position=0,
        message="first",
    )
    assert second.code == WranglerSource("workers/shop/wrangler.jsonc")
    assert [share.version_id for share in shop.deployment] == [first.id, second.id]
    assert [one.tag for one in mixed.listed] == ["v1", "v2", "v3"]
    assert [one.tag for one in mixed.versions] == ["v2"]


def test_an_id_may_be_given() -> None:
    """As for every version; then an edit of the code is an error, for a version never changes (R1)."""
    (source,) = parse_settings(one_line(f"wrangler: w.json, id: {A}"), FILE).workers[0].sources

    assert (source.id, source.id_given) == (A, True)


@pytest.mark.parametrize("text", ["", "workers: []\n", "workers:\n  - name: shop\n"])
def test_a_worker_needs_no_versions_and_the_edge_no_worker(text: str) -> None:
    """Issue B, part 7: it then only sets routes and rules for what wrangler uploads under that name."""
    settings = parse_settings(text, FILE)

    assert [worker.listed for worker in settings.workers] == [()] * len(settings.workers)
    assert settings.routing == Settings().routing
