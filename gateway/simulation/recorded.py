"""Recorded traffic: lines of ``gateway tail --format json`` -> sessions, to be sent through a plan.

What the log does not say is inferred, and counted: a session without a name of its own by client address and user
agent, the page of an asset by ``Referer``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from gateway.model.durable_object import object_id
from gateway.model.request import NO_SIGNALS, RequestFacts
from gateway.model.version import WorkerName
from gateway.routing.object_names import InvalidObjectSource, ObjectBinding, name_in, parse_binding
from gateway.simulation.scenario import DEFAULT_WORKER, InvalidScenario
from gateway.simulation.traffic import NO_PAGE, Session, Traffic

KEY_HEADER: Final = "cloudflare-workers-version-key"
REDACTED: Final = "REDACTED"
_ADDRESSES: Final = ("cf-connecting-ip", "x-real-ip", "x-forwarded-for")
_ASSET_DESTINATIONS: Final = frozenset(
    {"audio", "font", "image", "manifest", "script", "serviceworker", "sharedworker", "style", "track", "video",
     "worker", "xslt"}
)  # fmt: skip
_ASSET_ENDINGS: Final = (
    ".avif", ".css", ".gif", ".ico", ".jpeg", ".jpg", ".js", ".mjs", ".otf", ".png", ".svg", ".ttf", ".wasm",
    ".webp", ".woff", ".woff2",
)  # fmt: skip


class Keys(StrEnum):
    """Which affinity keys the requests carry."""

    AS_GIVEN = "as given"
    NONE = "none"
    EVERYONE = "everyone"


class Record(NamedTuple):
    """One request of a log.

    Args:
        target: Path and query.
        headers: By lower-case name.
        session: What the line itself calls its session, or empty.
    """

    worker: str
    method: str
    host: str
    target: str
    headers: Mapping[str, str]
    session: str = ""


class SessionSource(NamedTuple):
    """Where in a request its session stands: a header or a cookie; neither where both are empty."""

    header: str = ""
    cookie: str = ""


class Recorded(NamedTuple):
    """The traffic of a log.

    Args:
        sessions, requests: How many there are at each step.
        inferred: Of the sessions, those known by client address and user agent only.
    """

    traffic: Traffic
    sessions: int
    requests: int
    inferred: int


class Log(NamedTuple):
    """A log that was read, and how its requests are understood.

    Args:
        source: Where the session stands; else the line's own ``session``, else the key, else client address and
            user agent.
        bindings: Which requests belong to an object.
    """

    records: Sequence[Record]
    source: SessionSource = SessionSource()
    bindings: Sequence[ObjectBinding] = ()

    def traffic(self, worker: WorkerName, steps: int, keys: Keys = Keys.AS_GIVEN) -> Recorded:
        """Return the log's traffic, the same at each step, as if the same users came again.

        A request that belongs to an object uses it, and nothing else decides (R50). Overrides are left out: the
        versions that they name are not those of the plan.

        Args:
            keys: Whose requests carry a key; with ``EVERYONE`` the session's name is the key.

        Raises:
            InvalidScenario: What names the session is redacted.
        """
        gathered: dict[str, _Gathered] = {}
        objects: dict[bytes, int] = {}
        for record in self.records:
            if record.worker not in {worker, ""}:
                continue
            name, inferred = _session_name(record, self.source)
            one = gathered.setdefault(name, _Gathered(inferred))
            if (id_ := _object(record, worker, self.bindings)) is not None:
                one.objects.append(objects.setdefault(id_, len(objects)))
            else:
                one.add(record, _facts(record, name, keys))
        sessions = [Session(name, one.facts, one.page_of, one.objects) for name, one in gathered.items()]
        before = [(session.user, facts) for session in sessions for facts in dict.fromkeys(session.facts)]
        requests = sum(len(one.facts) for one in sessions)
        inferred_sessions = sum(one.inferred for one in gathered.values())
        traffic = Traffic(before, list(objects), len(objects), (sessions,) * steps)
        return Recorded(traffic, len(sessions), requests, inferred_sessions)


def open_log(lines: Iterable[str], origin: str, session_place: str | None, object_places: Sequence[str]) -> Log:
    """Read a log.

    Args:
        origin: Name of the file, for errors.
        session_place: ``header:NAME``, ``cookie:NAME`` or None.
        object_places: Each ``CLASS=path:/cart/{name}`` or another place, as in the configuration.

    Raises:
        InvalidScenario: A line or a place cannot be understood.
    """
    source = parse_session_source(session_place) if session_place else SessionSource()
    bindings = [_binding(place) for place in object_places]
    return Log(list(read_log(lines, origin)), source, bindings)


def _binding(text: str) -> ObjectBinding:
    class_name, _, place = text.partition("=")
    try:
        return parse_binding(class_name, place)
    except InvalidObjectSource as error:
        raise InvalidScenario(f"object: {text!r}: {error}", remedy="Write CLASS=path:/cart/{name}.") from error


def parse_session_source(text: str) -> SessionSource:
    """Read ``header:X-Session`` or ``cookie:sid``.

    Raises:
        InvalidScenario: It is neither.
    """
    kind, _, name = text.partition(":")
    if kind not in {"header", "cookie"} or not name:
        raise InvalidScenario(f"session: {text!r} is no place", remedy="Write header:NAME or cookie:NAME.")
    return SessionSource(**{kind: name.lower() if kind == "header" else name})


def read_log(lines: Iterable[str], origin: str) -> Iterator[Record]:
    """Yield the requests of a log; lines that tell of other things, such as a cron, are passed over.

    Args:
        origin: Name of the file, for errors.

    Raises:
        InvalidScenario: A line is no JSON object, or tells of a request without saying which.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            content = json.loads(line)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            raise InvalidScenario(
                f"{origin}:{number}: {line.strip()[:60]!r} is no JSON object",
                remedy="Give lines as `gateway tail --format json` prints them.",
            )
        record = _record(content, f"{origin}:{number}")
        if record is not None:
            yield record


