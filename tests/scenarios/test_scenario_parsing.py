"""Scenario files and bodies: what is right is read, what is wrong is told with its place, value and remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.errors import BadRequest, ConfigError
from gateway.model.fault import Fault, FaultKind
from gateway.scenarios.model import (
    AddFault,
    Body,
    ClearFaults,
    Deploy,
    ExpectAll,
    Expected,
    Flow,
    Meanwhile,
    Request,
    Saved,
    Scenario,
    Send,
    SendMany,
)
from gateway.scenarios.reading import parse_scenarios, scenario_of
from gateway.scenarios.references import versions_named
from gateway.scenarios.titles import title_of

FILE = Path("scenario.yaml")
HEAD = "name: a\nsteps:\n"

WHOLE = """
name: all of it
worker: shop
seed: 7
restore: false
steps:
  - deploy: {v2: 10.5, v1: 89.5}
  - request:
      path: /cart?x=1
      method: PUT
      host: Shop.example.com
      headers: {X-Team: blue}
      json: {a: [1, null, true], b: "${c} $${d}"}
      key: anna
      override: v2
      cohort: beta
      session: s
      files: true
      expect:
        status: [200, 303]
        version: [v1, v2]
        same_version: true
        reason: affinity
        contains: hello
        headers: {Content-Type: text/html*}
        json: {/items/0: {n: 1}, "": 2}
      save: {id: "json:/id", all: "json:", next: header:Location, state: field:state}
  - requests: {path: /, count: 10, keys: 5, sessions: none}
  - flow:
      session: bob
      key: k
      steps:
        - request: {path: "${next}", expect: {same_version: true}}
        - deploy: {v1: 100}
        - fault: {kind: latency, ms: 3, jitter_ms: 1.5, worker: shop, version: v2, path: "/checkout*", share: 10}
        - clear_faults: true
        - request: {path: /, session: eve, key: e, form: {state: "${state}", n: 1}}
        - expect: {no_skew: true}
  - meanwhile: {deploy: {v1: 100}, request: {path: /, expect: {status: 200}}, count: 3}
  - expect: {split: {v1: 100}, within: 5, skew: [asset_skew], resets_at_most: 1, errors_at_most: 0, broken_files_at_most: 2}
"""  # noqa: E501

REQUEST = Request(
    path="/cart?x=1",
    method="PUT",
    host="shop.example.com",
    headers=(("X-Team", "blue"),),
    body=Body("json", {"a": [1, None, True], "b": "${c} $${d}"}),
    key="anna",
    override="v2",
    cohort="beta",
    session="s",
    files=True,
    expected=Expected(
        statuses=(200, 303),
        versions=("v1", "v2"),
        same_version=True,
        reason="affinity",
        contains=("hello",),
        headers=(("Content-Type", "text/html*"),),
        members=(("/items/0", {"n": 1}), ("", 2)),
    ),
    saved=(
        Saved("id", "json", "/id"),
        Saved("all", "json", ""),
        Saved("next", "header", "Location"),
        Saved("state", "field", "state"),
    ),
)
LATENCY = Fault(
    FaultKind.LATENCY, worker="shop", version="v2", path="/checkout*", share=10.0, ms=3.0, jitter_ms=1.5
)
SAVE_C = '  - request: {path: /, save: {c: "header:X"}}\n'
READ = Scenario(
    "all of it",
    (
        Deploy((("v2", 10.5), ("v1", 89.5))),
        Send(Request("/", saved=(Saved("c", "header", "X"),))),
        Send(REQUEST),
        SendMany(Request("/"), 10, keys=5),
        Flow(
            "bob",
            (
                Send(Request("${next}", session="bob", key="k", expected=Expected(same_version=True))),
                Deploy((("v1", 100.0),)),
                AddFault(LATENCY),
                ClearFaults(),
                Send(Request("/", body=Body("form", [("state", "${state}"), ("n", "1")]), session="eve", key="e")),
                ExpectAll(skew=frozenset()),
            ),
        ),
        Meanwhile(Deploy((("v1", 100.0),)), Request("/", expected=Expected(statuses=(200,))), 3),
        ExpectAll((("v1", 100.0),), 5.0, frozenset({"asset_skew"}), 1, 0, 2),
    ),
    "shop",
    7,
    restore=False,
)


def whole() -> str:
    """Return the text, in which a step saves what a later one uses."""
    head, deploy, rest = WHOLE.partition("  - deploy: {v2: 10.5, v1: 89.5}\n")
    return head + deploy + SAVE_C + rest


def test_all_of_the_language_is_read() -> None:
    """docs/scenarios.md: every key, in the order that it is written in."""
    (written,) = parse_scenarios(whole(), FILE)

    assert written.scenario == READ
    assert written.line == 2


def test_json_says_the_same_as_yaml() -> None:
    """The API gets JSON: what a file's scenario is sent as is read as the same."""
    (written,) = parse_scenarios(whole(), FILE)

    assert scenario_of(json.loads(json.dumps(written.content))) == READ


