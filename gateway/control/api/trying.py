"""``POST /api/try``: sends a made-up request through the gateway's own edge, once or often, and counts answers.

It connects to the address of the data plane and nowhere else, whatever the URL says: a URL's host only becomes
the ``Host`` field, by which the edge finds the Worker. So it is no open proxy, and no redirect is followed.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, cast
from urllib.parse import quote, urlsplit

import http_sf
from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web
from yarl import URL

from gateway.control.api.bodies import header_pairs, integer, text_of
from gateway.control.api.guard import json_body
from gateway.control.api.views import Json
from gateway.control.catalog import Catalog
from gateway.errors import BadRequest
from gateway.model.version import VersionId

MAX_TRIES: Final = 1000
AT_ONCE: Final = 8
ANSWER_SECONDS: Final = 30.0
ALL_SECONDS: Final = 100.0
"""Clients of the API wait 120 s."""

SHOWN_BYTES: Final = 16_384

_MEMBERS: Final = ("url", "method", "headers", "body", "count")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_AUTHORITY: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_ASCII: Final = "".join(map(chr, range(0x21, 0x7F)))
_OURS: Final = frozenset(
    {
        "connection", "content-length", "expect", "host", "keep-alive", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade",
    }
)  # fmt: skip
"""What the connection to the edge is made of, and not the request."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A request as it will be sent, any number of times."""

    method: str
    host: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    count: int


class Answer(NamedTuple):
    """What came back for one of them.

    Args:
        version_id: Empty where the gateway itself answered, or does not tell (``decision_headers: false``).
        point: Where key, object or draw fell, where the edge tells it.
        body: Its beginning.
    """

    status: int
    version_id: str
    reason: str
    point: float | None
    duration_ms: float
    headers: tuple[tuple[str, str], ...]
    body: bytes
    body_bytes: int


def try_routes(catalog: Catalog, edge_url: Callable[[], str]) -> list[web.RouteDef]:
    """Return the route.

    Args:
        edge_url: Base URL of the data plane, the only address that requests are sent to.
    """

    async def attempt(request: web.Request) -> web.Response:
        trial = parse_trial(await json_body(request, _MEMBERS))
        began = time.perf_counter()
        answers, failures = await send_all(trial, edge_url())
        duration_ms = (time.perf_counter() - began) * 1000
        return web.json_response(tried_view(catalog, trial, answers, failures, duration_ms))

    return [web.post("/api/try", attempt)]


def parse_trial(body: Mapping[str, object]) -> Trial:
    """Return the request that a body describes.

    Raises:
        BadRequest: Something of it cannot be sent.
    """
    host, target = _host_and_target(text_of(body, "url"))
    method = text_of(body, "method", "GET")
    if not _TOKEN.fullmatch(method) or method.upper() == "CONNECT":
        raise BadRequest(f"'method' is {method!r}", remedy="Give a method such as GET or POST.")
    headers = header_pairs(body.get("headers", []))
    for name, value in headers:
        if not _TOKEN.fullmatch(name) or _CONTROL.search(value):
            raise BadRequest(f"header {name!r} cannot be sent", remedy="Leave out spaces and control characters.")
        if name.lower() in _OURS:
            raise BadRequest(
                f"header {name!r} belongs to the connection", remedy="Leave it out; the URL names the host."
            )
    return Trial(
        method,
        host,
        target,
        tuple(headers),
        text_of(body, "body", "").encode(),
        integer(body.get("count", 1), "count", 1, MAX_TRIES),
    )


def _host_and_target(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host = parts.netloc if parts.scheme in ("http", "https") else ""
    except ValueError:
        host = ""
    if not _AUTHORITY.fullmatch(host):
        raise BadRequest(f"{url!r} is no http URL", remedy="Write it as http://shop.localhost:8787/path.")
    # Only what HTTP cannot carry is encoded: the rest is sent as written, odd or not.
    return host, quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_ASCII)


