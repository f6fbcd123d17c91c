"""``/api/events`` and ``…/tail`` as a browser or a script reads them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientResponse

from gateway.control.api import events
from gateway.observability.events import KIND_OF, RequestEvent
from gateway.observability.trace_items import trace_item
from tests.control.edge import ControlPlane, control_plane
from tests.model.examples import SHOP, B
from tests.observability.examples import DEPLOYED, EACH, FAILED, LINE, REQUEST, STARTED
from tests.observability.traces_of_workerd import log, raw, request, workerd_version

EVENTS = "/api/events"
TAIL = "/api/workers/shop/tail"
PATIENCE_SECONDS = 10.0


@pytest_asyncio.fixture
async def edge(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    """Return a control plane with a bus."""
    async with control_plane(tmp_path) as made:
        yield made


class Stream:
    """An answer of server-sent events."""

    def __init__(self, response: ClientResponse) -> None:
        self.response = response

    async def raw(self) -> list[str]:
        """Return the lines of the next message or comment."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            lines = []
            while line := (await self.response.content.readline()).decode().rstrip("\n"):
                lines.append(line)
            return lines

    async def next(self) -> tuple[str, Any]:
        """Return kind and content of the next message."""
        fields = dict(line.split(": ", 1) for line in await self.raw())
        return fields["event"], json.loads(fields["data"])

    async def over(self) -> bool:
        """Return whether the answer ends now."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.response.content.readline() == b""


async def opened(edge: ControlPlane, path: str = EVENTS, **headers: str) -> Stream:
    response = await edge.client.get(path, headers=headers)
    assert response.status == 200, await response.text()
    stream = Stream(response)
    assert await stream.raw() == ["retry: 1000"]
    return stream


def happen(edge: ControlPlane, *told: Any) -> None:
    for event in told:
        if isinstance(event, RequestEvent):
            edge.bus.publish_request(event)
        else:
            edge.bus.publish(event)


async def gone(edge: ControlPlane) -> None:
    """Return once nobody listens any more."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while edge.bus._readers:
            await asyncio.sleep(0.01)


async def test_every_kind_comes_as_its_own_message(edge: ControlPlane) -> None:
    """Contract, ``/api/events``: ``event: <kind>``, ``id: <sequence>``, data of one line."""
    stream = await opened(edge)
    happen(edge, *EACH)
    told = [await stream.next() for _ in EACH]

    assert [kind for kind, _ in told] == [KIND_OF[type(event)] for event in EACH]
    assert stream.response.content_type == "text/event-stream"
    stream.response.close()
    await gone(edge)


async def test_a_stream_is_guarded_as_every_answer(edge: ControlPlane) -> None:
    """Design 8: event streams included; told before the stream begins."""
    stream = await opened(edge)
    headers = stream.response.headers

    assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in headers
    stream.response.close()


@pytest.mark.parametrize("path", [EVENTS, TAIL])
@pytest.mark.parametrize("foreign", [{"Host": "evil.test"}, {"Origin": "http://evil.test"}, {"Origin": "null"}])
async def test_a_foreign_page_hears_nothing(edge: ControlPlane, path: str, foreign: dict[str, str]) -> None:
    """Design 8: DNS rebinding and foreign origins."""
    response = await edge.client.get(path, headers=foreign)

    assert response.status == 403
    assert edge.bus.request_readers == ()


async def test_secrets_are_redacted_unless_all_is_asked_for(edge: ControlPlane) -> None:
    """R113: redaction by default, a switch shows all; each reader for itself."""
    hidden, shown = await opened(edge), await opened(edge, f"{EVENTS}?redact=false")
    happen(edge, REQUEST)
    headers = [dict((await stream.next())[1]["headers"])["Cookie"] for stream in (hidden, shown)]

    assert headers == ["REDACTED", "sid=1"]
    for stream in (hidden, shown):
        stream.response.close()


FILTERS = {
    "worker": ("worker=shop", 7),
    "another Worker": ("worker=api", 0),
    "version by tag": ("version=v2", 2),
    "version by prefix": (f"worker=shop&version={B[:8]}", 2),
    "status": ("status=error", 1),
    "method": ("method=get", 1),
    "search": ("search=needle", 1),
    "kinds": ("kinds=console,version", 2),
    "sampling": ("sampling_rate=0.4", 0),
}


@pytest.mark.parametrize(("query", "count"), FILTERS.values(), ids=FILTERS)
async def test_filters(edge: ControlPlane, query: str, count: int) -> None:
    """Contract, query: what does not pass is not told; the last event tells where the stream has come to."""
    stream = await opened(edge, f"{EVENTS}?{query}")
    everything = await opened(edge)
    happen(edge, *EACH)
    for _ in EACH:
        await everything.next()
    edge.bus.close()
    told = []
    while lines := await stream.raw():
        told.append(lines)

    assert len(told) == count


async def test_recent_events_come_first(edge: ControlPlane) -> None:
    """Contract, ``last``: replay, through the same filters; then what is new."""
    happen(edge, DEPLOYED, LINE, STARTED)
    stream = await opened(edge, f"{EVENTS}?last=2&kinds=console,deployment")
    happen(edge, LINE._replace(message="new"))
    told = [await stream.next() for _ in range(3)]

    assert [kind for kind, _ in told] == ["deployment", "console", "console"]
    assert told[-1][1]["message"] == "new"
    stream.response.close()


