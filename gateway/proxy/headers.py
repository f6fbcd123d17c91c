"""What is added, kept and stripped, in and out: pure functions over the lines of a head.

A field travels as one line of bytes, ``b"Name: value"``, with the spelling and order its sender gave it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Final
from urllib.parse import quote

from gateway.model.decision import IgnoredSignal, Reason, RoutingDecision
from gateway.model.deployment import DeploymentId
from gateway.model.version import Version
from gateway.proxy.messages import RequestHead


class Field(IntEnum):
    """What the data plane does with a request field, by its name."""

    PASS = 0
    DROP = 1
    HOST = 2
    CONNECTION = 3
    CONTENT_LENGTH = 4
    TRANSFER_ENCODING = 5
    UPGRADE = 6
    EXPECT = 7
    TE = 8
    OVERRIDES = 9
    VERSION_KEY = 10
    COHORT = 11
    FORWARDED_FOR = 12
    CDN_LOOP = 13
    MAX_FORWARDS = 14
    RAY = 15


REQUEST_FIELDS: Final = {
    b"host": Field.HOST,
    b"connection": Field.CONNECTION,
    b"content-length": Field.CONTENT_LENGTH,
    b"transfer-encoding": Field.TRANSFER_ENCODING,
    b"upgrade": Field.UPGRADE,
    b"expect": Field.EXPECT,
    b"te": Field.TE,
    b"cloudflare-workers-version-overrides": Field.OVERRIDES,
    b"cloudflare-workers-version-key": Field.VERSION_KEY,
    b"cloudflare-workers-cohort": Field.COHORT,
    b"x-forwarded-for": Field.FORWARDED_FOR,
    b"cdn-loop": Field.CDN_LOOP,
    b"max-forwards": Field.MAX_FORWARDS,
    # RFC 9110 section 7.6.1 and its forerunners: fields of one hop.
    b"keep-alive": Field.DROP,
    b"proxy-connection": Field.DROP,
    b"proxy-authenticate": Field.DROP,
    b"proxy-authorization": Field.DROP,
    b"http2-settings": Field.DROP,
    # The gateway says these itself; a client must not be able to. Whose call it may be is kept all the same.
    b"cf-ray": Field.RAY,
    b"cf-connecting-ip": Field.DROP,
    b"cf-visitor": Field.DROP,
    b"cf-ipcountry": Field.DROP,
    b"x-forwarded-proto": Field.DROP,
}

_ALWAYS_KEPT: Final = frozenset({b"host", b"content-length", b"transfer-encoding"})
_OWN_PREFIXES: Final = (b"gateway-", b"x-gateway-")
"""What the gateway says of itself, and what it says to workerd and the code beside the user's."""


class ResponseField(IntEnum):
    """What the data plane does with an answer's field, by its name."""

    PASS = 0
    DROP = 1
    CONNECTION = 2
    CONTENT_LENGTH = 3
    TRANSFER_ENCODING = 4
    UPGRADE = 5
    DATE = 6


RESPONSE_FIELDS: Final = {
    b"connection": ResponseField.CONNECTION,
    b"content-length": ResponseField.CONTENT_LENGTH,
    b"transfer-encoding": ResponseField.TRANSFER_ENCODING,
    b"upgrade": ResponseField.UPGRADE,
    b"date": ResponseField.DATE,
    b"keep-alive": ResponseField.DROP,
    b"proxy-connection": ResponseField.DROP,
    b"proxy-authenticate": ResponseField.DROP,
    b"te": ResponseField.DROP,
    b"cf-ray": ResponseField.DROP,
}

# RFC 9110 section 6.5.1: fields that frame, route, authenticate or change how the content is read are no trailers.
_NO_TRAILERS: Final = frozenset(
    {
        b"authorization", b"cache-control", b"connection", b"content-encoding", b"content-length",
        b"content-range", b"content-type", b"cookie", b"date", b"expect", b"host", b"keep-alive", b"location",
        b"max-forwards", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"range",
        b"set-cookie", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"www-authenticate",
    }
)  # fmt: skip


def request_field(name: bytes) -> Field:
    """Classify a request field.

    A name is compared with ``_`` read as ``-`` too: CGI-like servers turn both into the same variable, by which a
    client could smuggle ``CF_Connecting_IP`` in.
    """
    lower = name.lower()
    kind = REQUEST_FIELDS.get(lower)
    if kind is not None:
        return kind
    dashed = lower.replace(b"_", b"-")
    if dashed.startswith(_OWN_PREFIXES):
        return Field.DROP
    return Field.DROP if dashed != lower and dashed in REQUEST_FIELDS else Field.PASS


def response_field(name: bytes) -> ResponseField:
    """Classify a field of an answer; the gateway's own fields are said by the gateway alone."""
    lower = name.lower()
    if lower.startswith(_OWN_PREFIXES):
        return ResponseField.DROP
    return RESPONSE_FIELDS.get(lower, ResponseField.PASS)


