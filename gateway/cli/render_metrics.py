"""Figures by version -> text for people (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.cli.text import NOTHING, Cell, Style, label, number, percent, printable, table
from gateway.control.client import Health, Metrics, VersionMetrics

WINDOWS: Final = {"60": "last minute", "300": "last five minutes", "3600": "last hour"}
_VERDICTS: Final = {"safe": "green", "wait": "yellow", "roll_back": "red"}
_STATES: Final = {"running": "green", "starting": "yellow", "crashed": "red", "stopped": "bright_black"}
_BAD_PERCENTAGE: Final = 1.0
_KIB: Final = 1024


def metrics(shown: Metrics, style: Style) -> str:
    """Return a Worker's versions, a line each."""
    window = WINDOWS.get(shown["window"], "since the deployment")
    deployment = f", deployment {shown['deployment']}" if shown["deployment"] is not None else ""
    head = style.paint(f"{printable(shown['worker'])}{deployment}, {window}", bold=True)
    if not shown["versions"]:
        return f"{head}\nNothing is deployed, and nothing runs."
    lines = [head, _figures(shown["versions"], shown["window_seconds"], style)]
    if shown["own_answers"]:
        own = ", ".join(f"{count} x {printable(status)}" for status, count in shown["own_answers"].items())
        lines.append(f"answers of the gateway's own, all Workers: {own}")
    return "\n".join(lines)


def health(shown: Health, style: Style) -> str:
    """Return a verdict, why, and the figures it rests on."""
    verdict = shown["verdict"].replace("_", " ").upper()
    pair = [shown["baseline"], shown["candidate"]]
    checks = [
        (
            Cell(check["verdict"].replace("_", " "), _VERDICTS.get(check["verdict"], "")),
            check["name"],
            check["detail"],
        )
        for check in shown["checks"]
    ]
    said = style.paint(printable(verdict), _VERDICTS.get(shown["verdict"], ""), bold=True)
    return "\n".join(
        [
            f"{said}  {printable(shown['reason'])}",
            "",
            _figures(pair, shown["window_seconds"], style),
            "",
            table(("verdict", "check", "what it found"), checks, style),
        ]
    )


def _figures(versions: Sequence[VersionMetrics], seconds: float, style: Style) -> str:
    headings = (
        "version", "asked", "observed", "95% interval", "requests", "per s", "errors", "p50 ms", "p95 ms",
        "p99 ms", "in flight", "sockets", "cpu s", "memory", "state",
    )  # fmt: skip
    right = "asked observed requests errors memory"
    return table(headings, [_row(one, seconds) for one in versions], style, right=right)


def _row(one: VersionMetrics, seconds: float) -> tuple[Cell | str, ...]:
    bad = (one["error_percentage"] or 0) >= _BAD_PERCENTAGE
    return (
        label(one["tag"], one["version_id"]),
        percent(one["asked_percentage"]),
        _short(one["observed_percentage"], "%"),
        _interval(one),
        f"{one['requests']:,}",
        number(round(one["requests"] / seconds, 1)) if seconds else NOTHING,
        Cell(_short(one["error_percentage"], "%"), "red" if bad else ""),
        _short(one["p50_ms"]),
        _short(one["p95_ms"]),
        _short(one["p99_ms"]),
        str(one["in_flight"]),
        str(one["websockets"]),
        _short(one["cpu_seconds"]),
        _size(one["memory_bytes"]),
        Cell(one["state"], _STATES.get(one["state"], "")),
    )


def _interval(one: VersionMetrics) -> str:
    if one["observed_low"] is None or one["observed_high"] is None:
        return NOTHING
    return f"{one['observed_low']:.1f} to {one['observed_high']:.1f}"


def _short(value: float | None, unit: str = "") -> str:
    return NOTHING if value is None else f"{number(round(value, 2))}{unit}"


def _size(size_bytes: int | None) -> str:
    return NOTHING if size_bytes is None else f"{size_bytes / _KIB / _KIB:.0f} MiB"