async def test_a_reader_that_comes_back_gets_what_it_missed(edge: ControlPlane) -> None:
    """WHATWG, Server-sent events: ``Last-Event-ID``; a page that reconnects sees no gap and nothing twice."""
    first = await opened(edge)
    happen(edge, DEPLOYED, REQUEST)
    seen = next(line for line in await first.raw() if line.startswith("id: "))
    first.response.close()
    again = await opened(edge, EVENTS, **{"Last-Event-ID": seen.removeprefix("id: ")})

    assert (await again.next())[0] == "request"
    again.response.close()


async def test_a_slow_reader_is_told_how_many_it_missed(edge: ControlPlane) -> None:
    """Design 3.7: it loses the oldest; everybody else loses nothing."""
    stream = await opened(edge, f"{EVENTS}?kinds=console")
    for number in range(1_500):
        happen(edge, LINE._replace(message=str(number)))

    assert await stream.next() == ("missed", {"count": 500})
    assert (await stream.next())[1]["message"] == "500"
    stream.response.close()


async def test_a_reader_that_does_not_read_holds_nobody_up(edge: ControlPlane) -> None:
    """Its connection fills, its queue stays bounded, and it costs no more."""
    stuck, reading = (
        await opened(edge, f"{EVENTS}?kinds=console"),
        await opened(edge, f"{EVENTS}?kinds=deployment"),
    )
    large = LINE._replace(message="x" * 16_000)
    for _ in range(3_000):
        happen(edge, large)
        await asyncio.sleep(0)
    happen(edge, DEPLOYED)

    assert (await reading.next())[0] == "deployment"
    stuck.response.close()
    reading.response.close()
    await gone(edge)


async def test_a_reader_that_left_is_forgotten(edge: ControlPlane) -> None:
    """Else a page that was closed would go on to cost."""
    stream = await opened(edge)
    stream.response.close()
    happen(edge, LINE)
    await asyncio.sleep(0.1)
    happen(edge, LINE)

    await gone(edge)


async def test_a_quiet_stream_says_that_it_lives(edge: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Contract: a comment every 10 s, so that both sides see a dead connection."""
    monkeypatch.setattr(events, "ALIVE_SECONDS", 0.01)
    for path in (EVENTS, TAIL):
        stream = await opened(edge, path)
        assert await stream.raw() == [": alive"]
        stream.response.close()


async def test_a_gateway_that_stops_ends_its_streams(edge: ControlPlane) -> None:
    """Else its own end would wait for them."""
    streams = [await opened(edge), await opened(edge, TAIL)]
    edge.tails.close()
    edge.bus.close()

    assert [await stream.over() for stream in streams] == [True, True]


REFUSED = {
    "kinds": ("kinds=request,nothing", 400, "'kinds' is 'request,nothing'"),
    "status": ("status=fine", 400, "'status' is 'fine'"),
    "rate 0": ("sampling_rate=0", 400, "'sampling_rate' is '0'"),
    "rate 2": ("sampling_rate=2", 400, "'sampling_rate' is '2'"),
    "rate as text": ("sampling_rate=half", 400, "'sampling_rate' is 'half'"),
    "rate NaN": ("sampling_rate=nan", 400, "'sampling_rate' is 'nan'"),
    "redact": ("redact=0", 400, "'redact' is '0'"),
    "last": ("last=501", 400, "'last' is '501'"),
    "last as text": ("last=all", 400, "'last' is 'all'"),
    "last without end": (f"last={'9' * 5_000}", 400, "'last' is"),
    "misspelt": ("verison=v1", 400, "there is no parameter 'verison'"),
    "no Worker": ("worker=nope", 404, "there is no Worker 'nope'"),
    "no version": ("version=v9", 404, "no Worker has a version 'v9'"),
    "no version of it": ("worker=shop&version=v9", 404, "Worker shop has no version 'v9'"),
}


@pytest.mark.parametrize(("query", "status", "said"), REFUSED.values(), ids=REFUSED)
async def test_what_cannot_be_asked(edge: ControlPlane, query: str, status: int, said: str) -> None:
    """House rules: errors name field, value, remedy; a misspelt filter must not let everything pass."""
    response = await edge.client.get(f"{EVENTS}?{query}")
    error = (await response.json())["error"]

    assert (response.status, said in error["message"], bool(error["remedy"])) == (status, True, True)


async def test_invocations_come_in_the_shape_of_cloudflare(edge: ControlPlane) -> None:
    """Issue C, tail: ``…/tail`` with tail-item shapes (R112), filtered and redacted as the events are."""
    stream = await opened(edge, f"{TAIL}?search=needle&version=v1&status=ok")
    for said in ("hay", "a Needle"):
        item = trace_item(raw(request(cookie="sid=1"), logs=[log(said)]), workerd_version(), received_ms=1.0)
        assert item is not None
        edge.tails.publish(SHOP, item)
    kind, item = await stream.next()

    assert (kind, item["logs"][0]["message"]) == ("tail", ["a Needle"])
    assert item["event"]["request"]["headers"] == {"cookie": "REDACTED"}
    stream.response.close()


@pytest.mark.parametrize("query", ["kinds=request", "last=5", "worker=shop"])
async def test_a_tail_is_of_one_worker_and_one_kind(edge: ControlPlane, query: str) -> None:
    """What only the other stream understands is refused."""
    response = await edge.client.get(f"{TAIL}?{query}")

    assert response.status == 400


async def test_errors_get_through_any_traffic(edge: ControlPlane) -> None:
    """A filter stands before the queue: what goes well cannot push out what does not."""
    stream = await opened(edge, f"{EVENTS}?status=error")
    happen(edge, FAILED, *[REQUEST] * 5_000)
    kind, told = await stream.next()

    assert (kind, told["status"]) == ("request", 502)
    stream.response.close()
