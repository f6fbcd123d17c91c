"""The configuration file: every mistake with file, line, key, value and remedy; every setting read."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config_file import load_settings, parse_settings
from gateway.errors import ConfigError
from gateway.model.deployment import CodeUpdate
from gateway.model.durable_object import AssignmentRule
from gateway.model.skew_rules import SkewRules
from gateway.model.version import CommandRuntime, UrlRuntime, derived_version_id
from gateway.routing.object_names import NameSource
from gateway.settings import Address, ControlSettings, ProxySettings, RoutingSettings, Settings
from tests.model.examples import SHOP, A

FILE = Path("config/gateway.yaml")
ROOT = Path(__file__).parents[1]

GATEWAY = "gateway:\n  listen: 127.0.0.1:8787\n"
"""Two lines before the one under test."""

SHOP_HEAD = "workers:\n  - name: shop\n"
"""Two lines before those of the Worker under test."""

VERSIONS = (
    SHOP_HEAD
    + """\
    versions:
      - {tag: v1, url: "http://127.0.0.1:9101"}
      - {tag: v2, url: "http://127.0.0.1:9102"}
      - {tag: v3, url: "http://127.0.0.1:9103"}
"""
)
"""Six lines, three versions."""

ONE = SHOP_HEAD + "    versions:\n      - tag: v1\n"
"""Four lines, one version that says nothing yet."""

V, OBJ = "workers[0].versions[0]", "workers[0].durable_objects"
OBJECTS = SHOP_HEAD + "    durable_objects:\n"
BINDING = OBJECTS + "      bindings:\n"

# name: (text, line, key, what the message shows of the value)
Bad = tuple[str, int, str, str]
BAD: dict[str, Bad] = {
    # YAML
    "tab": ("gateway:\n\tlisten: 127.0.0.1:1\n", 2, "file", "YAML"),
    "open bracket": ("gateway: [\n", 2, "file", "YAML"),
    "open quote": ('gateway:\n  state: "x\n', 3, "file", "YAML"),
    "two documents": ("gateway: {}\n---\nworkers: []\n", 2, "file", "YAML"),
    "unknown alias": ("gateway: *nobody\n", 1, "file", "nobody"),
    "control character": ("gateway: {}\n\x01\n", 2, "file", "YAML"),
    # the top
    "list at the top": ("- gateway\n", 1, "file", "mapping"),
    "word at the top": ("hello\n", 1, "file", "'hello'"),
    "unknown part": ("gateway: {}\nworker: []\n", 2, "worker", "no such key"),
    "part twice": ("gateway: {}\ngateway: {}\n", 2, "gateway", "twice"),
    "gateway as list": ("gateway: []\n", 1, "gateway", "mapping"),
    "gateway empty": ("gateway:\n", 1, "gateway", "mapping"),
    "workers as mapping": ("workers: {shop: {}}\n", 1, "workers", "list"),
    # gateway
    "unknown setting": (GATEWAY + "  lisen: 1\n", 3, "gateway.lisen", "no such key"),
    "listen without port": ("gateway:\n  listen: localhost\n", 2, "gateway.listen", "'localhost'"),
    "listen port only": ("gateway:\n  listen: 8787\n", 2, "gateway.listen", "'8787'"),
    "listen without host": ("gateway:\n  listen: ':8787'\n", 2, "gateway.listen", "':8787'"),
    "port 65536": (GATEWAY + "  control: 127.0.0.1:65536\n", 3, "gateway.control", "65536"),
    "negative port": (GATEWAY + "  control: 127.0.0.1:-1\n", 3, "gateway.control", "-1"),
    "port in words": (GATEWAY + "  control: 127.0.0.1:http\n", 3, "gateway.control", "http"),
    "port of Arabic digits": (GATEWAY + "  control: 127.0.0.1:\u0663\n", 3, "gateway.control", "\u0663"),
    "port without end": (GATEWAY + f"  control: 127.0.0.1:{'9' * 5000}\n", 3, "gateway.control", "999"),
    "listen as URL": ("gateway:\n  listen: http://127.0.0.1:8787\n", 2, "gateway.listen", "http://127.0.0.1:8787"),
    "listen as list": ("gateway:\n  listen: [a, 1]\n", 2, "gateway.listen", "single value"),
    "control_hosts as text": (
        GATEWAY + "  control_hosts: gateway.test\n",
        3, "gateway.control_hosts", "gateway.test",
    ),
    "control_hosts of mappings": (
        GATEWAY + "  control_hosts: [{}]\n",
        3, "gateway.control_hosts[0]", "single value",
    ),
    "state empty": (GATEWAY + "  state: ''\n", 3, "gateway.state", "''"),
    "seed as fraction": (GATEWAY + "  seed: 1.5\n", 3, "gateway.seed", "'1.5'"),
    "seed as word": (GATEWAY + "  seed: random\n", 3, "gateway.seed", "'random'"),
    "seed empty": (GATEWAY + "  seed:\n", 3, "gateway.seed", "''"),
    "seed without end": (GATEWAY + f"  seed: {'9' * 5000}\n", 3, "gateway.seed", "999"),
    "log level": (GATEWAY + "  log_level: loud\n", 3, "gateway.log_level", "'loud'"),
    "decision headers": (GATEWAY + "  decision_headers: maybe\n", 3, "gateway.decision_headers", "'maybe'"),
    "country": (GATEWAY + "  country: Germany\n", 3, "gateway.country", "'Germany'"),
    "country in lower case": (GATEWAY + "  country: de\n", 3, "gateway.country", "'de'"),
    "colo": (GATEWAY + "  colo: FR1\n", 3, "gateway.colo", "'FR1'"),
    "unknown timeout": (GATEWAY + "  timeouts: {head: 1}\n", 3, "gateway.timeouts.head", "no such key"),
    "timeout 0": (GATEWAY + "  timeouts: {head_seconds: 0}\n", 3, "gateway.timeouts.head_seconds", "0"),
    "timeout negative": (
        GATEWAY + "  timeouts:\n    idle_seconds: -5\n",
        4, "gateway.timeouts.idle_seconds", "-5",
    ),
    "timeout in words": (GATEWAY + "  timeouts: {idle_seconds: 5s}\n", 3, "gateway.timeouts.idle_seconds", "'5s'"),
    "timeout no number": (
        GATEWAY + "  timeouts: {idle_seconds: nan}\n",
        3, "gateway.timeouts.idle_seconds", "nan",
    ),
    "no versions allowed": (
        GATEWAY + "  deployments: {max_versions: 0}\n",
        3, "gateway.deployments.max_versions", "0",
    ),
    "unknown limit": (GATEWAY + "  deployments: {limit: 2}\n", 3, "gateway.deployments.limit", "no such key"),
    "affinity": (GATEWAY + "  affinity: {per_worker: 1}\n", 3, "gateway.affinity.per_worker", "'1'"),
    "drafts": (GATEWAY + "  drafts: {cohorts: always}\n", 3, "gateway.drafts.cohorts", "'always'"),
    "unknown draft": (GATEWAY + "  drafts: {skew: true}\n", 3, "gateway.drafts.skew", "no such key"),
    "unknown key of skew": (GATEWAY + "  skew: {cookie: sid}\n", 3, "gateway.skew.cookie", "no such key"),
    "cookie with a value": (
        GATEWAY + "  skew: {session_cookie: a=b}\n",
        3, "gateway.skew.session_cookie", "'a=b'",
    ),
    "flow of one step": (GATEWAY + "  skew: {flows: [[/cart]]}\n", 3, "gateway.skew.flows[0]", "/cart"),
    "flow without a list": (GATEWAY + "  skew: {flows: [/a, /b]}\n", 3, "gateway.skew.flows[0]", "not a list"),
    "step that is no path": (GATEWAY + "  skew: {flows: [[/a, b]]}\n", 3, "gateway.skew.flows[0]", "'b'"),
    "skew of a Worker": (SHOP_HEAD + "    skew: {enabled: 2}\n", 3, "workers[0].skew.enabled", "'2'"),
    # Workers
    "Worker as word": ("workers:\n  - shop\n", 2, "workers[0]", "'shop'"),
    "no name": ("workers:\n  - {routes: []}\n", 2, "workers[0]", "no name"),
    "name in upper case": ("workers:\n  - name: Shop\n", 2, "workers[0].name", "'Shop'"),
    "name with dash first": ("workers:\n  - name: -shop\n", 2, "workers[0].name", "'-shop'"),
    "name with dot": ("workers:\n  - name: shop.eu\n", 2, "workers[0].name", "'shop.eu'"),
    "name empty": ("workers:\n  - name:\n", 2, "workers[0].name", "''"),
    "name with newline": ('workers:\n  - name: "shop\\n"\n', 2, "workers[0].name", "shop"),
    "unknown key of a Worker": (SHOP_HEAD + "    route: x\n", 3, "workers[0].route", "no such key"),
    "two of one name": ("workers:\n  - name: shop\n  - name: shop\n", 3, "workers[1]", "'shop'"),
    # routes
    "wildcard in the host": (SHOP_HEAD + "    routes:\n      - a.*.b/*\n", 4, "workers[0].routes[0]", "'a.*.b/*'"),
    "wildcard in the path": (SHOP_HEAD + "    routes: [a/*, a/*/b]\n", 3, "workers[0].routes[1]", "'a/*/b'"),
    "port in a route": (SHOP_HEAD + "    routes: ['a:80/*']\n", 3, "workers[0].routes[0]", "'a:80/*'"),
    "query in a route": (SHOP_HEAD + "    routes: ['a/*?x']\n", 3, "workers[0].routes[0]", "'a/*?x'"),
    "routes as text": (SHOP_HEAD + "    routes: a/*\n", 3, "workers[0].routes", "'a/*'"),
    "route of two Workers": (
        SHOP_HEAD + "    routes: ['*/*']\n  - name: api\n    routes:\n      - '*/*'\n",
        6, "workers[1].routes[0]", "'*/*'",
    ),
    "implied route of another Worker": (
        SHOP_HEAD + "    routes: [api.localhost/*]\n  - name: api\n", 3, "workers[0].routes[0]", "api.localhost/*",
    ),
    # versions
    "versions as mapping": (SHOP_HEAD + "    versions: {v1: {}}\n", 3, "workers[0].versions", "list"),
    "no tag": (SHOP_HEAD + "    versions:\n      - url: http://a\n", 4, V, "no tag"),
    "tag empty": (SHOP_HEAD + "    versions:\n      - {tag: '', url: 'http://a'}\n", 4, f"{V}.tag", "''"),
    "neither url nor command": (ONE, 4, V, "exactly one"),
    "both": (SHOP_HEAD + "    versions:\n      - {tag: v1, url: 'http://a', command: [x]}\n", 4, V, "exactly one"),
    "unknown key of a version": (
        SHOP_HEAD + "    versions:\n      - {tag: v1, port: 1}\n",
        4, f"{V}.port", "no such key",
    ),
    "https": (ONE + "        url: https://a\n", 5, f"{V}.url", "'https://a'"),
    "url without scheme": (ONE + "        url: 127.0.0.1:9102\n", 5, f"{V}.url", "'127.0.0.1:9102'"),
    "url with path": (ONE + "        url: http://a/b\n", 5, f"{V}.url", "'http://a/b'"),
    "url with port 99999": (ONE + "        url: http://a:99999\n", 5, f"{V}.url", "'http://a:99999'"),
    "relative socket": (ONE + "        url: unix:app.sock\n", 5, f"{V}.url", "'unix:app.sock'"),
    "command as text": (ONE + "        command: python app.py\n", 5, f"{V}.command", "'python app.py'"),
    "command empty": (ONE + "        command: []\n", 5, f"{V}.command", "empty"),
    "command of an empty word": (ONE + "        command: ['']\n", 5, f"{V}.command[0]", "''"),
    "cwd beside url": (ONE + "        url: http://a\n        cwd: here\n", 6, f"{V}.cwd", "here"),
    "env as list": (ONE + "        command: [x]\n        env: [A]\n", 6, f"{V}.env", "mapping"),
    "env twice": (ONE + "        command: [x]\n        env: {A: 1, A: 2}\n", 6, f"{V}.env.A", "twice"),
    "env value a list": (ONE + "        command: [x]\n        env: {A: [1]}\n", 6, f"{V}.env.A", "single value"),
    "ready without slash": (ONE + "        command: [x]\n        ready: healthz\n", 6, f"{V}.ready", "'healthz'"),
    "id in upper case": (
        SHOP_HEAD + f"    versions:\n      - {{tag: v1, url: 'http://a', id: {A.upper()}}}\n",
        4, f"{V}.id", A.upper(),
    ),
    "id not a UUID": (
        SHOP_HEAD + "    versions:\n      - {tag: v1, url: 'http://a', id: v1}\n",
        4, f"{V}.id", "'v1'",
    ),
    "tag twice": (VERSIONS + "      - {tag: v1, url: 'http://a'}\n", 7, "workers[0].versions[3]", "'v1'"),
    "id twice": (
        SHOP_HEAD + f"    versions:\n      - {{tag: a, url: 'http://a', id: {A}}}\n"
        f"      - {{tag: b, url: 'http://b', id: {A}}}\n",
        5, "workers[0].versions[1]", A,
    ),
    "id of two Workers": (
        SHOP_HEAD + f"    versions:\n      - {{tag: a, url: 'http://a', id: {A}}}\n"
        f"  - name: api\n    versions:\n      - {{tag: b, url: 'http://b', id: {A}}}\n",
        7, "workers[1].versions[0]", A,
    ),
    # deployment
    "deployment as list": (VERSIONS + "    deployment: [v1]\n", 7, "workers[0].deployment", "mapping"),
    "deployment empty": (VERSIONS + "    deployment: {}\n", 7, "workers[0].deployment", "no version"),
    "unknown tag": (VERSIONS + "    deployment: {v9: 100}\n", 7, "workers[0].deployment.v9", "'v9'"),
    "sum 90": (VERSIONS + "    deployment: {v1: 80, v2: 10}\n", 7, "workers[0].deployment", "90%"),
    "sum 110": (VERSIONS + "    deployment:\n      v1: 100\n      v2: 10\n", 8, "workers[0].deployment", "110%"),
    "percentage in words": (VERSIONS + "    deployment: {v1: all}\n", 7, "workers[0].deployment.v1", "'all'"),
    "percentage with sign": (VERSIONS + "    deployment: {v1: 100%}\n", 7, "workers[0].deployment.v1", "'100%'"),
    "percentage 101": (VERSIONS + "    deployment: {v1: 101}\n", 7, "workers[0].deployment.v1", "101"),
    "percentage negative": (VERSIONS + "    deployment: {v1: -1, v2: 101}\n", 7, "workers[0].deployment.v1", "-1"),
    "percentage nan": (VERSIONS + "    deployment: {v1: nan}\n", 7, "workers[0].deployment.v1", "nan"),
    "tag twice in a deployment": (
        VERSIONS + "    deployment: {v1: 50, v1: 50}\n",
        7, "workers[0].deployment.v1", "twice",
    ),
    "three versions (R11)": (
        VERSIONS + "    deployment: {v1: 40, v2: 30, v3: 30}\n",
        7, "workers[0].deployment", "3",
    ),
    "deployment without versions": (
        SHOP_HEAD + "    deployment: {v1: 100}\n",
        3, "workers[0].deployment.v1", "'v1'",
    ),
    # Durable Objects
    "unknown rule": (
        SHOP_HEAD + "    durable_objects: {assignment: random}\n",
        3, f"{OBJ}.assignment", "'random'",
    ),
    "unknown key of objects": (
        SHOP_HEAD + "    durable_objects: {classes: []}\n",
        3, f"{OBJ}.classes", "no such key",
    ),
    "unknown mode": (
        SHOP_HEAD + "    durable_objects: {code_update: {mode: never}}\n",
        3, f"{OBJ}.code_update.mode", "'never'",
    ),
    "delay beyond a day (R60)": (
        SHOP_HEAD + "    durable_objects: {code_update: {max_delay_seconds: 86401}}\n",
        3, f"{OBJ}.code_update", "86401",
    ),
    "delay with immediate (R60)": (
        OBJECTS + "      code_update: {mode: immediate, max_delay_seconds: 5}\n",
        4, f"{OBJ}.code_update", "5",
    ),
    "binding without class": (
        BINDING + "        - object: header:X\n", 5, f"{OBJ}.bindings[0]", "class",
    ),
    "class with a space": (
        BINDING + "        - {class: My Cart, object: 'header:X'}\n",
        5, f"{OBJ}.bindings[0].class", "'My Cart'",
    ),
    "object without a name in it": (
        BINDING + "        - {class: Cart, object: 'path:/cart'}\n",
        5, f"{OBJ}.bindings[0].object", "'path:/cart'",
    ),
    "object of an impossible header": (
        BINDING + "        - {class: Cart, object: 'header:X Cart'}\n",
        5,
        f"{OBJ}.bindings[0].object",
        "'header:X Cart'",
    ),
    "object of no source": (
        BINDING + "        - {class: Cart, object: 'body:x'}\n",
        5, f"{OBJ}.bindings[0].object", "'body:x'",
    ),
    # Faults
    "fault of no kind": ("faults:\n  - {kind: flood}\n", 2, "faults[0].kind", "'flood'"),
    "fault without what its kind needs": ("faults:\n  - {kind: latency}\n", 2, "faults[0]", "ms"),
    "fault with another kind's field": ("faults:\n  - {kind: hang, ms: 5}\n", 2, "faults[0].ms", "hang"),
    "fault with a wrong value": ("faults:\n  - kind: hang\n    share: 101\n", 3, "faults[0].share", "101"),
    "two faults of one name": (
        "faults:\n  - {kind: hang, name: a}\n  - {kind: crash, name: a}\n", 3, "faults[1].name", "'a'",
    ),
    "fault of no version": (
        VERSIONS + "faults:\n  - {kind: hang, worker: shop, version: v9}\n", 8, "faults[0].version", "'v9'",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "key", "shown"), BAD.values(), ids=BAD)
def test_a_mistake_is_told_with_file_line_key_value_and_remedy(text: str, line: int, key: str, shown: str) -> None:
    """Design 6: every error names file, line, key, value and remedy."""
    with pytest.raises(ConfigError) as caught:
        parse_settings(text, FILE)
    error = caught.value

    assert (str(error.path), error.line, error.key) == (str(FILE), line, key)
    assert error.message.startswith(f"{FILE}:{line}: {key}: ")
    assert shown in error.message.removeprefix(f"{FILE}:{line}: {key}: ")
    assert error.remedy


def test_faults_are_read_in_their_order() -> None:
    """docs/faults.md: the first that fits is met, so their order counts; what is uploaded is not known yet."""
    text = (
        VERSIONS
        + "faults:\n  - {kind: hang, worker: shop, version: v1}\n  - {kind: crash, worker: other, version: x}\n"
    )

    assert [(one.kind, one.worker, one.version) for one in parse_settings(text, FILE).faults] == [
        ("hang", "shop", "v1"), ("crash", "other", "x"),
    ]  # fmt: skip


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Design 6: says so, and how to give another one."""
    with pytest.raises(ConfigError, match="no such file") as caught:
        load_settings(tmp_path / "none.yaml")

    assert "-c" in caught.value.remedy


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """Design 6: a folder, and bytes that are no UTF-8."""
    (tmp_path / "latin.yaml").write_bytes(b"gateway: {state: \xfc}\n")
    for path in (tmp_path, tmp_path / "latin.yaml"):
        with pytest.raises(ConfigError, match="cannot be read") as caught:
            load_settings(path)
        assert caught.value.remedy


