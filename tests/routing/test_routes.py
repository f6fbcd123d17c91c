"""Route patterns: what they match, which wins, and which are refused."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.version import WorkerName
from gateway.routing.routes import InvalidRoute, Route, RouteTable, conflicts, implied_route, parse_route
from tests.model.examples import API, SHOP

MATCHES = [
    # pattern, host, path, whether it matches
    ("example.com/*", "example.com", "/", True),
    ("example.com/*", "example.com", "/a/b", True),
    ("example.com/*", "www.example.com", "/", False),
    ("example.com/*", "example.com.evil.test", "/", False),
    ("*.example.com/*", "www.example.com", "/", True),
    ("*.example.com/*", "a.b.example.com", "/", True),
    ("*.example.com/*", "example.com", "/", False),
    ("*.example.com/*", "notexample.com", "/", False),
    ("*example.com/*", "example.com", "/", True),
    ("*example.com/*", "www.example.com", "/", True),
    ("*example.com/*", "myexample.com", "/", True),
    ("*/*", "any.host", "/any/path", True),
    ("*/*", "", "/", True),
    ("*/api/*", "any.host", "/api/x", True),
    ("*/api/*", "any.host", "/api/", True),
    ("*/api/*", "any.host", "/api", False),
    ("*/api*", "any.host", "/api", True),
    ("*/api*", "any.host", "/apiary", True),
    ("example.com/images/*", "example.com", "/images/a.png", True),
    ("example.com/images/*", "example.com", "/Images/a.png", False),
    ("example.com/about", "example.com", "/about", True),
    ("example.com/about", "example.com", "/about/", False),
    ("example.com/about", "example.com", "/about/us", False),
    ("example.com/", "example.com", "/", True),
    ("example.com/", "example.com", "/a", False),
    ("example.com", "example.com", "/", True),
    ("EXAMPLE.com/*", "example.com", "/", True),
    ("https://example.com/*", "example.com", "/", True),
    ("http://example.com/a*", "example.com", "/ab", True),
    ("[::1]/*", "[::1]", "/", True),
    ("shop_1.localhost/*", "shop_1.localhost", "/", True),
]


@pytest.mark.parametrize(
    ("pattern", "host", "path", "matches"), MATCHES, ids=[f"{p} {h}{t}" for p, h, t, _ in MATCHES]
)
def test_what_a_pattern_matches(pattern: str, host: str, path: str, matches: bool) -> None:
    """Cloudflare docs, Workers, Routes, "Matching behavior": wildcards at the ends, hosts without case."""
    found = RouteTable([parse_route(SHOP, pattern)]).find(host, path)

    assert (found is not None) is matches


REFUSED = {
    "wildcard in the host": "www.*.com/*",
    "wildcard at the host's end": "example.*/*",
    "two wildcards": "**.example.com/*",
    "wildcard in the path": "example.com/*/images",
    "two wildcards in the path": "example.com/**",
    "query": "example.com/a?b=*",
    "fragment": "example.com/a#b",
    "port": "example.com:8787/*",
    "empty": "",
    "path only": "/api/*",
    "space": "exa mple.com/*",
    "user info": "user@example.com/*",
    "unclosed bracket": "[::1/*",
    "umlaut": "b\u00fccher.example/*",
}


@pytest.mark.parametrize("pattern", REFUSED.values(), ids=REFUSED)
def test_what_nobody_means_is_refused(pattern: str) -> None:
    """Cloudflare docs, Workers, Routes, "Invalid Routes": wildcards at the ends, no query; says which."""
    with pytest.raises(InvalidRoute) as caught:
        parse_route(SHOP, pattern)

    assert str(caught.value)


ORDER = [
    # the winner, then the rest
    ("shop.example.com/cart/*", "shop.example.com/*", "*.example.com/cart/checkout*", "*/*"),
    ("shop.example.com/*", "*.example.com/cart/checkout", "*example.com/*", "*/*"),
    ("shop.example.com/cart/checkout", "shop.example.com/cart/*"),
    ("*.example.com/*", "*example.com/*"),
    ("*example.com/cart*", "*example.com/*"),
    ("*/cart/*", "*/*"),
]


@pytest.mark.parametrize("patterns", ORDER, ids=[patterns[0] for patterns in ORDER])
@pytest.mark.parametrize("turned", [False, True], ids=["as listed", "turned round"])
def test_the_most_specific_route_wins(patterns: Sequence[str], turned: bool) -> None:
    """Design 3.2: most specific wins, host before path, whatever the order in the file."""
    listed = [parse_route(WorkerName(f"w{number}"), pattern) for number, pattern in enumerate(patterns)]
    table = RouteTable(listed[::-1] if turned else listed)

    found = table.find("shop.example.com", "/cart/checkout")

    assert found is not None
    assert found.pattern == patterns[0]


PIECES = st.sampled_from(["a", "b", "a.b", "b.a", "a.b.a"])
HOSTS = st.one_of(PIECES, PIECES.map("*.{}".format), PIECES.map("*{}".format), st.just("*"))
PATHS = st.one_of(st.sampled_from(["", "/", "/*", "/a", "/a*", "/a/*", "/a/b", "/a/b*"]))
PATTERNS = st.lists(st.tuples(HOSTS, PATHS).map("".join), min_size=1, max_size=8, unique=True)


def same(one: Route, other: Route) -> bool:
    """Tell whether two patterns match the same requests."""
    return one[2:] == other[2:]


@given(
    patterns=PATTERNS, host=PIECES, path=st.sampled_from(["/", "/a", "/a/", "/a/b", "/ab", "/c"]), data=st.data()
)
def test_the_winner_is_the_most_specific_match_in_any_order(
    patterns: list[str], host: str, path: str, data: st.DataObject
) -> None:
    """Design 3.2: the winner matches, no matching route is more specific, and order plays no part."""
    routes = [parse_route(SHOP, pattern) for pattern in patterns]
    table, shuffled = RouteTable(routes), RouteTable(data.draw(st.permutations(routes)))
    matching = [route for route in routes if route.matches_host(host) and route.matches_path(path)]

    for _ in range(2):  # the second answer comes from the memory of hosts
        found, again = table.find(host, path), shuffled.find(host, path)
        if not matching:
            assert (found, again) == (None, None)
            continue
        assert found is not None
        assert again is not None
        assert same(found, again)
        assert found in matching
        assert all(route.specificity <= found.specificity for route in matching)


def test_hosts_without_end_neither_fail_nor_fill_the_memory() -> None:
    """Design 3.2: a client can send any host it likes; the memory of hosts is bounded, the answers stay right."""
    table = RouteTable([parse_route(SHOP, "*.example.com/*"), parse_route(API, "*/*")])

    for number in range(3_000):
        found = table.find(f"h{number}.example.com", "/")
        other = table.find(f"h{number}.test", "/")
        assert found is not None
        assert other is not None
        assert (found.worker, other.worker) == (SHOP, API)
    assert len(table._by_host) <= 1024


def test_every_worker_is_found_by_its_name() -> None:
    """Design 3.2: from ``<worker>.localhost``, by name, with any path."""
    table = RouteTable([implied_route(SHOP), parse_route(API, "*/*")])

    found = table.find("shop.localhost", "/any")

    assert found is not None
    assert found.worker == SHOP


CONFLICTS = {
    "same pattern": (["a.test/*"], ["a.test/*"], True),
    "same but for case and scheme": (["https://A.test/*"], ["a.test/*"], True),
    "root with and without slash": (["a.test"], ["a.test/"], True),
    "one more specific": (["a.test/*"], ["a.test/x*"], False),
    "wildcard and exact": (["*a.test/*"], ["a.test/*"], False),
    "twice for one Worker": (["a.test/*", "a.test/*"], [], False),
}


@pytest.mark.parametrize(("shop", "api", "conflict"), CONFLICTS.values(), ids=CONFLICTS)
def test_a_pattern_of_two_workers_is_a_conflict(shop: list[str], api: list[str], conflict: bool) -> None:
    """Cloudflare docs, Workers, Routes: a route pattern belongs to one Worker."""
    routes = [*(parse_route(SHOP, one) for one in shop), *(parse_route(API, one) for one in api)]

    found = conflicts(routes)

    assert list(found.values()) == ([(SHOP, API)] if conflict else [])
