"""Reports as JSON: plain objects, the same bytes for the same seed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from gateway.simulation.formulas import Notice
from gateway.simulation.run import Report, StepReport

_DECIMALS: Final = 3


def report_view(report: Report) -> dict[str, Any]:
    """Return a whole report."""
    scenario = asdict(report.scenario)
    return {
        "scenario": {**scenario, "plan": list(report.scenario.plan)},
        "notice": notice_view(report.notice),
        "steps": [step_view(step) for step in report.steps],
        "totals": totals_view(report),
    }


def notice_view(notice: Notice) -> dict[str, Any]:
    """Return when an error rate is noticed, and by which formula."""
    return {
        **notice._asdict(),
        "formula": notice.formula,
        "requests_of_new_version": notice.requests_of_version(),
    }


def step_view(step: StepReport) -> dict[str, Any]:
    """Return one step."""
    return {
        "percentage": step.percentage,
        "sessions": step.sessions,
        "requests": step.requests,
        "new_requests": step.new_requests,
        "mixed_sessions": step.mixed_sessions,
        "mixed_sessions_expected": round(step.mixed_sessions_expected, _DECIMALS),
        "asset_requests": step.asset_requests,
        "asset_404s": step.asset_404s,
        "asset_404s_expected": round(step.asset_404s_expected, _DECIMALS),
        "returning_sessions": step.returning_sessions,
        "returning_changed": step.returning_changed,
        "keys": {
            "known": step.keys.known,
            "moved": step.keys.moved,
            "moved_expected": round(step.keys.known * step.keys.expected.moved / 100, _DECIMALS),
            "flipped": step.keys.flipped,
            "flipped_expected": round(step.keys.known * step.keys.expected.flipped / 100, _DECIMALS),
        },
        "objects": {
            "known": step.objects.known,
            "moved": step.objects.moved,
            "moved_expected": round(step.objects.expected, _DECIMALS),
            "resets": step.resets,
        },
        "noticed_after_requests": step.noticed_after,
    }


def totals_view(report: Report) -> dict[str, Any]:
    """Return the sums over all steps."""
    return {
        "sessions": report.total(lambda step: step.sessions),
        "requests": report.total(lambda step: step.requests),
        "mixed_sessions": report.total(lambda step: step.mixed_sessions),
        "mixed_sessions_expected": round(report.total(lambda step: step.mixed_sessions_expected), _DECIMALS),
        "asset_requests": report.total(lambda step: step.asset_requests),
        "asset_404s": report.total(lambda step: step.asset_404s),
        "asset_404s_expected": round(report.total(lambda step: step.asset_404s_expected), _DECIMALS),
        "returning_changed": report.total(lambda step: step.returning_changed),
        "keys_moved": report.total(lambda step: step.keys.moved),
        "keys_flipped": report.total(lambda step: step.keys.flipped),
        "objects_moved": report.total(lambda step: step.objects.moved),
        "resets": report.total(lambda step: step.resets),
        "most_resets_of_one_object": report.most_resets,
    }
