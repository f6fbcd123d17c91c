"""The gateway's own answers, as a page or as JSON (pure).

None of them comes from a version, and each says so: no ``Gateway-Version``, but ``Gateway-Error`` with a token.
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from gateway.model.version import Version


@dataclass(frozen=True, slots=True)
class Problem:
    """Something the gateway itself has to tell a client.

    Args:
        error: Token for ``Gateway-Error`` and for scripts, such as ``version-unreachable``.
        code: The number Cloudflare shows for the like, where there is one (R118), else 0.
        facts: Names and values worth seeing, in order.
        lines: Output of the version, the newest at the end.
    """

    status: int
    error: str
    title: str
    why: str
    remedy: str = ""
    code: int = 0
    facts: tuple[tuple[str, str], ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """A rendered answer."""

    status: int
    error: str
    content_type: str
    body: bytes


def render(problem: Problem, *, accept: str, ray: str) -> Page:
    """Return the problem as HTML, or as JSON where ``Accept`` asks for JSON and not for HTML."""
    wants_json = "json" in accept and "html" not in accept
    body = _as_json(problem, ray) if wants_json else _as_html(problem, ray)
    content_type = "application/json" if wants_json else "text/html; charset=utf-8"
    return Page(problem.status, problem.error, content_type, body.encode("utf-8", "replace"))


def malformed_request(status: int, why: str) -> Problem:
    """A request that is refused before routing (design 3.1)."""
    titles = {
        408: "The request took too long",
        414: "The request target is too long",
        431: "The request head is too large",
    }
    return Problem(status, "bad-request", titles.get(status, "The request cannot be served"), why)


def no_route(host: str, path: str, routes: Sequence[str]) -> Problem:
    """No Worker has this host and path; lists the routes there are."""
    return Problem(
        404,
        "no-route",
        "No Worker has this route",
        f"No route matches {host}{path}.",
        "Add a route (to the configuration, or by wrangler triggers deploy), or use one of those below."
        if routes
        else "There is no Worker yet: deploy one with wrangler, or add one to the configuration.",
        facts=tuple(("route", route) for route in routes),
    )


def unknown_version(worker: str, prefix: str, known: Sequence[str]) -> Problem:
    """A version URL whose prefix fits no version of the Worker (R89)."""
    return Problem(
        404,
        "unknown-version",
        "No version has this URL",
        f"Worker {worker} has no version whose id starts with {prefix}.",
        "gateway versions list shows all versions.",
        facts=tuple(("version", label) for label in known),
    )


def not_deployed(worker: str) -> Problem:
    """The Worker has versions, but no deployment says which of them serves."""
    return Problem(
        503,
        "not-deployed",
        "Nothing is deployed",
        f"Worker {worker} has no deployment yet.",
        f"gateway versions deploy VERSION@100% --worker {worker}",
    )


def reserved_path(path: str, why: str) -> Problem:
    """A path under ``/cdn-cgi/gateway/`` that means nothing."""
    return Problem(404, "reserved-path", "Nothing is here", f"{path}: {why}")


def too_many_hops() -> Problem:
    """The request came back more often than a chain of Workers may be long (R70)."""
    return Problem(
        508,
        "too-many-hops",
        "Worker invocations form a loop",
        "The request passed this edge more than 16 times.",
        "Look for a Worker that fetches its own route.",
        code=1019,
    )


def version_failed(*, status: int, worker: str, version: str, tag: str, why: str, lines: Sequence[str]) -> Problem:
    """The version that was picked cannot answer; no other version is asked in its place."""
    return Problem(
        status,
        "version-timed-out" if status == HTTPStatus.GATEWAY_TIMEOUT else "version-unreachable",
        "The version did not answer in time"
        if status == HTTPStatus.GATEWAY_TIMEOUT
        else "The version cannot answer",
        f"Version {tag or version} of Worker {worker} was picked, but {why}.",
        "See gateway versions list for its state, mend and restart it, or deploy another version: "
        f"gateway rollback --worker {worker}",
        facts=(("worker", worker), ("version", version), ("tag", tag)),
        lines=tuple(lines),
    )


def made_by_fault(status: int, version: Version, fault: str) -> Problem:
    """An answer in the place of the version's, for there is a fault that wants it so."""
    return Problem(
        status,
        "fault",
        "A fault made this answer",
        f"Version {version.label} of Worker {version.worker} was picked, and not asked.",
        f"gateway fault list shows the faults, gateway fault clear {fault} takes this one away.",
        facts=(("worker", version.worker), ("version", version.id), ("tag", version.tag), ("fault", fault)),
    )


def worker_threw(host: str, version: Version) -> Problem:
    """An exception that the Worker's code did not catch, or no response ever (R118, R119)."""
    return Problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "worker-threw",
        "Error 1101: Worker threw exception",
        f"You've requested a page on a website ({host}) that is on this gateway. "
        "An unknown error occurred while rendering the page.",
        f"wrangler tail {version.worker} and the gateway's log show the exception, with its stack.",
        code=1101,
        facts=(("worker", version.worker), ("version", version.id), ("tag", version.tag)),
    )


def _as_json(problem: Problem, ray: str) -> str:
    content = {
        "error": problem.error,
        "status": problem.status,
        "title": problem.title,
        "why": problem.why,
        "remedy": problem.remedy,
        "ray": ray,
        "from": "gateway",
    }
    if problem.code:
        content["code"] = problem.code
    if problem.facts:
        content["facts"] = [{"name": name, "value": value} for name, value in problem.facts]
    if problem.lines:
        content["last_lines"] = list(problem.lines)
    return json.dumps(content, indent=2) + "\n"


_STYLE: Final = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:10vh auto;"
    "padding:0 1rem}h1{font-size:1.4rem}small,dt{color:gray}pre{overflow:auto;padding:.7rem;border:1px solid gray}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:0 1rem}dd{margin:0;overflow-wrap:anywhere}"
)


def _as_html(problem: Problem, ray: str) -> str:
    code = f"Error {problem.code} · " if problem.code else ""
    top = (
        f"<!doctype html>\n<html lang=en><meta charset=utf-8><title>{problem.status} "
        f"{html.escape(problem.title)}</title>\n<meta name=viewport content='width=device-width'>"
        f"<style>{_STYLE}</style>\n<h1>{html.escape(problem.title)}</h1>\n<p>{html.escape(problem.why)}</p>\n"
    )
    parts = [top]
    if problem.remedy:
        parts.append(f"<p><b>What to do:</b> {html.escape(problem.remedy)}</p>\n")
    if problem.facts:
        rows = "".join(f"<dt>{html.escape(name)}<dd>{html.escape(value)}\n" for name, value in problem.facts)
        parts.append(f"<dl>\n{rows}</dl>\n")
    if problem.lines:
        parts.append(f"<p>Its last lines:</p>\n<pre>{html.escape(chr(10).join(problem.lines))}</pre>\n")
    parts.append(
        f"<p><small>{code}{problem.status} · {problem.error} · Ray ID {html.escape(ray)} · "
        "from the gateway itself, not from a version</small></p>\n</html>\n"
    )
    return "".join(parts)