def test_a_json_file_is_read_with_tabs_and_halves_of_pairs() -> None:
    """RFC 8259 sections 2 and 7, which YAML does not hold."""
    text = '{\n\t"name": "\\ud83d\\ude00",\n\t"steps": [{"request": {"path": "\\/a"}}]\n}'

    (written,) = parse_scenarios(text, Path("a.json"))

    assert written.scenario == Scenario("\U0001f600", (Send(Request("/a")),))


@pytest.mark.parametrize(
    "text",
    [
        "- {name: a, steps: [deploy: {v1: 100}]}\n- {name: b, steps: [deploy: {v1: 100}]}\n",
        "name: a\nsteps: [deploy: {v1: 100}]\n---\nname: b\nsteps: [deploy: {v1: 100}]\n",
        "- {name: a, steps: [deploy: {v1: 100}]}\n---\nname: b\nsteps: [deploy: {v1: 100}]\n",
    ],
    ids=["list", "documents", "both"],
)
def test_a_file_holds_several(text: str) -> None:
    """docs/scenarios.md: a list, documents, or both."""
    assert [one.scenario.name for one in parse_scenarios(text, FILE)] == ["a", "b"]


def step(text: str) -> str:
    """Return a scenario with one step."""
    return f"{HEAD}  - {text}\n"


R = "steps[0].request"

