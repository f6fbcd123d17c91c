"""docs/wrangler.md says what there is: every route has its place, and names nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from aiohttp import web

from gateway.control.cloudflare.analytics import AnalyticsParts
from gateway.control.cloudflare.app import cloudflare_routes
from gateway.control.cloudflare.envelope import PREFIX
from gateway.control.cloudflare.parts import CloudflareParts
from gateway.control.cloudflare.tails import TailParts
from gateway.control.logpush import LogpushJobs

PAGE = (Path(__file__).parents[3] / "docs" / "wrangler.md").read_text("utf-8")
SHORT = {
    "S": "/accounts/{account}/workers/scripts/{script}",
    "W": "/accounts/{account}/workers/workers/{script}",
}
ENVIRONMENT = "/accounts/{account}/workers/services/{script}/environments/{environment}"


def plain(path: str) -> str:
    """Return a route's path as the page writes it: without patterns, and without what may follow."""
    path = path.replace("{rest:(/.*)?}", "").removeprefix(PREFIX)
    return re.sub(r"\{(\w+):(?:[^{}]|\{[^{}]*\})*\}", r"{\1}", path)


def documented() -> set[str]:
    """Return every path the page writes between backticks, in full."""
    found = set()
    for text in re.findall(r"`([^`\s]+)`", PAGE):
        short = re.match(r"(S|W)(?=/|$)", text)
        found.add(SHORT[short[1]] + text[1:] if short else text)
    return found | {f"{ENVIRONMENT}{end}" for end in ("", "/bindings", "/routes", "/subdomain")}


def registered() -> list[web.RouteDef]:
    """Return every route, those of tails, analytics and Logpush too."""
    nothing: dict[str, None] = dict.fromkeys(("workers", "uploads", "deployments", "files", "edge_port"))
    tails = TailParts(hub=None, catalog=None, control_url=str, clock=float)  # type: ignore[arg-type]
    analytics = AnalyticsParts(recorder=None, catalog=None, tag_of=str, colo="", clock=float)  # type: ignore[arg-type]
    jobs = LogpushJobs(store=None, pusher=None, own_folder=Path())  # type: ignore[arg-type]
    return cloudflare_routes(CloudflareParts(**nothing, tails=tails, analytics=analytics, logpush=jobs))  # type: ignore[arg-type]


@pytest.mark.parametrize("path", sorted({plain(route.path) for route in registered()} - {""}))
def test_every_route_is_documented(path: str) -> None:
    """Style, docs are tested: a path that is served, or refused by name, stands on the page."""
    assert path in documented()


def test_every_documented_path_is_a_route() -> None:
    """Nobody is sent to a path that is not there."""
    paths = {plain(route.path) for route in registered()}
    said = {
        text
        for text in documented()
        if text.startswith(("/accounts", "/user", "/zones", "/memberships", "/graphql"))
    }

    assert said <= paths


def test_every_method_is_documented() -> None:
    """The table of served paths names each method of each path."""
    rows = [line.split("|")[1:3] for line in PAGE.splitlines() if line.startswith("| `")]
    table = [(cells[0], cells[1]) for cells in rows if len(cells) == 2]
    for route in registered():
        path = plain(route.path)
        if route.method == "*" or not route.path.startswith(PREFIX):
            continue
        names = {path, *(key + path.removeprefix(full) for key, full in SHORT.items() if path.startswith(full))}
        names |= {path.removeprefix(ENVIRONMENT)} if path.startswith(f"{ENVIRONMENT}/") else set()
        rows_of_path = [methods for paths, methods in table if any(f"`{name}`" in paths for name in names)]
        assert any(route.method in methods for methods in rows_of_path), (route.method, path)
