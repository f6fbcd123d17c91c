"""Cohort header -> the list of versions that replaces the default one (R22, R71-R75; a draft, off by default)."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.model.decision import IgnoredSignal, Signal
from gateway.routing.percentages import Split


def cohort_split(name: str, cohorts: Mapping[str, Split], *, trusted: bool) -> Split | IgnoredSignal | None:
    """Return the list of the cohort, ``None`` where the deployment has none, or why the header does not count.

    Args:
        name: Value of ``Cloudflare-Workers-Cohort``; case does not count (R72).
        cohorts: Lower-case cohort name -> its split.
        trusted: Whether a client may set the header; Cloudflare's drafts disagree (R75).
    """
    if not cohorts:
        return None
    if not trusted:
        return IgnoredSignal(
            Signal.COHORT, "not-trusted", "clients may not set a cohort (trust_client_cohort_header)", "R75"
        )
    split = cohorts.get(name.lower())
    if split is None:
        return IgnoredSignal(Signal.COHORT, "unknown", f"no cohort {name!r} in the active deployment", "R73")
    return split