def _record(content: Mapping[str, Any], origin: str) -> Record | None:
    event = content.get("event", content)
    request = event.get("request", event if "target" in event else None) if isinstance(event, Mapping) else None
    if request is None:
        return None
    if not isinstance(request, Mapping):
        raise _unreadable(origin, "request", request)
    if "target" in request:
        host, target = request.get("host", ""), request["target"]
    else:
        url = request.get("url")
        if not isinstance(url, str):
            raise _unreadable(origin, "url", url)
        try:
            parts = urlsplit(url)
        except ValueError:
            raise _unreadable(origin, "url", url) from None
        host, target = parts.netloc, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _checked(content, request, host, target, origin)


def _checked(
    content: Mapping[str, Any], request: Mapping[str, Any], host: object, target: object, origin: str
) -> Record:
    headers = request.get("headers") or {}
    if not isinstance(headers, Mapping):
        raise _unreadable(origin, "headers", headers)
    lower = {str(name).lower(): str(value) for name, value in headers.items()}
    if "key" in request:
        lower[KEY_HEADER] = str(request["key"] or "")
    for name, value in (("host", host), ("target", target), ("method", request.get("method", "GET"))):
        if not isinstance(value, str):
            raise _unreadable(origin, name, value)
    if lower.get(KEY_HEADER) == REDACTED:
        raise InvalidScenario(
            f"{origin}: the affinity key is {REDACTED}, so all keys would look the same",
            remedy="Record the log with `gateway tail --format json --show-all`.",
        )
    return Record(
        worker=str(content.get("scriptName") or content.get("worker") or ""),
        method=str(request.get("method", "GET")),
        host=str(host),
        target=str(target),
        headers=lower,
        session=str(content.get("session") or ""),
    )