def list_members(value: bytes) -> list[bytes]:
    """Return the members of a comma-separated field value, lower case, empty ones left out."""
    return [member for part in value.split(b",") if (member := part.strip(b" \t").lower())]


def without_fields(lines: Iterable[bytes], names: Iterable[bytes]) -> list[bytes]:
    """Leave out the fields that ``Connection`` names, whatever they are, but not those that frame a message."""
    unwanted = {name for name in names if name not in _ALWAYS_KEPT}
    return [line for line in lines if line.partition(b":")[0].lower() not in unwanted]


def allowed_trailers(lines: Iterable[bytes]) -> list[bytes]:
    """Leave out what RFC 9110 section 6.5.1 keeps out of trailers, and every field that means something here."""
    kept = []
    for line in lines:
        name = line.partition(b":")[0].lower()
        if name not in _NO_TRAILERS and request_field(name) is Field.PASS:
            kept.append(line)
    return kept


_HOPS_DIGITS: Final = 9
"""RFC 9110 7.6.2: more hops than this recipient counts become the most it counts."""

HOPS_COUNTED: Final = frozenset({"TRACE", "OPTIONS"})
"""RFC 9110 7.6.2: the methods for which ``Max-Forwards`` means something."""


def one_hop_fewer(method: str, max_forwards: bytes) -> bytes:
    """Return ``Max-Forwards`` for the next hop; what is no number, or of another method, stays as it is."""
    if method not in HOPS_COUNTED or not max_forwards.isdigit():
        return max_forwards
    hops = max_forwards.lstrip(b"0") or b"0"
    return b"%d" % max(int(hops) - 1 if len(hops) <= _HOPS_DIGITS else 10**_HOPS_DIGITS - 1, 0)


_NEVER_TUNNELLED: Final = re.compile(rb"(h2c?|http/.*|tls/.*)", re.IGNORECASE)


def offered_protocols(upgrade: bytes, method: str) -> list[bytes]:
    """Return the protocols of an ``Upgrade`` field that may be tunnelled.

    Another version of HTTP, or TLS, may not: requests inside the tunnel would reach a version without any
    decision. A WebSocket is opened by GET alone (RFC 6455 section 4.1).
    """
    tokens = (token.strip(b" \t") for token in upgrade.split(b","))
    return [
        token
        for token in tokens
        if token and not _NEVER_TUNNELLED.fullmatch(token) and (method == "GET" or token.lower() != b"websocket")
    ]


def sf_string(text: str) -> str:
    """Return an RFC 8941 String; characters it cannot hold are percent-encoded."""
    safe = quote(text, safe=" !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~")
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"') + '"'


class DecisionHeaders:
    """``Gateway-Version`` and ``Gateway-Decision`` of a version under a deployment, all but the point prepared."""

    def __init__(self, version: Version, deployment_id: DeploymentId | None) -> None:
        tag = f", tag={sf_string(version.tag)}" if version.tag else ""
        self._start = {
            reason: (
                f"Gateway-Version: {version.id}\r\n"
                f"Gateway-Decision: worker={sf_string(version.worker)}{tag}, reason={reason}"
            ).encode("ascii")
            for reason in Reason
        }
        self._end = f', deployment="{deployment_id}"'.encode("ascii") if deployment_id else b""

    def lines(
        self, reason: Reason, point: float | None, cohort: str = "", ignored: Sequence[IgnoredSignal] = ()
    ) -> bytes:
        """Return both lines, with their CRLF between but not behind."""
        start = self._start[reason]
        if point is not None:
            start += b", point=%d.%03d" % divmod(int(point * 1000), 1000)  # cut, so that it stays below 100
        line = start + self._end
        if cohort:
            line += f", cohort={sf_string(cohort)}".encode("ascii")
        if ignored:
            causes = " ".join(f"{note.signal}:{note.cause}" for note in ignored)
            line += f', ignored="{causes}"'.encode("ascii")
        return line


def version_line(decision: RoutingDecision, request: RequestHead) -> bytes:
    """Return what ``ctx.version`` is made of, as a field after a CRLF (R109)."""
    told: dict[str, object] = {"metadata": {"id": decision.version_id}}
    if decision.cohort:
        told["cohort"] = decision.cohort
    if decision.reason is Reason.AFFINITY and request.version_key is not None:
        told["key"] = request.version_key.decode("latin-1")
    if decision.reason is Reason.OVERRIDE:
        told["override"] = decision.version_id
    return b"\r\nX-Gateway-Version: " + json.dumps(told).encode("ascii")


def visitor_line(scheme: str) -> bytes:
    """Return the ``CF-Visitor`` line, as the edge writes it."""
    return b"CF-Visitor: " + json.dumps({"scheme": scheme}, separators=(",", ":")).encode("ascii")
