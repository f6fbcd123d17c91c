"""How events become facts, and how a flood of them is kept off the path of requests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.model.skew_rules import SkewRules
from gateway.observability.event_bus import EventBus
from gateway.observability.events import EventKind
from gateway.skew.facts import DeploymentSeen, ShareSeen
from gateway.skew.reading import deployment_known, deployment_seen, request_seen
from gateway.skew.watching import AT_ONCE, WAITING_REQUESTS, SkewWatch
from tests.model.examples import SHOP, A, B, deployment, version
from tests.observability.examples import DEPLOYED, LINE, REQUEST, SOCKET

BROWSED = REQUEST._replace(
    header_lines=(
        b"Referer:  http://shop.localhost/ ", b"ORIGIN: null", b"Sec-Fetch-Dest: script", b"sec-fetch-mode: cors",
        b"Accept: text/css", b"Accept: */*", b"User-Agent: Mozilla", b"Cookie: a=1; sid = x; sid=abc=; b",
        b"Cookie: c=2", b"Cloudflare-Workers-Version-Key: user-1", b"X-Other: 1",
    ),
    content_type="text/javascript; charset=utf-8", address="192.0.2.1", caller_ray="outer",
)  # fmt: skip


def test_what_a_request_tells() -> None:
    """Issue D: the few fields that join requests; several lines of a field are one."""
    seen = request_seen(BROWSED, SkewRules(session_cookie="sid"))

    assert (seen.referer, seen.origin, seen.fetch_dest, seen.fetch_mode) == (
        "http://shop.localhost/", "null", "script", "cors",
    )  # fmt: skip
    assert (seen.accept, seen.user_agent, seen.version_key) == ("text/css; */*", "Mozilla", "user-1")
    assert (seen.media_type, seen.address, seen.caller_ray) == ("text/javascript", "192.0.2.1", "outer")
    assert (seen.version_id, seen.label, seen.reason, seen.point, seen.object) == (
        A, "v1", "affinity", 12.3, "Cart/foo",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "wanted", "value"),
    [
        (b"sid=abc", "sid", "abc"),
        (b"sid=abc", "", ""),
        (b"sid=abc", "id", ""),
        (b"xsid=1; sid=", "sid", ""),
        (b"a; sid=a=b ;c", "sid", "a=b"),
        (b"\xff\xfe; sid=\xff", "sid", "\xff"),
        (b"", "sid", ""),
    ],
)
def test_the_session_is_read_from_the_cookie_that_the_rules_name(sent: bytes, wanted: str, value: str) -> None:
    """RFC 6265 section 4.2.1: names and values as they were sent."""
    event = REQUEST._replace(header_lines=(b"Cookie: " + sent,))

    assert request_seen(event, SkewRules(session_cookie=wanted)).session_cookie == value


def test_what_a_deployment_tells() -> None:
    """R14: also of those that were made before anybody watched."""
    shares = (ShareSeen(A, "v1", 90.0), ShareSeen(B, "v2", 10.0))
    made = deployment((A, 90), (B, 10))
    versions = {one.id: one for one in (version(A, tag="v1"), version(B, 2, tag="v2"))}

    assert deployment_seen(DEPLOYED) == DeploymentSeen(DEPLOYED.at, "shop", 3, shares, "deployment")
    assert deployment_known(made, versions) == DeploymentSeen(
        made.created_on.timestamp(), SHOP, made.number, shares, made.triggered_by
    )


class Timers:
    """Calls later what it is told to, when the test says so."""

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []

    def __call__(self, _seconds: float, call: Callable[[], None]) -> None:
        self.due.append(call)

    def fire(self) -> None:
        due, self.due = self.due, []
        for call in due:
            call()


def watch(timers: Timers, rules: SkewRules | None = None) -> SkewWatch:
    """Return a watch, and nothing else."""
    return SkewWatch(
        EventBus(later=timers), lambda _worker: rules or SkewRules(), later=timers, clock=lambda: 1.5e9
    )


async def test_a_flood_waits_within_bounds_and_is_looked_at_in_small_parts() -> None:
    """Issue D, off the hot path: one append a request; how many were passed over is told."""
    timers = Timers()
    watching = watch(timers)
    for number in range(WAITING_REQUESTS + 50):
        watching.put(number, REQUEST)
    watching.miss(7)

    assert len(timers.due) == 1
    timers.fire()
    assert watching._seen == AT_ONCE
    assert len(timers.due) == 1
    report = await watching.report()
    assert (report.seen, report.unseen, report.since) == (WAITING_REQUESTS, 57, 1.5e9)
    timers.fire()
    assert timers.due == []


async def test_a_worker_can_be_left_out() -> None:
    """Issue D: ``skew.enabled`` of a Worker."""
    timers = Timers()
    watching = watch(timers, SkewRules(enabled=False))
    watching.put(1, REQUEST)

    assert (await watching.report()).seen == 0


def test_it_listens_only_while_it_shall() -> None:
    """Issue D, on by default; off it costs nothing: nobody reads requests."""
    timers = Timers()
    bus = EventBus(later=timers)
    watching = SkewWatch(bus, lambda _worker: SkewRules(), later=timers, clock=lambda: 0.0)

    watching.watch([], enabled=True)
    assert bus.request_readers
    assert not bus.wants(EventKind.REQUEST, SHOP)
    watching.watch([], enabled=False)
    timers.fire()
    assert not bus.request_readers


async def test_other_events_do_not_matter() -> None:
    """Events, first lines: a reader passes over what it does not know."""
    watching = watch(Timers())
    for event in (LINE, SOCKET, DEPLOYED):
        watching.put(1, event)
    report = await watching.report()

    assert (report.seen, report.incidents) == (0, [])
    watching.close()