def test_nesting_without_end_is_an_error_of_the_file() -> None:
    """House rule 8: whatever the file holds, the error is one of ours."""
    with pytest.raises(ConfigError):
        parse_settings("workers: " + "[" * 5_000, FILE)


@pytest.mark.parametrize("text", ["", "# nothing\n"], ids=["empty", "comment"])
def test_an_empty_file_means_the_defaults(text: str) -> None:
    """Design 6: every key is optional."""
    assert parse_settings(text, FILE) == Settings(path=FILE)


EVERYTHING = f"""\
gateway:
  listen: 0.0.0.0:80
  control: "[::1]:0"
  control_hosts: [Gateway.test, 10.1.2.3]
  state: /var/lib/gateway
  seed: -42
  log_level: debug
  decision_headers: off
  country: DE
  colo: FRA
  timeouts:
    head_seconds: 1.5
    answer_seconds: 60
  deployments: {{max_versions: 3}}
  affinity: {{per_worker: no}}
  drafts: {{cohorts: yes, trust_client_cohort_header: true}}
workers:
  - name: shop
    routes: ["shop.localhost/*", "*.example.com/cart*"]
    versions:
      - tag: v1
        command: [python, -m, app, "1"]
        cwd: here
        env: {{TOKEN: "007", EMPTY: ""}}
        ready: /healthz?x
      - {{tag: v2, url: "http://127.0.0.1:9102", id: {A}, message: second}}
      - {{tag: 3, url: "unix:/run/app.sock"}}
    deployment: {{3: 0.5, v1: 99.5, v2: 0}}
    durable_objects:
      assignment: hash
      code_update: {{}}
      bindings:
        - {{class: Cart, object: "path:/cart/{{name}}"}}
        - {{class: $Room_2, object: "header:X-Room"}}
  - name: 1api
"""


