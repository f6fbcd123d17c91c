"""Which compatibility dates a workerd takes, and what becomes of one that it does not (pure)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

_AHEAD: Final = timedelta(days=7)
"""Its own words: that of 2026-04-26 takes dates to 2026-05-03, that of 2026-11-17 to 2026-11-24."""


def newest_compatibility_date(release: date, today: date) -> date:
    """Return the newest compatibility date that a workerd takes.

    Args:
        release: The date that ``workerd --version`` tells.
        today: In UTC; workerd refuses dates in the future, even those that it knows.
    """
    return min(release + _AHEAD, today)


def clamp_compatibility_date(wanted: date, newest: date) -> tuple[date, str | None]:
    """Return the date to run a version with, and a warning where it is not the one wanted.

    Cloudflare runs the newest workerd, so a date that is right there may be too new for the one installed here.
    """
    if wanted <= newest:
        return wanted, None
    return newest, (
        f"compatibility_date {wanted} is newer than the workerd that runs here takes; it runs with {newest}. "
        "Install a newer workerd, or use an older date."
    )
