"""Headers that matter to clients and caches, compared; those that differ with every answer are not looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from gateway.comparison.answers import Answer, Difference, Kind

_BY_VALUE: Final = frozenset(
    {
        "accept-ranges", "allow", "cache-control", "cdn-cache-control", "clear-site-data",
        "cloudflare-cdn-cache-control", "content-disposition", "content-encoding", "content-language",
        "content-security-policy", "content-security-policy-report-only", "content-type",
        "cross-origin-embedder-policy", "cross-origin-opener-policy", "cross-origin-resource-policy", "link",
        "location", "permissions-policy", "referrer-policy", "refresh", "retry-after", "service-worker-allowed",
        "sourcemap", "strict-transport-security", "timing-allow-origin", "vary", "www-authenticate",
        "x-content-type-options", "x-frame-options", "x-robots-tag",
    }
)  # fmt: skip
_BY_PREFIX: Final = "access-control-"
_BY_PRESENCE: Final = frozenset({"etag", "expires", "last-modified"})
"""Their values differ whenever the content does."""

_NONCE: Final = re.compile(r"'nonce-[^']*'")
_COMMA: Final = re.compile(r"\s*,\s*")
_SETS: Final = frozenset({"allow", "cache-control", "vary"})
"""Lists of which the order says nothing."""


def header_differences(before: Answer, after: Answer) -> Iterator[Difference]:
    """Yield a difference for each header that matters, by name."""
    one, other = _told(before), _told(after)
    for name in sorted(one.keys() | other.keys()):
        old, new = one.get(name), other.get(name)
        if old == new:
            continue
        kind = Kind.ADDED if old is None else Kind.REMOVED if new is None else Kind.CHANGED
        yield Difference(f"header:{name}", kind, old or "", new or "")


def _told(answer: Answer) -> dict[str, str]:
    """Return what matters of each header; of cookies one entry each, without the value."""
    told: dict[str, str] = {}
    for name in {name.lower() for name, _ in answer.headers}:
        values = answer.values(name)
        if name == "set-cookie":
            told |= {f"set-cookie:{cookie.partition('=')[0].strip()}": _cookie(cookie) for cookie in values}
        elif name in _BY_PRESENCE:
            told[name] = "present"
        elif name in _BY_VALUE or name.startswith(_BY_PREFIX):
            told[name] = _value(name, values)
    return told


def _value(name: str, values: Sequence[str]) -> str:
    joined = _NONCE.sub("'nonce-*'", ", ".join(value.strip() for value in values))
    if name in _SETS:
        return ", ".join(sorted(part.lower() for part in _COMMA.split(joined)))
    return joined


def _cookie(cookie: str) -> str:
    """Return a cookie's attributes: names and values, but for when it ends."""
    parts = (part.strip() for part in cookie.split(";")[1:])
    kept = sorted(part for part in parts if part and not part.lower().startswith(("expires=", "max-age=")))
    return "; ".join(["set", *kept])
