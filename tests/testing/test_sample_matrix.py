"""The version matrix over the sample Workers: it finds what their versions break on purpose, and nothing else."""

from __future__ import annotations

import re

import pytest

from tests.testing.projects import run
from tests.testing.sample_project import BROKEN, FAILING, SAMPLES, WHOLE

pytest_plugins = ["pytester"]

SEED = ("--gateway-seed", "42")
CASES = 5


def test_the_planted_incompatibilities_fail_in_just_their_cases(pytester: pytest.Pytester) -> None:
    """Issue 5, item 4: asset, API field, cart field, object protocol; each version by itself passes."""
    result = run(pytester, BROKEN, "-v", *SEED, head=SAMPLES)

    outcomes = re.findall(r"::(\w+)\[([^\]]+)\] (PASSED|FAILED|ERROR)", result.stdout.str())
    assert len(outcomes) == CASES * len(FAILING)
    assert {(test, case) for test, case, outcome in outcomes if outcome != "PASSED"} == {
        (test, case) for test, cases in FAILING.items() for case in cases
    }
    result.stdout.fnmatch_lines_random(
        [
            "  asset_skew in shop*: / of v1 asked for /bundle-v1.js: v2 answered 404 (no-key)",
            "  stale_tab in shop: / of v1, deployed no longer, called GET /api/products of v2 (not-deployed)",
            "  stale_tab in shop: /cart of v2, deployed no longer, called POST /cart of v1 (not-deployed)",
            "  object_skew in counter*: POST /worker/user-* of v2 called Counter POST */add of *: it runs on v1*",
        ]
    )


def test_all_else_passes_in_every_case(pytester: pytest.Pytester) -> None:
    """Issue 5, item 4: no false alarm, whatever the samples serve beside, and with a key nothing breaks at all."""
    result = run(pytester, WHOLE, *SEED, head=SAMPLES)

    result.assert_outcomes(passed=10 * CASES)