def test_every_setting_is_read() -> None:
    """Design 6: a file with everything in it."""
    settings = parse_settings(EVERYTHING, FILE)
    shop, api = settings.workers
    v1, v2, v3 = shop.versions

    assert settings.listen == Address("0.0.0.0", 80)
    assert settings.control == ControlSettings(Address("::1", 0), ("gateway.test", "10.1.2.3"))
    assert (settings.state, settings.seed, settings.log_level) == (Path("/var/lib/gateway"), -42, "debug")
    assert settings.proxy == ProxySettings(
        decision_headers=False, country="DE", colo="FRA", head_seconds=1.5, answer_seconds=60
    )
    assert settings.routing == RoutingSettings(
        3, key_per_worker=False, cohorts=True, trust_client_cohort_header=True
    )
    assert [route.pattern for route in shop.routes] == [
        "shop.localhost/*",
        "*.example.com/cart*",
        "shop.localhost/*",
    ]
    assert v1.runtime == CommandRuntime(
        ("python", "-m", "app", "1"), "here", (("TOKEN", "007"), ("EMPTY", "")), "/healthz?x"
    )
    assert v1.id == derived_version_id(SHOP, "v1", v1.runtime)
    assert (v2.id, v2.message, v2.runtime) == (A, "second", UrlRuntime("http://127.0.0.1:9102"))
    assert (v3.tag, v3.runtime) == ("3", UrlRuntime("unix:/run/app.sock"))
    assert [(share.tag, share.version_id, share.percentage) for share in shop.deployment] == [
        ("3", v3.id, 0.5), ("v1", v1.id, 99.5), ("v2", A, 0.0),
    ]  # fmt: skip
    assert (shop.assignment, shop.code_update) == (AssignmentRule.HASH, CodeUpdate("deferred", 300.0))
    assert [(one.class_name, one.source) for one in shop.bindings] == [
        ("Cart", NameSource.PATH), ("$Room_2", NameSource.HEADER),
    ]  # fmt: skip
    assert (api.name, api.versions, api.deployment) == ("1api", (), ())
    assert [route.pattern for route in api.routes] == ["1api.localhost/*"]


