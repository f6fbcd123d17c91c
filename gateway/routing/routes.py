"""Which Worker a host and path belong to: patterns as Cloudflare's, the most specific wins."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gateway.model.version import WorkerName
from gateway.routing.version_urls import worker_host

_HOST = re.compile(r"(\*|\*?[a-z0-9_.-]+|\[[0-9a-f:.]+\])")


class InvalidRoute(ValueError):
    """A route pattern that matches nothing or everything in a way nobody means."""


class Route(NamedTuple):
    """One pattern: ``host/path``, a ``*`` only at the start of the host and at the end of the path.

    Args:
        host_suffix: What the host must end with (or be, where ``any_prefix`` is off).
        path_prefix: What the path must start with (or be, where ``any_suffix`` is off).
    """

    worker: WorkerName
    pattern: str
    host_suffix: str
    any_prefix: bool
    path_prefix: str
    any_suffix: bool

    def matches_host(self, host: str) -> bool:
        """Tell whether the pattern's host covers ``host`` (lower case, no port)."""
        return host.endswith(self.host_suffix) if self.any_prefix else host == self.host_suffix

    def matches_path(self, path: str) -> bool:
        """Tell whether the pattern's path covers ``path`` (no query)."""
        return path.startswith(self.path_prefix) if self.any_suffix else path == self.path_prefix

    def covers_the_same(self, other: Route) -> bool:
        """Tell whether two patterns match the same requests, however they are written."""
        return self[2:] == other[2:]

    @property
    def specificity(self) -> tuple[bool, int, bool, int]:
        """Sort key: an exact host beats a wildcard, a longer host a shorter one, then the same of the path."""
        return (not self.any_prefix, len(self.host_suffix), not self.any_suffix, len(self.path_prefix))


def parse_route(worker: WorkerName, pattern: str) -> Route:
    """Read a pattern such as ``*.example.com/images/*``.

    Raises:
        InvalidRoute: A wildcard in the middle, a query, or characters no host has; says which.

    Source: Cloudflare docs, Workers, Routes, "Matching behavior".
    """
    host, slash, path = pattern.partition("://")[2].partition("/") if "://" in pattern else pattern.partition("/")
    if "?" in pattern or "#" in pattern:
        raise InvalidRoute("a route has no query and no fragment; leave out what follows '?' or '#'")
    host = host.lower()
    if ":" in host and not host.startswith("["):
        raise InvalidRoute("a route has no port; the gateway listens on one for all")
    if not _HOST.fullmatch(host):
        raise InvalidRoute(f"{host!r} is no host; a '*' may stand only at its start")
    path = slash + path
    if "*" in path[:-1]:
        raise InvalidRoute("a '*' may stand only at the end of the path")
    any_suffix = path.endswith("*")
    return Route(
        worker=worker,
        pattern=pattern,
        host_suffix=host.lstrip("*"),
        any_prefix=host.startswith("*"),
        path_prefix=path.removesuffix("*") if any_suffix else (path or "/"),
        any_suffix=any_suffix,
    )


def implied_route(worker: WorkerName) -> Route:
    """Return the route every Worker has without asking: ``<worker>.localhost/*``."""
    return parse_route(worker, f"{worker_host(worker)}/*")


class RouteTable:
    """All routes, the most specific first; by host once a host was seen.

    The memory of hosts is bounded: a client can send any host it likes.
    """

    _MAX_HOSTS = 1024

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = tuple(sorted(routes, key=lambda route: route.specificity, reverse=True))
        self._by_host: dict[str, tuple[Route, ...]] = {}

    @property
    def routes(self) -> tuple[Route, ...]:
        """All routes, the most specific first."""
        return self._routes

    def find(self, host: str, path: str) -> Route | None:
        """Return the most specific route for a host (lower case, no port) and path (no query)."""
        candidates = self._by_host.get(host)
        if candidates is None:
            candidates = tuple(route for route in self._routes if route.matches_host(host))
            if len(self._by_host) < self._MAX_HOSTS:
                self._by_host[host] = candidates
        for route in candidates:
            if route.matches_path(path):
                return route
        return None


def conflicts(routes: Iterable[Route]) -> Mapping[str, tuple[WorkerName, ...]]:
    """Return the patterns that more than one Worker claims, with the claimants."""
    claims: dict[tuple[str, bool, str, bool], list[Route]] = {}
    for route in routes:
        claims.setdefault(route[2:], []).append(route)
    return {
        same[0].pattern: tuple(route.worker for route in same)
        for same in claims.values()
        if len({route.worker for route in same}) > 1
    }
