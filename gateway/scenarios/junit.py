"""Reports -> JUnit XML, as CI services read it: a suite for each scenario, a case for each step."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 section 2.2 has no way to write."""


def junit_of(reports: Iterable[dict[str, Any]]) -> str:
    """Return the XML of some reports.

    Args:
        reports: As ``report_of`` makes them; ``time`` is there where they tell ``duration_ms``.
    """
    suites = [_suite(report) for report in reports]
    root = Element("testsuites", _sums(suites))
    root.extend(suites)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _suite(report: dict[str, Any]) -> Element:
    steps = report["steps"]
    suite = Element(
        "testsuite",
        {
            "name": _text(report["scenario"]),
            "tests": str(len(steps)),
            "failures": str(sum(step["outcome"] == "failed" for step in steps)),
            "errors": "0",
            "skipped": str(sum(step["outcome"] == "not_run" for step in steps)),
        },
    )
    if all("duration_ms" in step for step in steps):
        suite.set("time", f"{sum(step['duration_ms'] for step in steps) / 1000:.3f}")
    properties = SubElement(suite, "properties")
    for name in ("seed", "worker", "decisions"):
        SubElement(properties, "property", {"name": name, "value": _text(str(report[name]))})
    for step in steps:
        _add_case(suite, report, step)
    return suite


def _add_case(suite: Element, report: dict[str, Any], step: dict[str, Any]) -> None:
    name = f"{step['number']}. {step['step']}"
    case = SubElement(suite, "testcase", {"classname": _text(report["scenario"]), "name": _text(name)})
    if "duration_ms" in step:
        case.set("time", f"{step['duration_ms'] / 1000:.3f}")
    if step["failures"]:
        failure = SubElement(case, "failure", {"message": _text(step["failures"][0])})
        failure.text = _text("\n".join(step["failures"]))
    elif step["outcome"] == "not_run":
        SubElement(case, "skipped", {"message": "a step before it ended the scenario"})
    if step["notes"]:
        SubElement(case, "system-out").text = _text("\n".join(step["notes"]))


def _sums(suites: Iterable[Element]) -> dict[str, str]:
    listed = list(suites)
    return {
        name: str(sum(int(suite.get(name, "0")) for suite in listed))
        for name in ("tests", "failures", "errors", "skipped")
    }


def _text(text: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
