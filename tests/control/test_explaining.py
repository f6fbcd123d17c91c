"""Explaining: the decision that the data plane would make, for a request that nobody sends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.control.catalog import Catalog
from gateway.control.explaining import Explained, Explainer
from gateway.errors import BadRequest
from gateway.model.decision import Reason
from gateway.model.durable_object import AssignedObject, ObjectKey
from gateway.routing.affinity import point_of_key, worker_seed
from gateway.routing.explain import Outcome
from gateway.routing.object_names import parse_binding
from tests.control.parts import VERSIONS, live_table
from tests.model.examples import API, SHOP, A, B, C, X, assigned, deployment, key_at

ROOT = Path(__file__).parents[2]
CATALOG = Catalog(VERSIONS, [deployment((B, 20), (A, 80)), deployment((X, 100), worker=API)])
TABLE = live_table(
    CATALOG,
    {SHOP: ["*/*", "[::1]/*"], API: ["*/api/*", "api.test/*"]},
    (parse_binding("Cart", "path:/cart/{name}"),),
)


def peek(key: ObjectKey) -> AssignedObject | None:
    """Say that every cart is on version C."""
    return assigned(key, C) if key.class_name == "Cart" else None


def explained(url: str, *headers: tuple[str, str], count: int = 1, seed: int = 42) -> Explained:
    """Explain a request."""
    return Explainer(lambda: TABLE, peek, seed).explain(url, headers, count)


FOUND = {
    "route": ("http://any.test/x", "shop", "*/*"),
    "more specific route": ("http://any.test/api/x?y=1", "api", "*/api/*"),
    "host": ("http://api.test:8787/", "api", "api.test/*"),
    "upper-case host": ("http://API.Test", "api", "api.test/*"),
    "final dot": ("http://api.test./", "api", "api.test/*"),
    "name": ("http://api.localhost/x", "api", "api.localhost/*"),
    "without scheme": ("api.localhost/x", "api", "api.localhost/*"),
    "without scheme, with port": ("api.localhost:8787", "api", "api.localhost/*"),
    "https": ("https://api.localhost", "api", "api.localhost/*"),
    "version URL": ("http://cccccccc-shop.localhost/", "shop", "version URL cccccccc-shop.localhost"),
    "version URL of nobody": ("http://cccccccc-nobody.localhost/", "shop", "*/*"),
    "stub": ("http://any/cdn-cgi/gateway/do/shop/Cart/foo/x", "shop", "/cdn-cgi/gateway/do/"),
    "IPv6": ("http://[::1]:8787/", "shop", "[::1]/*"),
}


@pytest.mark.parametrize(("url", "worker", "route"), FOUND.values(), ids=FOUND)
def test_the_worker_is_found_as_the_data_plane_finds_it(url: str, worker: str, route: str) -> None:
    """Design 3.2, R89: routes, names, version URLs and stub addresses."""
    found = explained(url)

    assert (found.worker, found.route, found.problem) == (worker, route, None)
    assert found.decision is not None


REASONS = {
    "draw": ("http://shop.localhost/", (), Reason.PERCENTAGE),
    "key": ("http://shop.localhost/", (("Cloudflare-Workers-Version-Key", key_at(10)),), Reason.AFFINITY),
    "override": (
        "http://shop.localhost/",
        (("cloudflare-workers-version-overrides", f'shop="{B}"'),),
        Reason.OVERRIDE,
    ),
    "version URL": ("http://cccccccc-shop.localhost/", (), Reason.VERSION_URL),
    "object": ("http://shop.localhost/cart/foo", (), Reason.DURABLE_OBJECT),
    "stub": ("http://x/cdn-cgi/gateway/do/shop/Cart/foo", (), Reason.DURABLE_OBJECT),
    "object, not another class": ("http://shop.localhost/room/foo", (), Reason.PERCENTAGE),
}


@pytest.mark.parametrize(("url", "headers", "reason"), REASONS.values(), ids=REASONS)
def test_every_reason_can_be_explained(url: str, headers: tuple[tuple[str, str], ...], reason: Reason) -> None:
    """R20-R24, R50: prints every step; the one that decided says so."""
    found = explained(url, *headers)

    assert found.decision is not None
    assert found.decision.reason is reason
    assert [step.outcome for step in found.steps].count(Outcome.DECIDED) == 1


def test_header_lines_of_one_name_are_joined() -> None:
    """R31: two lines ``shop="<B>"`` and ``api="<X>"`` both apply."""
    lines = [
        ("Cloudflare-Workers-Version-Overrides", f'shop="{B}"'),
        ("CLOUDFLARE-workers-version-overrides", f'api="{X}"'),
    ]
    found = explained("shop.localhost", *lines)

    assert found.decision is not None
    assert (found.decision.version_id, found.decision.ignored) == (B, ())


PROBLEMS = {
    "no such version": (
        "http://99999999-shop.localhost/",
        "no version of shop has an id that starts with 99999999",
    ),
    "stub without name": ("http://x/cdn-cgi/gateway/do/shop/Cart", "<worker>/<class>/<name>"),
    "stub into the gateway's own paths": (
        "http://x/cdn-cgi/gateway/do/shop/Cart/foo/cdn-cgi/trace",
        "/cdn-cgi/",
    ),
    "reserved path": ("http://shop.localhost/cdn-cgi/gateway/other", "/cdn-cgi/gateway/"),
    "stub of nobody": ("http://x/cdn-cgi/gateway/do/nobody/Cart/foo", "<worker>"),
    "stub of no class": ("http://x/cdn-cgi/gateway/do/shop/Room/foo", "'Room'"),
}


@pytest.mark.parametrize(("url", "text"), PROBLEMS.values(), ids=PROBLEMS)
def test_where_no_version_can_be_picked_the_reason_is_told(url: str, text: str) -> None:
    """Design 7: an explanation never fails where the data plane would answer with a page of its own."""
    found = explained(url)

    assert found.decision is None
    assert found.problem is not None
    assert text in found.problem


def test_no_route_lists_those_there_are() -> None:
    """Design 3.2: no match: 404 that lists the routes."""
    table = live_table(CATALOG, {SHOP: []})
    found = Explainer(lambda: table, peek, 1).explain("http://other.test/x", [], 1)

    assert (found.worker, found.decision) == (None, None)
    assert found.problem is not None
    assert "shop.localhost/*" in found.problem


def test_nothing_deployed_is_told() -> None:
    """R8: a Worker may have versions and no deployment; its version URLs work all the same (R20)."""
    table = live_table(Catalog(VERSIONS, []), {SHOP: []})
    explainer = Explainer(lambda: table, lambda _key: None, 1)

    found = explainer.explain("http://shop.localhost/", [], 1)
    by_url = explainer.explain("http://cccccccc-shop.localhost/", [], 1)

    assert found.problem is not None
    assert "nothing is deployed" in found.problem
    assert by_url.problem is None
    assert by_url.decision is not None
    assert (by_url.decision.version_id, by_url.decision.reason) == (C, Reason.VERSION_URL)


def test_counting_decides_so_often() -> None:
    """R44, design 7: ``--count``; seeded, with bounds of more than ten standard deviations."""
    found = explained("http://shop.localhost/", count=10_000)

    assert sum(found.counts.values()) == 10_000
    assert 1_500 < found.counts[B] < 2_500


def test_the_same_seed_counts_the_same() -> None:
    """Design 4: with a seed everything is repeatable."""
    counts = [explained("http://shop.localhost/", count=1_000, seed=seed).counts for seed in (1, 1, 2)]

    assert counts[0] == counts[1] != counts[2]


NO_URLS = {
    "empty": "",
    "scheme only": "http://",
    "other scheme": "ftp://shop.localhost/",
    "path only": "/cart",
    "open bracket": "http://[::1/",
    "brackets around a name": "http://[shop]/",
    "characters that fold into others": "http://shop\u2100.localhost/",
}


@pytest.mark.parametrize("url", NO_URLS.values(), ids=NO_URLS)
def test_what_is_no_url_is_a_bad_request(url: str) -> None:
    """House rule 8: 400 with a remedy, never a failure of the gateway."""
    with pytest.raises(BadRequest) as caught:
        explained(url)

    assert caught.value.remedy


ODD_VALUES = {
    "beyond latin-1": "\u2603",
    "beyond the BMP": "\U0001f980",
    "control characters": "\r\n\0",
}


@pytest.mark.parametrize("value", ODD_VALUES.values(), ids=ODD_VALUES)
@pytest.mark.parametrize("name", ["Version-Overrides", "Version-Key", "Cohort"])
def test_odd_header_values_are_no_failure(name: str, value: str) -> None:
    """R25: none of these signals ever produces an error; what cannot be sent at all may be a bad request."""
    try:
        found = explained("http://shop.localhost/", (f"Cloudflare-Workers-{name}", value))
    except BadRequest:
        return

    assert found.decision is not None


HALF_A_PAIR = """
from tests.control.test_explaining import explained
from gateway.errors import BadRequest
try:
    explained("http://shop.localhost/", ("Cloudflare-Workers-{name}", "\\ud800"))
except BadRequest:
    pass
"""


@pytest.mark.parametrize("name", ["Version-Overrides", "Version-Key", "Cohort"])
def test_half_a_surrogate_pair_does_not_end_the_process(name: str) -> None:
    """Design 8: JSON can spell text that is none; in a process of its own, since a hash in C may crash on it."""
    code = HALF_A_PAIR.format(name=name)
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_key_is_read_as_its_bytes_on_the_wire() -> None:
    """Design 7: decides as the data plane would, which sees the UTF-8 bytes that a client sends."""
    found = explained("http://shop.localhost/", ("Cloudflare-Workers-Version-Key", "J\u00fcrgen"))
    on_the_wire = "J\u00fcrgen".encode().decode("latin-1")

    assert found.decision is not None
    assert found.decision.point == point_of_key(on_the_wire, worker_seed(SHOP))