async def send_all(trial: Trial, edge_url: str) -> tuple[list[Answer], Counter[str]]:
    """Send a request as often as wanted, a few at a time; return the answers and why others had none."""
    answers: list[Answer] = []
    failures: Counter[str] = Counter()
    left = iter(range(trial.count))
    url = URL(f"{edge_url}{trial.target}", encoded=True)
    headers = [("Host", trial.host), *trial.headers]

    async def send_some(session: ClientSession) -> None:
        for number in left:
            began = time.perf_counter()
            try:
                async with session.request(
                    trial.method, url, headers=headers, data=trial.body or None, allow_redirects=False
                ) as response:
                    answers.append(await _answer(response, began, keep=number == 0))
            except TimeoutError:
                failures[f"no complete answer within {ANSWER_SECONDS:g} s"] += 1
            except (ClientError, OSError, ValueError) as error:
                failures[f"{type(error).__name__}: {error}"] += 1

    async with (
        ClientSession(
            connector=TCPConnector(limit=AT_ONCE),
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            timeout=ClientTimeout(total=ANSWER_SECONDS),
        ) as session,
    ):
        tasks = [asyncio.create_task(send_some(session)) for _ in range(min(AT_ONCE, trial.count))]
        _, late = await asyncio.wait(tasks, timeout=ALL_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    unsent = trial.count - len(answers) - failures.total()
    if unsent:
        failures[f"not sent or not answered within {ALL_SECONDS:g} s in all"] += unsent
    return answers, failures


async def _answer(response: ClientResponse, began: float, *, keep: bool) -> Answer:
    size, kept = 0, bytearray()
    async for piece in response.content.iter_any():
        size += len(piece)
        if keep and len(kept) < SHOWN_BYTES:
            kept += piece[: SHOWN_BYTES - len(kept)]
    duration_ms = (time.perf_counter() - began) * 1000
    decision = _decision(response.headers.get("Gateway-Decision", ""))
    point = decision.get("point")
    headers = tuple((_text(name), _text(value)) for name, value in response.raw_headers) if keep else ()
    return Answer(
        response.status,
        response.headers.get("Gateway-Version", ""),
        str(decision.get("reason", "")),
        float(str(point)) if point is not None else None,
        duration_ms,
        headers,
        bytes(kept),
        size,
    )


def _decision(value: str) -> dict[str, object]:
    """Return the members of ``Gateway-Decision``; none where it is not there, or not ours."""
    try:
        members = cast(
            "dict[str, tuple[object, object]]", http_sf.parse(value.encode("ascii"), tltype="dictionary")
        )
    except ValueError:
        return {}
    return {name: bare for name, (bare, _) in members.items()}


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def tried_view(
    catalog: Catalog, trial: Trial, answers: Sequence[Answer], failures: Mapping[str, int], duration_ms: float
) -> Json:
    """Return the answers by version, reason and status, with their times; the first one whole."""
    groups: defaultdict[tuple[str, str, int], list[float]] = defaultdict(list)
    for answer in answers:
        groups[answer.version_id, answer.reason, answer.status].append(answer.duration_ms)
    # The one that was kept; the others came without headers and body.
    first = next((answer for answer in answers if answer.headers), None)
    return {
        "count": trial.count,
        "answered": len(answers),
        "duration_ms": duration_ms,
        "answers": [
            {
                "version_id": version_id,
                "tag": _label(catalog, version_id),
                "reason": reason,
                "status": status,
                "count": len(times),
                "mean_ms": sum(times) / len(times),
                "p50_ms": quantile(times, 0.5),
                "p95_ms": quantile(times, 0.95),
            }
            for (version_id, reason, status), times in sorted(groups.items(), key=lambda item: -len(item[1]))
        ],
        "failures": [{"message": message, "count": count} for message, count in failures.items()],
        "first": None if first is None else _first_view(catalog, first),
    }


def _first_view(catalog: Catalog, answer: Answer) -> Json:
    return {
        "status": answer.status,
        "version_id": answer.version_id,
        "tag": _label(catalog, answer.version_id),
        "reason": answer.reason,
        "point": answer.point,
        "duration_ms": answer.duration_ms,
        "headers": [list(pair) for pair in answer.headers],
        "body": _text(answer.body) if b"\0" not in answer.body else "",
        "body_bytes": answer.body_bytes,
        "truncated": answer.body_bytes > len(answer.body),
    }


def _label(catalog: Catalog, version_id: str) -> str:
    version = catalog.version(VersionId(version_id)) if version_id else None
    return version.label if version is not None else version_id[:8]


def quantile(times: Sequence[float], part: float) -> float:
    """Return the smallest of some times that at least this part of them does not exceed."""
    ordered = sorted(times)
    return ordered[max(1, math.ceil(part * len(ordered))) - 1]
