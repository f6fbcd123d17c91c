"""``/api/skew``: version skew that was found in live traffic."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from gateway.control.api.queries import query_of
from gateway.control.catalog import Catalog
from gateway.errors import BadRequest
from gateway.skew.facts import Witness
from gateway.skew.incident import Incident, Kind
from gateway.skew.watching import SkewReport

Json = dict[str, Any]

_AGO: Final = re.compile(r"([0-9]{1,9})(s|m|h|d)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class SkewParts:
    """What the incidents come from; built by ``assembly``.

    Args:
        report: Returns what was found.
        forget: Forgets it.
        enabled: Whether anything is looked for.
        clock: Seconds since the epoch.
    """

    report: Callable[[], Awaitable[SkewReport]]
    forget: Callable[[], None]
    enabled: Callable[[], bool]
    catalog: Catalog
    clock: Callable[[], float]


def skew_routes(parts: SkewParts) -> list[web.RouteDef]:
    """Return the routes."""
    skew = _Skew(parts)
    return [web.get("/api/skew", skew.show), web.delete("/api/skew", skew.forget)]


class _Skew:
    def __init__(self, parts: SkewParts) -> None:
        self._parts = parts

    async def show(self, request: web.Request) -> web.Response:
        """``GET``: the incidents, those that were seen last first."""
        query = query_of(request, ("since", "worker", "kind"))
        worker, kind = query.get("worker", ""), _kind(query.get("kind", ""))
        since = _moment(query.get("since", ""), self._parts.clock())
        if worker:
            self._parts.catalog.find(worker)
        report = await self._parts.report()
        wanted = [
            incident
            for incident in report.incidents
            if incident.last_seen >= since
            and (not worker or incident.worker == worker)
            and kind in (None, incident.kind)
        ]
        wanted.sort(key=lambda one: (-one.last_seen, one.id))
        return _answer(
            {
                "enabled": self._parts.enabled(),
                "since": _shown(report.since),
                "requests": report.seen,
                "unseen_requests": report.unseen,
                "incidents": [incident_view(incident) for incident in wanted],
            }
        )

    async def forget(self, request: web.Request) -> web.Response:
        """``DELETE``: begin anew."""
        query_of(request, ())
        report = await self._parts.report()
        self._parts.forget()
        return _answer({"forgotten": len(report.incidents)})


def incident_view(incident: Incident) -> Json:
    """Return an incident as JSON."""
    cause = incident.cause
    return {
        "id": incident.id,
        "kind": incident.kind.value,
        "worker": incident.worker,
        "what": incident.what,
        "cause": cause.name,
        "sentence": cause.sentence,
        "remedy": cause.remedy,
        "rules": list(cause.rules),
        "inferred": sorted(incident.inferred),
        "count": incident.count,
        "first_seen": _shown(incident.first_seen),
        "last_seen": _shown(incident.last_seen),
        "before": _witness_view(incident.before),
        "after": _witness_view(incident.after),
    }


def _witness_view(witness: Witness) -> Json:
    shown: Json = witness._asdict() | {"at": _shown(witness.at), "deployment": witness.deployment or None}
    del shown["key"], shown["worker"]
    return shown


def _kind(value: str) -> Kind | None:
    try:
        return Kind(value) if value else None
    except ValueError:
        raise BadRequest(f"'kind' is {value!r}", remedy=f"Give one of: {', '.join(Kind)}.") from None


def _moment(value: str, now: float) -> float:
    """Return a moment that is written as one, or as how long ago it was."""
    if not value:
        return 0.0
    ago = _AGO.fullmatch(value)
    if ago is not None:
        return now - int(ago[1]) * _SECONDS[ago[2]]
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        raise BadRequest(
            f"'since' is {value!r}",
            remedy="Give how long ago, as 30s, 10m, 2h or 1d, or a time as 2026-11-23T10:00:00Z.",
        ) from None


def _shown(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def _answer(content: Json) -> web.Response:
    return web.json_response(content, dumps=json.dumps)