WRONG: dict[str, tuple[str, int, str, str]] = {
    # text, line, key, what the error holds
    "nothing": ("", 1, "file", "no scenario"),
    "no mapping": ("hello", 1, "file", "not a mapping"),
    "no YAML": ("name: [", 1, "file", "not YAML"),
    "two of a name": ("- {name: a, steps: [deploy: {v: 100}]}\n" * 2, 2, "name", "'a'"),
    "no name": ("steps: []\n", 1, "file", "no name"),
    "no steps": ("name: a\n", 1, "file", "no steps"),
    "empty name": ("name: ''\nsteps: []\n", 1, "name", "empty"),
    "name of two lines": ('name: "a\\nb"\nsteps: []\n', 1, "name", "cannot be shown"),
    "empty steps": ("name: a\nsteps: []\n", 2, "steps", "empty"),
    "unknown key": ("name: a\nsteps: []\nsede: 1\n", 3, "sede", "Do you mean 'seed'?"),
    "seed": ("name: a\nseed: x\nsteps: [deploy: {v1: 100}]\n", 2, "seed", "'x'"),
    "restore": (step("deploy: {v1: 100}") + "restore: maybe\n", 4, "restore", "'maybe'"),
    "step of nothing": (step("{}"), 3, "steps[0]", "this one 0"),
    "step of two": (step("{deploy: {v: 100}, request: {path: /}}"), 3, "steps[0]", "this one 2"),
    "unknown step": (step("reqest: {path: /}"), 3, "steps[0].reqest", "Do you mean 'request'?"),
    "sum": (step("deploy: {v1: 90, v2: 9}"), 3, "steps[0].deploy", "add up to 99"),
    "twice": (step("deploy: {v1: 50, v1: 50}"), 3, "steps[0].deploy.v1", "twice"),
    "percentage": (step("deploy: {v1: 101, v2: -1}"), 3, "steps[0].deploy.v1", "'101'"),
    "percentage nan": (step("deploy: {v1: nan}"), 3, "steps[0].deploy.v1", "out of range"),
    "no path": (step("request: {method: GET}"), 3, R, "path is missing"),
    "path": (step("request: {path: cart}"), 3, f"{R}.path", "'cart'"),
    "path with a blank": (step("request: {path: /a b}"), 3, f"{R}.path", "'/a b'"),
    "method": (step("request: {path: /, method: 'G T'}"), 3, f"{R}.method", "'G T'"),
    "connect": (step("request: {path: /, method: CONNECT}"), 3, f"{R}.method", "'CONNECT'"),
    "host address": (step("request: {path: /, host: 10.0.0.1}"), 3, f"{R}.host", "10.0.0.1"),
    "host with port": (step("request: {path: /, host: 'a:80'}"), 3, f"{R}.host", "'a:80'"),
    "host v6": (step("request: {path: /, host: '[::1]'}"), 3, f"{R}.host", "[::1]"),
    "header name": (step("request: {path: /, headers: {'a b': c}}"), 3, f"{R}.headers.a b", "sent"),
    "header value": (step('request: {path: /, headers: {a: "b\\nc"}}'), 3, f"{R}.headers.a", "sent"),
    "our header": (step("request: {path: /, headers: {Cookie: a=1}}"), 3, f"{R}.headers.Cookie", "session"),
    "two bodies": (step("request: {path: /, body: a, json: 1}"), 3, f"{R}.json", "body is given"),
    "form": (step("request: {path: /, form: [a]}"), 3, f"{R}.form", "not a mapping"),
    "unsaved": (step("request: {path: '/${x}'}"), 3, R, "${x} was saved by no request"),
    "unsaved in json": (step("request: {path: /, json: [{a: '${x}'}]}"), 3, R, "${x}"),
    "saved later": (
        step('request: {path: "/${x}", save: {x: "header:A"}}'), 3, R, "saved: nothing",
    ),
    "key of a flow": (
        step("flow: {session: a, key: '${x}', steps: [request: {path: /}]}"), 3,
        "steps[0].flow.steps[0].request", "${x}",
    ),
    "save name": (step("request: {path: /, save: {1a: 'header:A'}}"), 3, f"{R}.save.1a", "no name"),
    "save place": (step("request: {path: /, save: {a: 'body:A'}}"), 3, f"{R}.save.a", "'body:A'"),
    "save pointer": (step("request: {path: /, save: {a: 'json:id'}}"), 3, f"{R}.save.a", "json:/id"),
    "status": (step("request: {path: /, expect: {status: 20}}"), 3, f"{R}.expect.status", "20"),
    "status of list": (step("request: {path: /, expect: {status: [200, x]}}"), 3, f"{R}.expect.status[1]", "'x'"),
    "reason": (step("request: {path: /, expect: {reason: key}}"), 3, f"{R}.expect.reason", "affinity"),
    "pointer": (step("request: {path: /, expect: {json: {a.b: 1}}}"), 3, f"{R}.expect.json.a.b", "/a/b"),
    "expects nothing": (step("request: {path: /, expect: {}}"), 3, f"{R}.expect", "nothing is expected"),
    "same version of nobody": (step("request: {path: /, expect: {same_version: true}}"), 3, R, "session"),
    "not the same": (
        step("request: {path: /, session: a, expect: {same_version: no}}"), 3, f"{R}.expect.same_version", "false",
    ),
    "no count": (step("requests: {path: /}"), 3, "steps[0].requests", "count is missing"),
    "count": (step("requests: {path: /, count: 0}"), 3, f"{R}s.count", "0 is out"),
    "too many": (step("requests: {path: /, count: 20001}"), 3, f"{R}s.count", "20,000"),
    "too many in all": (
        step("requests: {path: /, count: 20000}") + "  - request: {path: /}\n", 4, "steps[1].request", "20,001",
    ),
    "keys": (step("requests: {path: /, count: 5, keys: 6}"), 3, f"{R}s.keys", "6 is out"),
    "key and keys": (step("requests: {path: /, count: 5, keys: 2, key: a}"), 3, f"{R}s.keys", "key is"),
    "save of many": (step("requests: {path: /, count: 5, save: {}}"), 3, f"{R}s.save", "no such key"),
    "flow of nobody": (step("flow: {steps: []}"), 3, "steps[0].flow", "no session"),
    "flow in a flow": (
        step("flow: {session: a, steps: [flow: {session: b, steps: [deploy: {v: 100}]}]}"), 3,
        "steps[0].flow.steps[0]", "no such step",
    ),
    "meanwhile nothing": (step("meanwhile: {deploy: {v1: 100}}"), 3, "steps[0].meanwhile", "request is missing"),
    "meanwhile few": (
        step("meanwhile: {deploy: {v1: 100}, request: {path: /}, count: 2}"), 3, "steps[0].meanwhile.count", "2",
    ),
    "meanwhile a version": (
        step("meanwhile: {deploy: {v1: 100}, request: {path: /, expect: {version: v1}}, count: 3}"), 3,
        "steps[0].meanwhile.request", "chance",
    ),
    "fault kind": (step("fault: {kind: slow}"), 3, "steps[0].fault.kind", "latency"),
    "fault field": (step("fault: {kind: latency, ms: 1, speed: 3}"), 3, "steps[0].fault.speed", "jitter_ms"),
    "fault without": (step("fault: {kind: latency}"), 3, "steps[0].fault", "ms"),
    "clear no faults": (step("clear_faults: false"), 3, "steps[0].clear_faults", "false"),
    "within alone": (step("expect: {within: 5}"), 3, "steps[0].expect.within", "no split"),
    "within": (step("expect: {split: {v: 100}, within: 0}"), 3, "steps[0].expect.within", "'0'"),
    "both skews": (step("expect: {no_skew: true, skew: [asset_skew]}"), 3, "steps[0].expect.no_skew", "skew is"),
    "no skew: no": (step("expect: {no_skew: false}"), 3, "steps[0].expect.no_skew", "false"),
    "skew kind": (step("expect: {skew: [assets]}"), 3, "steps[0].expect.skew[0]", "asset_skew"),
    "skew empty": (step("expect: {skew: []}"), 3, "steps[0].expect.skew", "no_skew"),
    "resets": (step("expect: {resets_at_most: -1}"), 3, "steps[0].expect.resets_at_most", "-1"),
    "expect nothing": (step("expect: {}"), 3, "steps[0].expect", "nothing is expected"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "key", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_with_its_place(text: str, line: int, key: str, words: str) -> None:
    """House rules: an error names file, line, key, value and remedy."""
    with pytest.raises(ConfigError) as caught:
        parse_scenarios(text, FILE)

    error = caught.value
    assert (error.path, error.line, error.key) == (FILE, line, key)
    assert words in f"{error.message} {error.remedy}"
    assert error.remedy


@pytest.mark.parametrize("text", ['{"name": "a",}', "{", "", "[" * 100_000])
def test_what_is_no_json_is_told_by_json(text: str) -> None:
    """A .json file is JSON, not the YAML that it may be as well."""
    with pytest.raises(ConfigError) as caught:
        parse_scenarios(text, Path("a.json"))

    assert caught.value.key == "file"


BODIES: dict[str, tuple[Any, str]] = {
    "list": ([], "scenario: what stands here is not a mapping"),
    "text": ("a", "scenario: 'a' is not a mapping"),
    "null": (None, "scenario: '' is not a mapping"),
    "name null": ({"name": None, "steps": []}, "name: '' is empty"),
    "session null": (
        {"name": "a", "steps": [{"request": {"path": "/", "session": None}}]},
        "session: '' is empty",
    ),
    "misspelt": ({"name": "a", "stesp": []}, "stesp: no such key"),
}


@pytest.mark.parametrize(("body", "message"), BODIES.values(), ids=BODIES)
def test_a_body_that_is_wrong_is_told_without_a_file(body: Any, message: str) -> None:
    """The API's errors name the key; there is no line."""
    with pytest.raises(BadRequest) as caught:
        scenario_of(body)

    assert message in caught.value.message
    assert "body:" not in caught.value.message


def test_deep_json_is_refused() -> None:
    """Design 8: deep JSON gets 4xx."""
    value: Any = "x"
    for _ in range(5_000):
        value = [value]

    with pytest.raises(BadRequest, match="deep"):
        scenario_of({"name": "a", "steps": [{"request": {"path": "/", "json": value}}]})


def test_aliases_of_aliases_cost_nothing() -> None:
    """YAML 1.2 section 3.2.2.2: one node in many places is looked at once."""
    levels = [f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]" for number in range(1, 30)]
    text = "\n".join(["a0: &a0 [x]", *levels, "name: a", "steps: []"])

    with pytest.raises(ConfigError, match="no such key"):
        parse_scenarios(text, FILE)


def test_the_versions_that_are_named_are_found_everywhere() -> None:
    """A misspelt one must change nothing: all are looked up before the first step."""
    (written,) = parse_scenarios(whole(), FILE)

    assert versions_named(written.scenario) == ["v2", "v1"]
    override = read_one("requests: {path: /, count: 1, override: o, expect: {version: [p, q]}}")
    assert versions_named(override) == ["o", "p", "q"]
    racing = read_one("meanwhile: {deploy: {a: 100}, request: {path: /, override: b}, count: 3}")
    assert versions_named(racing) == ["a", "b"]


def read_one(text: str) -> Scenario:
    """Return the scenario of one step."""
    (written,) = parse_scenarios(step(text), FILE)
    return written.scenario


def test_each_step_has_a_title() -> None:
    """Reports and JUnit name steps by what they do."""
    (written,) = parse_scenarios(whole(), FILE)

    assert [title_of(one) for one in written.scenario.steps] == [
        "deploy v2 10.5%, v1 89.5%",
        "request GET /",
        "request PUT /cart and its files, key anna, override v2, cohort beta",
        "10 requests GET /, 5 keys",
        "flow of bob, 6 steps",
        "deploy v1 100% during 3 requests GET /",
        "expect split v1 100% within 5, asset_skew, resets at most 1, errors at most 0, broken files at most 2",
    ]


def test_faults_have_titles() -> None:
    """What goes wrong, and where."""
    assert title_of(AddFault(LATENCY)) == (
        "fault latency: worker shop, version v2, path /checkout*, share 10.0, ms 3.0, jitter_ms 1.5"
    )
    assert title_of(AddFault(Fault(FaultKind.HANG))) == "fault hang"
    assert title_of(ClearFaults()) == "clear faults"


def test_the_sample_scenarios_are_right() -> None:
    """They are what people copy from."""
    for path in sorted(Path("config/scenarios").glob("*.yaml")):
        assert parse_scenarios(path.read_text("utf-8"), path)
        assert all(isinstance(one, dict) for one in yaml.safe_load(path.read_text("utf-8")))
