"""No rule that the code claims to follow goes without a test that cites it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
CITED = re.compile(r"\bR(\d{1,3})(?:-R?(\d{1,3}))?\b")


def rules_named(text: str) -> set[int]:
    """Return the numbers of the rules that ``text`` names, of a range its ends."""
    return {int(number) for ends in CITED.findall(text) for number in ends if number}


def rules_covered(text: str) -> set[int]:
    """Return the numbers of the rules that ``text`` cites, of a range all between."""
    return {rule for low, high in CITED.findall(text) for rule in range(int(low), int(high or low) + 1)}


def docstrings_of_tests() -> Iterator[str]:
    """Yield the docstring of every test."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield ast.get_docstring(node) or ""


def test_every_rule_that_a_decision_rests_on_is_cited_by_a_test() -> None:
    """Design 11: each R-rule that ``model`` or ``routing`` names has a test that cites it."""
    sources = [path for part in ("model", "routing") for path in sorted((ROOT / "gateway" / part).glob("*.py"))]
    claimed = set().union(*(rules_named(path.read_text("utf-8")) for path in sources))
    tested = set().union(*map(rules_covered, docstrings_of_tests()))

    assert len(claimed) > 30
    assert sorted(claimed - tested) == []
