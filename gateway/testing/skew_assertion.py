"""Asserts that no version skew was seen, or says what was: page, file, versions, cause, remedy, seed."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.observability.events import RequestEvent
from gateway.skew.incident import Incident, Kind
from gateway.testing.assertions import Watched, seed_line
from gateway.testing.errors import EdgeMisused
from gateway.testing.told_skew import incident_lines


def assert_no_skew(
    edge: Watched, /, *, kinds: str | Iterable[str] | None = None, worker: str | None = None
) -> None:
    """Assert that no version skew shows in the requests that the edge has answered so far.

    Requests are joined as in live traffic: by ``Referer``, cookie, key (docs/skew.md). ``Client.load`` sends what
    browsers send.

    Args:
        kinds: Only these, such as ``"asset_skew"``; all unless told otherwise.
        worker: Only skew of this Worker.

    Raises:
        EdgeMisused: A kind or the Worker is unknown, or nothing was asked of it yet: that would prove nothing.
    """
    __tracebackhide__ = True
    wanted = _kinds(kinds)
    if worker is not None:
        edge.check_tags(worker, ())
    requests = [one for one in edge.requests if worker in (None, one.worker)]
    _check_requests(requests, worker)
    found = [one for one in edge.skew if one.kind in wanted and worker in (None, one.worker)]
    if found:
        raise AssertionError("\n".join([*_told(found, len(requests)), "", seed_line(edge.seed)]))


def _kinds(kinds: str | Iterable[str] | None) -> frozenset[Kind]:
    if kinds is None:
        return frozenset(Kind)
    given = [kinds] if isinstance(kinds, str) else list(kinds)
    unknown = [one for one in given if one not in set(Kind)]
    if unknown or not given:
        told = ", ".join(map(repr, unknown)) or "nothing"
        raise EdgeMisused(
            f"assert_no_skew: kinds names {told}, which is no kind of skew",
            remedy=f"Known are: {', '.join(Kind)}.",
        )
    return frozenset(map(Kind, given))


def _check_requests(requests: list[RequestEvent], worker: str | None) -> None:
    if not any(one.version_id for one in requests):
        whom = f"Worker {worker!r}" if worker is not None else "any version"
        raise EdgeMisused(
            f"assert_no_skew: no request has reached {whom} yet, so nothing could be found",
            remedy="Send some first: visitor.load('/') asks for a page with all its files.",
        )


def _told(found: list[Incident], requests: int) -> list[str]:
    count = "1 incident" if len(found) == 1 else f"{len(found)} incidents"
    lines = [f"{count} of version skew in {requests} requests"]
    for incident in found:
        lines += ["", *incident_lines(incident)]
    return lines
