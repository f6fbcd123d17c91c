"""The parts that every section of the report is made of: numbers, spreads, tables, goals. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

NONE = "-"


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the table of design goals; ``met`` is None where there is no figure to judge."""

    what: str
    target: str
    measured: str
    met: bool | None

    @property
    def verdict(self) -> str:
        """The word in the table."""
        return "not measured" if self.met is None else "met" if self.met else "**MISSED**"


def number(value: float) -> str:
    """Return a figure with as many places as are worth reading."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}"


def spread(values: Sequence[float], text: Callable[[float], str] = number) -> str:
    """Return the median, with the smallest and the largest in brackets."""
    if not values:
        return NONE
    return f"{text(median(values))} ({text(min(values))}-{text(max(values))})"


def cell(text: str) -> str:
    """Return text that cannot end the cell or the row it stands in."""
    return " ".join(text.split()).replace("|", "\\|")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    # The first column holds names, the others figures, which read best to the right.
    rule = "|".join([":--", *["--:"] * (len(head) - 1)])
    return "\n".join([f"| {' | '.join(head)} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in rows)])


def paired_ratios(ours: Sequence[float | None], theirs: Sequence[float | None]) -> list[float]:
    """Return the ratios round by round, of those rounds in which both have a figure."""
    return [mine / other for mine, other in zip(ours, theirs, strict=False) if mine is not None and other]
