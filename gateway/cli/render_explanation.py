"""An explanation -> text: the steps, where the point fell, and what was decided (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from gateway.cli.text import Cell, Style, fields, label, number, percent, printable, table
from gateway.control.client import Decision, Deployment, Explanation, Share, VersionCount

BAR_CELLS: Final = 50

# Neighbours must differ without colour too.
_FILLS: Final = "█░▓▒"

_DRAWN_REASONS: Final = frozenset({"affinity", "percentage"})
"""Only these place a point on the ranges of the active deployment; an object may keep an older place."""

_OUTCOME_COLOURS: Final[Mapping[str, str]] = {
    "decided": "green",
    "applied": "cyan",
    "ignored": "yellow",
    "absent": "bright_black",
    "not reached": "bright_black",
}


def explanation(shown: Explanation, style: Style) -> str:
    """Return why a request goes where it goes."""
    parts = [_found(shown, style)]
    if shown["steps"]:
        parts.append(_steps(shown, style))
    decision = shown["decision"]
    if decision is None:
        parts.append(
            f"{style.paint('no version:', 'red', bold=True)} {printable(shown['problem'] or 'no reason given')}"
        )
        return "\n\n".join(parts)
    shares = _list_used(shown["deployment"], decision)
    if decision["point"] is not None and decision["reason"] in _DRAWN_REASONS and shares:
        parts.append(bar(shares, decision, style))
    parts.append(_decision(decision, style))
    if shown["counts"]:
        parts.append(_distribution(shown["counts"], shares, style))
    return "\n\n".join(parts)


def _found(shown: Explanation, style: Style) -> str:
    deployment = shown["deployment"]
    return fields(
        [
            ("worker", "none" if shown["worker"] is None else printable(shown["worker"])),
            ("route", printable(shown["route"])),
            ("deployment", "" if deployment is None else str(deployment["number"])),
        ],
        style,
    )


def _steps(shown: Explanation, style: Style) -> str:
    rows = [
        (
            step["rule"].replace("_", " "),
            Cell(step["outcome"], _OUTCOME_COLOURS.get(step["outcome"], "")),
            step["cites"],
            step["detail"],
        )
        for step in shown["steps"]
    ]
    return table(("step", "outcome", "rule", "what it found"), rows, style)


def bar(shares: Sequence[Share], decision: Decision, style: Style) -> str:
    """Return the ranges of the versions end to end on [0, 100), and the point below them.

    The cell over the point always shows the version that was decided, however narrow its range is.
    """
    point = decision["point"] or 0.0
    marker = max(0, min(BAR_CELLS - 1, int(point / 100 * BAR_CELLS)))
    owners = [_owner(shares, (cell + 0.5) / BAR_CELLS * 100) for cell in range(BAR_CELLS)]
    owners[marker] = next(
        (at for at, share in enumerate(shares) if share["version_id"] == decision["version_id"]), owners[marker]
    )
    legend = "   ".join(
        f"{_FILLS[at % len(_FILLS)]} {label(share['tag'], share['version_id'])} {percent(share['percentage'])}"
        for at, share in enumerate(shares)
    )
    return "\n".join(
        [
            f"0 {''.join(_FILLS[owner % len(_FILLS)] for owner in owners)} 100",
            f"{' ' * (marker + 2)}{style.paint('▲', 'green', bold=True)} {point:.4f}",
            legend,
        ]
    )


def _owner(shares: Sequence[Share], point: float) -> int:
    """Return the position of the version whose range holds ``point``; the last range ends at 100 (R39)."""
    high = 0.0
    last = 0
    for at, share in enumerate(shares):
        if share["percentage"] <= 0:
            continue
        high += share["percentage"]
        last = at
        if point < high:
            return at
    return last


def _list_used(deployment: Deployment | None, decision: Decision) -> Sequence[Share]:
    """Return the list of versions that the point fell on: the cohort's own, where one applied (R22)."""
    if deployment is None:
        return ()
    wanted = decision["cohort"].lower()
    lists = (cohort["versions"] for cohort in deployment["cohorts"] if wanted and cohort["name"].lower() == wanted)
    return next(lists, deployment["versions"])


def _decision(decision: Decision, style: Style) -> str:
    running = "" if decision["state"] == "running" else f", which is {printable(decision['state'])} now"
    return fields(
        [
            ("version", style.paint(label(decision["tag"], decision["version_id"]), "green", bold=True) + running),
            ("id", printable(decision["version_id"])),
            ("reason", printable(decision["reason"])),
            ("point", _point(decision)),
            ("cohort", printable(decision["cohort"])),
            *(
                (
                    f"ignored {printable(signal['signal'])}",
                    f"{printable(signal['cause'])} ({printable(signal['rule'])})",
                )
                for signal in decision["ignored"]
            ),
        ],
        style,
    )


def _point(decision: Decision) -> str:
    if decision["point"] is None:
        return ""
    at = f"{decision['point']:.4f}"
    if decision["reason"] not in _DRAWN_REASONS:
        return at
    return f"{at}, in the range [{number(decision['low'])}, {number(decision['high'])})"


def _distribution(counts: Sequence[VersionCount], shares: Sequence[Share], style: Style) -> str:
    total = sum(count["count"] for count in counts)
    set_to = {share["version_id"]: share["percentage"] for share in shares}
    rows = [
        (
            label(count["tag"], count["version_id"]),
            str(count["count"]),
            percent(100 * count["count"] / total if total else 0.0),
            percent(set_to.get(count["version_id"])),
            "█" * round(BAR_CELLS / 2 * count["count"] / total) if total else "",
        )
        for count in counts
    ]
    text = table(
        ("version", "requests", "share", "percentage", ""), rows, style, right="requests share percentage"
    )
    return f"{style.paint(f'{total} decisions:', bold=True)}\n{text}"
