"""No rule that the code claims to follow goes without a test that cites it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
CITED = re.compile(r"\bR(\d{1,3})(?:-R?(\d{1,3}))?\b")


def rules_in(text: str) -> set[int]:
    """Return the numbers of the rules that ``text`` cites; a range cites all between."""
    found: set[int] = set()
    for low, high in CITED.findall(text):
        found.update(range(int(low), int(high or low) + 1))
    return found


def docstrings_of_tests() -> Iterator[str]:
    """Yield the docstring of every test."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield ast.get_docstring(node) or ""


def test_every_rule_that_a_decision_rests_on_is_cited_by_a_test() -> None:
    """Design 11: each R-rule has a test that cites it; those that ``model`` and ``routing`` name are the decisions."""
    sources = [path for part in ("model", "routing") for path in sorted((ROOT / "gateway" / part).glob("*.py"))]
    claimed = set().union(*(rules_in(path.read_text("utf-8")) for path in sources))
    tested = set().union(*map(rules_in, docstrings_of_tests()))

    assert len(claimed) > 40
    assert sorted(claimed - tested) == []
