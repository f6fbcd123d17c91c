"""A HAR file (HTTP Archive 1.2, what browsers export) -> the requests in it that went to the edge."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from gateway.comparison.answers import InvalidComparison, Request

_LEFT_OUT: Final = frozenset(
    {
        "accept-encoding", "connection", "content-length", "expect", "host", "if-match", "if-modified-since",
        "if-none-match", "if-range", "if-unmodified-since", "keep-alive", "proxy-connection", "range", "te",
        "transfer-encoding", "upgrade",
    }
)  # fmt: skip
"""About one connection or one cached copy; the comparison has neither."""

HostTest = Callable[[str], bool]


class HarRequests(NamedTuple):
    """The requests of a HAR file.

    Args:
        requests: Each once, in order.
        elsewhere: How many went to other hosts.
    """

    requests: list[Request]
    elsewhere: int


def har_requests(text: str, origin: str, is_ours: HostTest) -> HarRequests:
    """Return the requests that went to the edge; the same twice is sent once.

    Args:
        origin: Name of the file, for errors.
        is_ours: Tells whether a host (with port) is the edge's.

    Raises:
        InvalidComparison: The file is no HAR.
    """
    requests: dict[Request, None] = {}
    elsewhere = 0
    for number, entry in enumerate(_entries(text, origin)):
        request = _request(entry, f"{origin}: log.entries[{number}]")
        if request is None or not is_ours(request.host):
            elsewhere += 1
        else:
            requests.setdefault(request)
    return HarRequests(list(requests), elsewhere)


def edge_hosts(edge_url: str, worker_url: str, routes: Iterable[str]) -> HostTest:
    """Return a test for hosts of the edge: its own address, ``*.localhost`` on its port, and those of routes.

    A route for every host says nothing of which hosts are the edge's, so it lets none in.
    """
    port = urlsplit(edge_url).port or 80
    known = {_without_port(urlsplit(url).netloc) for url in (edge_url, worker_url)}
    known |= {"localhost", "127.0.0.1", "[::1]"}
    patterns = [route.partition("://")[2] or route for route in routes]
    hosts = [pattern.partition("/")[0].lower() for pattern in patterns]

    def is_ours(host: str) -> bool:
        name = _without_port(host)
        local = name in known or name.endswith(".localhost")
        if local and host.lower() in {f"{name}:{port}", name if port == 80 else ""}:  # noqa: PLR2004 - HTTP's
            return True
        return any(_fits(name, pattern) for pattern in hosts if not pattern.endswith("localhost"))

    return is_ours


def _fits(name: str, pattern: str) -> bool:
    if pattern.startswith("*"):
        return len(pattern) > 1 and name.endswith(pattern[1:])
    return name == pattern


def _without_port(host: str) -> str:
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdecimal() else host.lower()


def _entries(text: str, origin: str) -> Iterator[Mapping[str, Any]]:
    try:
        content = json.loads(text)
        entries = content["log"]["entries"]
    except (ValueError, RecursionError, KeyError, TypeError):
        entries = None
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise InvalidComparison(
            f"from_har: {origin} is no HAR file: it has no list at log.entries",
            remedy="Export it from the browser's network panel: Save all as HAR.",
        )
    yield from entries


def _request(entry: Mapping[str, Any], origin: str) -> Request | None:
    told = entry.get("request")
    url, method = (told.get("url"), told.get("method")) if isinstance(told, Mapping) else (None, None)
    if not isinstance(told, Mapping) or not isinstance(url, str) or not isinstance(method, str):
        raise InvalidComparison(
            f"from_har: {origin}.request lacks url or method", remedy="Export the HAR file anew from the browser."
        )
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"}:
        return None
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    posted = told.get("postData")
    body = str(posted.get("text") or "") if isinstance(posted, Mapping) else ""
    return Request(method.upper(), parts.netloc, target, tuple(_headers(told)), body.encode("utf-8", "replace"))


def _headers(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    headers = told.get("headers")
    for one in headers if isinstance(headers, list) else ():
        name, value = str(one.get("name", "")), str(one.get("value", ""))
        if name and not name.startswith(":") and name.lower() not in _LEFT_OUT:
            yield name, value