def _unreadable(origin: str, field_name: str, value: object) -> InvalidScenario:
    return InvalidScenario(
        f"{origin}: {field_name}: {str(value)[:60]!r} is not what a request has there",
        remedy="Give lines as `gateway tail --format json` prints them.",
    )


def worker_of(records: Iterable[Record], wanted: str | None) -> WorkerName:
    """Return the Worker whose requests are meant: the one named, or the only one.

    Raises:
        InvalidScenario: There are several, or none of that name, or no request at all.
    """
    names = sorted({record.worker for record in records})
    if not names:
        raise InvalidScenario("from_log: the log has no request", remedy="Record some with `gateway tail`.")
    if wanted is None and len(names) > 1:
        raise InvalidScenario(
            f"from_log: the log has {len(names)} Workers: {', '.join(names)}",
            remedy="Choose one with --worker NAME.",
        )
    name = names[0] if wanted is None else wanted
    if name not in names and names != [""]:
        raise InvalidScenario(
            f"from_log: the log has no request of Worker {name!r}", remedy=f"It has: {', '.join(names)}."
        )
    return WorkerName(name) if name else DEFAULT_WORKER


@dataclass(slots=True)
class _Gathered:
    """One user's requests so far."""

    inferred: bool
    facts: list[RequestFacts] = field(default_factory=list)
    page_of: list[int] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    objects: list[int] = field(default_factory=list)

    def add(self, record: Record, facts: RequestFacts) -> None:
        """Add a request that a draw or a key decides."""
        self.page_of.append(self._page_of(record))
        self.facts.append(facts)
        self.paths.append(record.target)

    def _page_of(self, record: Record) -> int:
        """Return the position of the latest request that the asset's ``Referer`` names."""
        if not is_asset(record):
            return NO_PAGE
        try:
            parts = urlsplit(record.headers.get("referer", ""))
        except ValueError:
            return NO_PAGE
        wanted = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        known = reversed(range(len(self.paths)))
        return next((one for one in known if self.paths[one] == wanted), NO_PAGE) if parts.netloc else NO_PAGE


def is_asset(record: Record) -> bool:
    """Tell whether a request is for a script, style, image or font: by what the browser says, else by ending."""
    destination = record.headers.get("sec-fetch-dest")
    if destination:
        return destination in _ASSET_DESTINATIONS
    return record.target.partition("?")[0].lower().endswith(_ASSET_ENDINGS)


def _facts(record: Record, session: str, keys: Keys) -> RequestFacts:
    if keys is Keys.EVERYONE:
        return RequestFacts(version_key=session)
    key = record.headers.get(KEY_HEADER)
    return RequestFacts(version_key=key) if key and keys is Keys.AS_GIVEN else NO_SIGNALS


def _session_name(record: Record, source: SessionSource) -> tuple[str, bool]:
    """Return a name for the session, and whether it is inferred."""
    value = record.headers.get(source.header, "") or _cookie(record.headers.get("cookie", ""), source.cookie)
    if REDACTED in (value, source.cookie and record.headers.get("cookie")):
        raise InvalidScenario(
            f"session: the log's {'cookie' if source.cookie else 'header ' + source.header} is {REDACTED}",
            remedy="Record the log with `gateway tail --format json --show-all`.",
        )
    known = value or record.session or record.headers.get(KEY_HEADER, "")
    if known:
        return known, False
    address = next((record.headers[name] for name in _ADDRESSES if name in record.headers), "")
    return f"{address} {record.headers.get('user-agent', '')}", True


def _cookie(header: str, wanted: str) -> str:
    pairs = (pair.strip().partition("=") for pair in header.split(";"))
    return next((value for name, _, value in pairs if wanted and name == wanted), "")


def _object(record: Record, worker: WorkerName, bindings: Sequence[ObjectBinding]) -> bytes | None:
    for binding in bindings:
        name = name_in(binding, record.target, record.headers.get)
        if name is not None:
            return object_id(worker, binding.class_name, name)
    return None
