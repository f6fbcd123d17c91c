"""Incidents of version skew -> text for people (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.cli.text import Style, fields, moment, number, printable
from gateway.control.client import Skew, SkewIncident, SkewWitness

_COLOURS: Final[Mapping[str, str]] = {
    "asset_skew": "red",
    "flow_skew": "red",
    "object_skew": "red",
    "session_skew": "yellow",
    "stale_tab": "yellow",
}
_INFERRED: Final[Mapping[str, str]] = {
    "session": "that one client sent both, by address and user agent",
    "page": "which page asked",
    "file": "that the page's version has the file",
    "caller": "that the page itself called the object",
}


def incidents(shown: Skew, style: Style) -> str:
    """Return the incidents with their proof."""
    if not shown["enabled"]:
        return "Skew is not looked for: `skew.enabled` is false in the configuration."
    looked = f"{number(shown['requests'])} requests since {moment(shown['since'])}"
    if shown["unseen_requests"]:
        looked += f"; {number(shown['unseen_requests'])} more came too fast to be looked at"
    if not shown["incidents"]:
        return f"No skew was found in {looked}."
    told = [_incident(one, style) for one in shown["incidents"]]
    return "\n\n".join([*told, f"Looked at {looked}."])


def forgotten(count: int) -> str:
    """Return what was forgotten."""
    return f"Forgot {count} incident{'' if count == 1 else 's'}, and the traffic they were found in."


def _incident(one: SkewIncident, style: Style) -> str:
    kind = style.paint(one["kind"].replace("_", " "), _COLOURS.get(one["kind"], ""), bold=True)
    what = f"  {printable(one['what'])}" if one["what"] else ""
    times = f"  x{number(one['count'])}" if one["count"] > 1 else ""
    inferred = "; ".join(_INFERRED.get(word, printable(word)) for word in one["inferred"])
    pairs = (
        ("  before", _witness(one["before"])),
        ("  after", _witness(one["after"])),
        ("  cause", printable(one["sentence"])),
        ("  remedy", printable(one["remedy"])),
        ("  inferred", inferred),
        ("  last seen", moment(one["last_seen"]) if one["count"] > 1 else ""),
    )
    return f"{kind}  {printable(one['worker'])}{what}{times}\n{fields(pairs, style)}"


def _witness(witness: SkewWitness) -> str:
    point = "" if witness["point"] is None else f" at {witness['point']:.1f}"
    where = f"{witness['method']} {witness['host']}{witness['path']}"
    told = f"{moment(witness['at'])}  {witness['label']}  {where}  {witness['status']}"
    return printable(f"{told}  {witness['reason']}{point}  {witness['ray']}")
