"""What came of a scenario, as JSON and as JUnit XML."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree as ET

from gateway.scenarios.exchange import Exchange
from gateway.scenarios.junit import junit_of
from gateway.scenarios.model import Scenario
from gateway.scenarios.report import Outcome, StepResult, report_of

SENT = Exchange(
    "GET", "/a?b", "h:1", 200, version="v1", version_id="x" * 36, reason="percentage", point=1.5, ray="r"
)
RACING = SENT._replace(racing=True)


def outcome(*steps: StepResult) -> Outcome:
    """Return an outcome of some steps."""
    return Outcome(Scenario("<a> & \x1b", ()), "shop", 7, steps, notes=["n"])


PASSED = StepResult("1", "request GET /a", ran=True, exchanges=[SENT, RACING], duration_seconds=0.0125)
FAILED = StepResult("2", "expect \ud800", ran=True, failures=["one", "two"], notes=["mind\x00"])
NOT_RUN = StepResult("3", "deploy v1 100%")


def report(*steps: StepResult, timings: bool = False) -> dict[str, Any]:
    """Return a report of some steps."""
    return report_of(outcome(*steps), timings=timings)


def test_what_did_not_fail_and_was_run_passes() -> None:
    """A scenario that ended early has not passed."""
    assert report(PASSED)["passed"]
    assert not report(PASSED, FAILED)["passed"]
    assert not report(PASSED, NOT_RUN)["passed"]
    assert [step["outcome"] for step in report(PASSED, FAILED, NOT_RUN)["steps"]] == [
        "passed",
        "failed",
        "not_run",
    ]


def test_a_report_holds_no_time_no_id_and_no_port_unless_asked() -> None:
    """The same decisions, the same bytes."""
    text = json.dumps(report(PASSED, FAILED))

    assert "duration" not in text
    assert SENT.version_id not in text
    assert "h:1" not in text
    assert report(PASSED, timings=True)["steps"][0]["duration_ms"] == 12.5


def test_what_races_tells_no_version() -> None:
    """Chance decides it, and would tell two runs apart."""
    (step,) = report(PASSED)["steps"]
    other = StepResult("1", "request GET /a", ran=True, exchanges=[SENT, RACING._replace(version="v2", reason="")])

    assert step["answers"] == [
        {"version": "", "reason": "", "status": 200, "count": 1},
        {"version": "v1", "reason": "percentage", "status": 200, "count": 1},
    ]
    assert report(PASSED) == report(other)


def test_decisions_are_the_same_only_for_the_same() -> None:
    """The digest tells what a summary of thousands of requests does not."""
    swapped = StepResult("1", PASSED.title, ran=True, exchanges=[RACING, SENT])
    moved = StepResult("1", PASSED.title, ran=True, exchanges=[SENT._replace(point=1.6), RACING])

    assert len({report(one)["decisions"] for one in (PASSED, swapped, moved)}) == 3


def test_junit_is_xml_that_ci_reads() -> None:
    """A suite for each scenario, a case for each step; what XML cannot hold is replaced."""
    root = ET.fromstring(junit_of([report(PASSED, FAILED, NOT_RUN), report(PASSED)]))  # noqa: S314 - our own

    assert root.attrib == {"tests": "4", "failures": "1", "errors": "0", "skipped": "1"}
    suite = root[0]
    assert suite.attrib == {"name": "<a> & \ufffd", "tests": "3", "failures": "1", "errors": "0", "skipped": "1"}
    assert [(one.get("name"), one.get("value")) for one in suite.iter("property")][:2] == [
        ("seed", "7"), ("worker", "shop"),
    ]  # fmt: skip
    cases = list(suite.iter("testcase"))
    assert [case.get("name") for case in cases] == ["1. request GET /a", "2. expect \ufffd", "3. deploy v1 100%"]
    failure = cases[1].find("failure")
    assert failure is not None
    assert (failure.get("message"), failure.text) == ("one", "one\ntwo")
    assert cases[1].findtext("system-out") == "mind\ufffd"
    assert cases[2].find("skipped") is not None
    assert "time" not in suite.attrib


def test_junit_tells_times_where_the_report_does() -> None:
    """In seconds, as CI services want it."""
    slow = StepResult("1", "request GET /", ran=True, duration_seconds=0.25)
    root = ET.fromstring(junit_of([report(slow, timings=True)]))  # noqa: S314 - our own

    assert (root[0].get("time"), root[0][1].get("time")) == ("0.250", "0.250")
