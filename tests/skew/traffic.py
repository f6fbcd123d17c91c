"""Traffic as it could have happened, in few words; the tests of the detector read like a log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from gateway.model.skew_rules import SkewRules
from gateway.skew.detector import Detector
from gateway.skew.facts import DeploymentSeen, RequestSeen, ShareSeen
from gateway.skew.incident import Incident

HOST = "shop.localhost"
ORIGIN = f"http://{HOST}:8787"
BROWSER = "Mozilla/5.0"
HTML, JS, CSS, PNG, FONT, JSON, TEXT = (
    "text/html; charset=utf-8", "text/javascript", "text/css", "image/png", "font/woff2", "application/json",
    "text/plain",
)  # fmt: skip
START = 1_800_000_000.0

RULES = SkewRules(session_cookie="sid", flows=(("/cart", "/checkout", "/pay"), ("/orders/*", "/thanks")))

Fact = RequestSeen | DeploymentSeen


class Seen(NamedTuple):
    """A fact without its time and its ray, which follow from its place in the traffic."""

    version: str
    fields: dict[str, Any]
    wait: float = 0.1


def get(version: str, target: str, status: int = 200, type_: str = TEXT, **fields: Any) -> Seen:
    """Return any request; ``page=`` is a path that becomes the ``Referer``, ``wait=`` seconds before it."""
    page = fields.pop("page", None)
    wait = fields.pop("wait", 0.1)
    if page is not None:
        fields.setdefault("referer", ORIGIN + page)
    told = {"target": target, "status": status, "content_type": type_, "user_agent": BROWSER, **fields}
    return Seen(version, told, wait)


def page(version: str, target: str = "/", status: int = 200, **fields: Any) -> Seen:
    """Return a navigation; ``referred=`` is the page it came from."""
    fields = {"fetch_dest": "document", "fetch_mode": "navigate", "accept": "text/html,*/*", **fields}
    referred = fields.pop("referred", None)
    return get(version, target, status, fields.pop("type_", HTML), **fields, page=referred)


def script(version: str, target: str, status: int = 200, **fields: Any) -> Seen:
    """Return a script that the page ``/`` asked for, found or not."""
    fields = {"fetch_dest": "script", "fetch_mode": "no-cors", "page": "/", **fields}
    return get(version, target, status, fields.pop("type_", JS if status == 200 else TEXT), **fields)


def call(version: str, target: str = "/api", status: int = 200, **fields: Any) -> Seen:
    """Return a ``fetch`` of the page ``/``."""
    fields = {"fetch_dest": "empty", "fetch_mode": "cors", "page": "/", **fields}
    return get(version, target, status, fields.pop("type_", JSON), **fields)


class Deploy(NamedTuple):
    """A deployment, by the versions' labels."""

    shares: dict[str, float]
    triggered_by: str = "deployment"
    wait: float = 1.0


def deploy(*, triggered_by: str = "deployment", **shares: float) -> Deploy:
    """Return a deployment: ``deploy(v1=50, v2=50)``."""
    return Deploy(shares, triggered_by)


SPLIT = deploy(v1=50, v2=50)


def facts_of(traffic: Iterable[Seen | Deploy]) -> list[Fact]:
    """Return traffic as the detector is told it: each fact a tenth of a second after the one before."""
    facts: list[Fact] = []
    now, number = START, 0
    for position, one in enumerate(traffic):
        now += one.wait
        if isinstance(one, Deploy):
            number += 1
            shares = tuple(ShareSeen(f"id-{label}", label, share) for label, share in one.shares.items())
            facts.append(DeploymentSeen(now, "shop", number, shares, one.triggered_by))
        else:
            fields = {"worker": "shop", "host": HOST, "address": "192.0.2.1", **one.fields}
            version_id = f"id-{one.version}" if one.version else ""
            facts.append(
                RequestSeen(
                    at=now,
                    ray=fields.pop("ray", f"r{position}"),
                    version_id=version_id,
                    label=one.version,
                    **fields,
                )
            )
    return facts


def detector(rules: SkewRules = RULES) -> Detector:
    """Return a detector that holds one set of rules for all Workers."""
    return Detector(lambda _worker: rules)


def tell(told: Detector, facts: Iterable[Fact]) -> Detector:
    """Tell a detector facts."""
    for fact in facts:
        if isinstance(fact, DeploymentSeen):
            told.deployed(fact)
        else:
            told.saw(fact)
    return told


def incidents_in(traffic: Sequence[Seen | Deploy], rules: SkewRules = RULES) -> list[Incident]:
    """Return what a detector finds in traffic."""
    return tell(detector(rules), facts_of(traffic)).incidents()


def shown(incidents: Iterable[Incident]) -> list[str]:
    """Return incidents as ``kind cause v1>v2 what xN ~inferred``, for tables."""
    return sorted(
        f"{one.kind} {one.cause.name} {one.before.label}>{one.after.label}"
        + (f" {one.what}" if one.what else "")
        + (f" x{one.count}" if one.count > 1 else "")
        + "".join(f" ~{inferred}" for inferred in sorted(one.inferred))
        for one in incidents
    )