UPDATES = {
    "none": ("{}", CodeUpdate("deferred", 300)),
    "immediate": ("{mode: immediate}", CodeUpdate("immediate", 0)),
    "deferred": ("{mode: deferred}", CodeUpdate("deferred", 300)),
    "delay": ("{max_delay_seconds: 5}", CodeUpdate("deferred", 5)),
    "both": ("{mode: deferred, max_delay_seconds: 0}", CodeUpdate("deferred", 0)),
}


@pytest.mark.parametrize(("text", "update"), UPDATES.values(), ids=UPDATES)
def test_code_updates(text: str, update: CodeUpdate) -> None:
    """R60: wrangler's default is ``deferred`` with 300 s; without the key ours is ``immediate`` (S13)."""
    settings = parse_settings(f"{SHOP_HEAD}    durable_objects: {{code_update: {text}}}\n", FILE)

    assert settings.workers[0].code_update == update
    assert parse_settings(SHOP_HEAD, FILE).workers[0].code_update == CodeUpdate("immediate")


def test_the_order_of_a_deployment_is_the_files() -> None:
    """R13, R49: the order matters, so the file's is kept."""
    settings = parse_settings(VERSIONS + "    deployment: {v2: 10, v1: 90}\n", FILE)

    assert [share.tag for share in settings.workers[0].deployment] == ["v2", "v1"]


