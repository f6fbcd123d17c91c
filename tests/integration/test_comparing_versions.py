"""``gateway compare`` against the sample shop and counter: it finds what was planted in them, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli.main import cli
from gateway.cli.session import Start, Terminal
from gateway.control.client import VersionSpec
from tests.integration.edge_process import EdgeProcess, running_edge

V1_CART = '{"items": {"Mug": 1}, "deliver_to": "", "paid": false}'


def sample(name: str, tag: str) -> dict[str, object]:
    return {"tag": tag, "command": ["python", "-m", f"sample_workers.{name}", tag], "ready": "/healthz"}


CONFIG = {
    "workers": [
        {
            "name": "shop",
            "versions": [sample("shop", "v1"), sample("shop", "v2")],
            "deployment": {"v2": 10, "v1": 90},
        },
        {
            "name": "counter",
            "versions": [sample("counter", "v1"), sample("counter", "v2")],
            "deployment": {"v1": 50, "v2": 50},
            "durable_objects": {"bindings": [{"class": "Counter", "object": "path:/counter/{name}"}]},
        },
    ]
}


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    """Return a gateway with the sample Workers."""
    with running_edge(tmp_path_factory.mktemp("compare"), CONFIG, seed=1) as running:
        yield running


def compare(edge: EdgeProcess, *arguments: str) -> Result:
    start = Start(Terminal(), {"GATEWAY_CONTROL": edge.control})
    return CliRunner().invoke(cli, ["compare", *arguments], obj=start)


def found(result: Result) -> dict[str, list[tuple[str, str]]]:
    """Return what differs, by target."""
    content: dict[str, Any] = json.loads(result.stdout)
    return {
        one["target"]: [(difference["field"], difference["kind"]) for difference in one["differences"]]
        for one in content["requests"]
    }


def test_exactly_the_planted_differences_are_found(edge: EdgeProcess) -> None:
    """R82 and the renamed field: the page's script each way, the script itself, a cart of the other version."""
    pages = ("/", "/style.css", "/bundle-v1.js", "/bundle-v2.js", "/metadata", "/cart", "/login?user=ada")
    result = compare(edge, "--worker", "shop", "--json", *pages, f"/checkout?state={V1_CART}")
    content = json.loads(result.stdout)

    assert result.exit_code == 3, result.stderr
    assert [(one["tag"], one["reached_by"]) for one in content["versions"]] == [
        ("v1", "override"), ("v2", "override"),
    ]  # fmt: skip
    differ = found(result)
    assert differ.pop("/") == [("subresource:/bundle-v1.js", "lacking"), ("subresource:/bundle-v2.js", "lacking")]
    assert ("status", "changed") in differ.pop("/bundle-v1.js")
    assert ("status", "changed") in differ.pop("/bundle-v2.js")
    assert ("status", "changed") in differ.pop(f"/checkout?state={V1_CART}")
    assert set(differ) == {"/style.css", "/metadata", "/cart", "/login?user=ada"}
    assert {target: fields for target, fields in differ.items() if fields} == {}


def test_what_is_ignored_is_no_difference(edge: EdgeProcess) -> None:
    """Exit code 0 where nothing is left."""
    result = compare(edge, "--worker", "shop", "/", "--ignore", "subresource:/bundle-*")

    assert (result.exit_code, result.stdout) == (0, "1 request to v1 and v2 of shop: no difference\n")


def test_the_table_names_field_and_both_sides(edge: EdgeProcess) -> None:
    """For people; a full URL finds its Worker by itself."""
    result = compare(edge, f"http://shop.localhost:{edge.port}/")
    lines = result.stdout.splitlines()

    assert lines[0].split() == ["request", "field", "v1", "v2"]
    assert "GET /    subresource:/bundle-v1.js  lacking  200, page asks for it (script)  404" in lines[1]
    assert lines[-1] == "1 request to v1 and v2 of shop: 2 differences"


def test_objects_cannot_be_compared(edge: EdgeProcess) -> None:
    """R50: an object's version depends on the object alone; what could not be compared is said."""
    result = compare(edge, "--worker", "counter", "/counter/ada")

    assert result.exit_code == 1
    assert "nothing was compared: GET /counter/ada: version" in result.stderr


def test_a_har_file_of_a_browser(edge: EdgeProcess, tmp_path: Path) -> None:
    """Entries to other hosts and Workers, and unsafe ones, are left out and told."""
    url = f"http://shop.localhost:{edge.port}"
    entries = [
        {"request": {"method": "GET", "url": f"{url}/"}},
        {"request": {"method": "GET", "url": "https://cdn.example/x.js"}},
        {"request": {"method": "GET", "url": f"http://counter.localhost:{edge.port}/"}},
        {"request": {"method": "POST", "url": f"{url}/cart", "postData": {"text": "a=b"}}},
    ]
    file = tmp_path / "shop.har"
    file.write_text(json.dumps({"log": {"entries": entries}}), "utf-8")
    careful = compare(edge, "--worker", "shop", "--from-har", str(file), "--json")
    bold = compare(edge, "--worker", "shop", "--from-har", str(file), "--json", "--allow-unsafe")

    assert list(found(careful)) == ["/"]
    assert [note.partition(" ")[0] for note in json.loads(careful.stdout)["notes"]] == ["2", "1"]
    assert list(found(bold)) == ["/", "/cart"]


def test_a_version_that_is_not_deployed_is_reached_by_its_url(edge: EdgeProcess) -> None:
    """R29: an override does not count for it, its version URL does (R20); the same is found."""
    edge.api.deploy("shop", [VersionSpec("v1", 100)])
    result = compare(edge, "--worker", "shop", "--json", "/", "/login?user=ada")
    content = json.loads(result.stdout)

    assert [one["reached_by"] for one in content["versions"]] == ["override", "version-url"]
    assert found(result) == {
        "/": [("subresource:/bundle-v1.js", "lacking"), ("subresource:/bundle-v2.js", "lacking")],
        "/login?user=ada": [],
    }


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, "Give a URL"),
        (("/",), 2, "Choose one with --worker NAME"),
        (("--worker", "shop", "/", "-X", "POST"), 1, "method: POST may change something"),
        (("--worker", "shop", "/", "--ignore", "Date"), 1, "ignore: 'Date' names no field"),
        (("--worker", "shop", "/", "--versions", "v1", "v1"), 1, "versions: 'v1' and 'v1' are one version"),
        (("--worker", "shop", "/", "--versions", "v1", "v9"), 1, "v9"),
        (("http://nowhere.example/",), 1, "url: http://nowhere.example/:"),
    ],
)
def test_what_makes_no_sense_is_refused(
    edge: EdgeProcess, arguments: tuple[str, ...], code: int, says: str
) -> None:
    """Exit codes as everywhere: 1 refused with a remedy, 2 usage."""
    result = compare(edge, *arguments)

    assert result.exit_code == code
    assert says in result.stderr
