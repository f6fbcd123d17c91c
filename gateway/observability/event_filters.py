"""Which events a reader of ``/api/events`` wants; pure.

What can be asked of a request before its event is made stands in ``EventFilter.screens``; what must be looked for
in texts comes after, in ``finds``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from gateway.observability.event_bus import ALL_KINDS, Told
from gateway.observability.events import (
    KIND_OF,
    ConsoleEvent,
    DeploymentEvent,
    EndedRequest,
    Event,
    EventKind,
    ExceptionEvent,
    RequestEvent,
    ResetEvent,
    VersionEvent,
    WebSocketEvent,
)
from gateway.observability.figures import CLIENT_GONE
from gateway.observability.tail_filters import Condition, TailFilter, parse_filters, said_words
from gateway.observability.trace_items import TraceItem

_SERVER_ERROR: Final = 500
_OK: Final = "ok"


class Status(StrEnum):
    """How something went."""

    OK = "ok"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What all must hold for an event to be told; empty parts hold for every event.

    Args:
        version_ids: The versions that are wanted; None for all.
        status: Wanted of whatever can fail: requests, console lines, exceptions, versions. Deployments, resets and
            WebSockets that ended are neither, and left out where a status is wanted.
        method: In upper case. Only requests have one.
        search: Looked for, without regard to case, in the texts of an event.
        sampling_rate: Share of the events that is told, above 0 and at most 1.
    """

    kinds: frozenset[EventKind] = ALL_KINDS
    worker: str = ""
    version_ids: frozenset[str] | None = None
    status: Status | None = None
    method: str = ""
    search: str = ""
    sampling_rate: float = 1.0

    def screens(self, event: Told) -> bool:
        """Return whether all holds but the search; a request that only ended is not made an event for it."""
        kind = KIND_OF.get(type(event), EventKind.REQUEST)
        return (
            kind in self.kinds
            and (not self.worker or event.worker == self.worker)
            and (self.version_ids is None or _is_of(event, self.version_ids))
            and (self.status is None or status_of(event) is self.status)
            and (not self.method or getattr(event, "method", "") == self.method)
        )

    def sampled(self, draw: Callable[[], float]) -> Callable[[Told], bool] | None:
        """Return ``screens`` with the sampling; None where every event passes, which is then not asked.

        Args:
            draw: Gives a random number on [0, 1); asked only where a part is wanted.
        """
        if self == EventFilter(kinds=self.kinds, search=self.search):
            return None  # kinds that are not wanted do not come, and the search comes after
        rate, checks = self.sampling_rate, self._request_checks()

        def screen(event: Told) -> bool:
            if type(event) in KIND_OF:
                passes = self.screens(event)
            else:
                passes = all(check(event) for check in checks) if len(checks) > 1 else checks[0](event)
            return passes and (rate >= 1 or draw() < rate)

        return screen

    def _request_checks(self) -> Sequence[Callable[[Any], bool]]:
        """Return what is asked of each request that ends: nothing but what was wished for."""
        checks: list[Callable[[Any], bool]] = []
        if self.worker:
            checks.append(lambda request: request.worker == self.worker)
        if (wanted := self.version_ids) is not None:
            checks.append(lambda request: request.version_id in wanted)
        if self.method:
            checks.append(lambda request: request.method == self.method)
        if self.status is not None:
            checks.append(lambda request: _request_status(request) is self.status)
        return checks or [lambda _request: True]

    def finds(self, event: Event) -> bool:
        """Return whether the text that is searched for stands in an event."""
        if not self.search:
            return True
        wanted = self.search.casefold()
        return any(wanted in text.casefold() for text in _texts(event))


def tail_filter_of(wanted: EventFilter) -> TailFilter:
    """Return the same wish for trace items, so far as they can be asked for it."""
    conditions: list[Condition] = []
    if wanted.version_ids is not None:
        conditions.append(_ItemOf(wanted.version_ids))
    if wanted.status is not None:
        conditions.append(_ItemWent(wanted.status))
    if wanted.method:
        conditions += parse_filters([{"method": [wanted.method]}], "").conditions
    if wanted.search:
        conditions.append(_ItemSays(wanted.search.casefold()))
    return TailFilter(tuple(conditions), wanted.sampling_rate)


@dataclass(frozen=True, slots=True)
class _ItemOf:
    version_ids: frozenset[str]

    def __call__(self, item: TraceItem) -> bool:
        return item["scriptVersion"].get("id") in self.version_ids


@dataclass(frozen=True, slots=True)
class _ItemWent:
    status: Status

    def __call__(self, item: TraceItem) -> bool:
        if item["outcome"] == "canceled":
            return False
        response = (item["event"] or {}).get("response") or {}
        well = item["outcome"] == _OK and response.get("status", 0) < _SERVER_ERROR
        return well is (self.status is Status.OK)


@dataclass(frozen=True, slots=True)
class _ItemSays:
    text: str

    def __call__(self, item: TraceItem) -> bool:
        said = [said_words(log.get("message")) for log in item["logs"]]
        said += [f"{one.get('name')} {one.get('message')}" for one in item["exceptions"]]
        said.append(str(((item["event"] or {}).get("request") or {}).get("url", "")))
        return any(self.text in one.casefold() for one in said)


def status_of(event: Told) -> Status | None:
    """Return how it went; None for what can neither succeed nor fail, and for a client that left early."""
    failed: bool | None
    match event:
        case ConsoleEvent():
            failed = event.level == "error"
        case ExceptionEvent():
            failed = True
        case VersionEvent():
            failed = event.state == "crashed"
        case WebSocketEvent() | ResetEvent() | DeploymentEvent():
            failed = None
        case _:
            return _request_status(event)
    return None if failed is None else Status.ERROR if failed else Status.OK


def _request_status(request: EndedRequest | RequestEvent) -> Status | None:
    outcome = request.outcome
    if outcome == _OK:
        return Status.ERROR if request.status >= _SERVER_ERROR else Status.OK
    return None if outcome == CLIENT_GONE else Status.ERROR


def _is_of(event: Told, version_ids: frozenset[str]) -> bool:
    match event:
        case ResetEvent():
            return event.from_version in version_ids or event.to_version in version_ids
        case DeploymentEvent():
            return any(share.version_id in version_ids for share in event.versions)
        case _:
            return event.version_id in version_ids


def _texts(event: Event) -> tuple[str, ...]:
    """Return what is searched: what people read, no ids of versions and no headers, which hold secrets."""
    texts: tuple[str, ...]
    match event:
        case RequestEvent():
            url, status = event.host + event.target, str(event.status)
            texts = (event.method, url, event.ray, event.object, status, event.outcome)
        case WebSocketEvent():
            texts = (event.host + event.target, event.ray, event.object)
        case ConsoleEvent():
            texts = (event.message, event.ray, event.object)
        case ExceptionEvent():
            texts = (event.name, event.message, event.stack, event.ray, event.object)
        case ResetEvent():
            texts = (event.class_name, event.name, event.id)
        case DeploymentEvent():
            texts = (event.message, event.triggered_by, event.deployment_id)
        case VersionEvent():
            texts = (event.state, event.trouble)
    return texts