def test_the_limit_of_versions_in_a_deployment_is_the_setting() -> None:
    """R11: the limit is a setting, default 2; the file's own deployment is held to it."""
    text = "gateway: {deployments: {max_versions: 3}}\n" + VERSIONS + "    deployment: {v1: 40, v2: 30, v3: 30}\n"

    assert len(parse_settings(text, FILE).workers[0].deployment) == 3


def test_ids_hold_when_the_file_is_edited_elsewhere() -> None:
    """Design 6: ids derive from Worker, tag and definition alone, so they hold over restarts and edits."""
    before = parse_settings(VERSIONS, FILE).workers[0].versions
    after = (
        parse_settings("gateway: {seed: 1}\n" + VERSIONS + "    deployment: {v1: 100}\n", FILE).workers[0].versions
    )
    moved = parse_settings(VERSIONS.replace("9101", "9999"), FILE).workers[0].versions

    assert [one.id for one in before] == [one.id for one in after]
    assert moved[0].id != before[0].id
    assert moved[1].id == before[1].id


def test_the_shipped_file_loads() -> None:
    """``config/gateway.yaml`` is what ``make run`` starts: two Workers, two versions each, both deployed."""
    settings = load_settings(ROOT / "config" / "gateway.yaml")

    assert [worker.name for worker in settings.workers] == ["shop", "counter"]
    assert all(len(worker.versions) == len(worker.deployment) == 2 for worker in settings.workers)
    assert settings.listen.host == settings.control.listen.host == "127.0.0.1"


def test_a_worker_may_look_for_skew_in_its_own_way() -> None:
    """Issue D: ``skew`` of the gateway, and of a Worker in its place."""
    settings = parse_settings(
        "gateway:\n  skew: {session_cookie: sid, flows: [[/cart, /pay], ['/orders/*', /thanks]]}\n"
        "workers:\n  - name: shop\n  - name: api\n    skew: {enabled: no}\n",
        Path("gateway.yaml"),
    )

    flows = (("/cart", "/pay"), ("/orders/*", "/thanks"))
    assert settings.skew_rules("shop") == settings.skew_rules("uploaded") == SkewRules("sid", flows)
    assert settings.skew_rules("api") == SkewRules(enabled=False)
    assert settings.looks_for_skew
