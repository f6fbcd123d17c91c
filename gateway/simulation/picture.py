"""A report -> a drawing of the plan in SVG: the split, and what each step costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Final, NamedTuple

from gateway.simulation.run import Report, StepReport

WIDTH: Final = 760
_SVG_LOOK: Final = 'font-family="system-ui, sans-serif" font-size="12" role="img"'
_LEFT: Final = 220
_PANEL: Final = 84
_GAP: Final = 34
_TOP: Final = 56
_OLD: Final = "#94a3b8"
_NEW: Final = "#2563eb"
_BAD: Final = "#dc2626"
_MOVED: Final = "#d97706"


class _Panel(NamedTuple):
    """One row of bars.

    Args:
        height: Of a step's bar; the tallest fills the row.
        expected: Where theory puts the bar's top, drawn as a line; None for no line.
        top: What the full height stands for; None for the tallest bar.
        label: Written above a bar.
    """

    title: str
    colour: str
    height: Callable[[StepReport], float]
    expected: Callable[[StepReport], float] | None
    top: float | None
    label: Callable[[StepReport], str]


def svg_of(report: Report, title: str) -> str:
    """Return the drawing as a whole SVG document; it needs no font, script or file beside it."""
    panels = _panels(report)
    height = _TOP + (len(panels) + 1) * (_PANEL + _GAP) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {_SVG_LOOK}>',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(16, 28, title, size=16, bold=True),
        *_split_row(report.steps),
    ]
    for row, panel in enumerate(panels, 1):
        parts += _row(panel, report.steps, _TOP + row * (_PANEL + _GAP))
    return "\n".join([*parts, "</svg>", ""])


def _panels(report: Report) -> list[_Panel]:
    panels = [
        _Panel(
            "sessions that meet two versions",
            _BAD,
            lambda step: _share(step.mixed_sessions, step.sessions),
            lambda step: _share(step.mixed_sessions_expected, step.sessions),
            1.0,
            lambda step: _percent(step.mixed_sessions, step.sessions),
        ),
        _Panel(
            "assets that are missing (404)",
            _BAD,
            lambda step: _share(step.asset_404s, step.asset_requests),
            lambda step: _share(step.asset_404s_expected, step.asset_requests),
            0.5,
            lambda step: f"{step.asset_404s:,}",
        ),
    ]
    if any(step.keys.known for step in report.steps):
        panels.append(
            _Panel(
                "keys that move",
                _MOVED,
                lambda step: _share(step.keys.moved, step.keys.known),
                lambda step: step.keys.expected.moved / 100,
                1.0,
                lambda step: f"{step.keys.moved:,}",
            )
        )
    if any(step.objects.known for step in report.steps):
        panels.append(
            _Panel(
                "objects that move",
                _MOVED,
                lambda step: _share(step.objects.moved, step.objects.known),
                lambda step: _share(step.objects.expected, step.objects.known),
                1.0,
                lambda step: f"{step.objects.moved:,}",
            )
        )
    return panels


def _split_row(steps: Sequence[StepReport]) -> Iterator[str]:
    yield _text(16, _TOP + 20, "percentages", bold=True)
    yield _text(16, _TOP + 40, "new version", colour=_NEW)
    yield _text(16, _TOP + 58, "old version", colour="#475569")
    for x, width, step in _columns(steps):
        new = _PANEL * step.percentage / 100
        yield _rect(x, _TOP, width, _PANEL - new, _OLD)
        yield _rect(x, _TOP + _PANEL - new, width, new, _NEW)
        yield _text(x + width / 2, _TOP + _PANEL + 14, f"{step.percentage:g}%", anchor="middle")


def _row(panel: _Panel, steps: Sequence[StepReport], y: float) -> Iterator[str]:
    yield _text(16, y + 20, panel.title, bold=True)
    if panel.expected is not None:
        yield _text(16, y + 38, "line: expected", colour="#475569")
    top = panel.top or max(map(panel.height, steps)) or 1.0
    bottom = y + _PANEL
    yield f'<line x1="{_LEFT}" y1="{bottom:g}" x2="{WIDTH - 16}" y2="{bottom:g}" stroke="#cbd5e1"/>'
    for x, width, step in _columns(steps):
        height = min(1.0, panel.height(step) / top) * (_PANEL - 16)
        yield _rect(x, bottom - height, width, height, panel.colour)
        yield _text(x + width / 2, bottom - height - 4, panel.label(step), anchor="middle")
        if panel.expected is not None:
            line = bottom - min(1.0, panel.expected(step) / top) * (_PANEL - 16)
            yield (
                f'<line x1="{x - 4:.1f}" y1="{line:.1f}" x2="{x + width + 4:.1f}" y2="{line:.1f}" '
                'stroke="#0f172a" stroke-dasharray="3 2"/>'
            )


def _columns(steps: Sequence[StepReport]) -> Iterator[tuple[float, float, StepReport]]:
    """Yield left edge and width of each step's bar."""
    room = (WIDTH - 16 - _LEFT) / len(steps)
    for position, step in enumerate(steps):
        yield _LEFT + room * (position + 0.2), room * 0.6, step


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 12,
    bold: bool = False,
    colour: str = "#0f172a",
    anchor: str = "start",
) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}"{weight} fill="{colour}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _percent(part: float, whole: float) -> str:
    return f"{100 * _share(part, whole):.1f}%"
