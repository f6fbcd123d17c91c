"""A deployment: which versions serve a Worker, in which order, with which percentages (R10-R15)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NewType

from gateway.errors import (
    DeploymentError,
    InvalidCohortName,
    PercentageOutOfRange,
    PercentagesDoNotAddUp,
    VersionListedTwice,
)
from gateway.model.version import VersionId, WorkerName

DeploymentId = NewType("DeploymentId", str)

SUM_TOLERANCE = 0.001 + 1e-9
"""R13: wrangler accepts a sum within 0.001 of 100; 99.999 as well, which no float is exactly."""

MAX_COHORTS = 5
MAX_VERSIONS_WITH_COHORTS = 2
_COHORT_NAME = re.compile(r"[A-Za-z0-9_-]{1,10}")
MAX_CODE_UPDATE_DELAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class VersionShare:
    """One version of a deployment and its share of the traffic, 0-100 (0 is allowed: R14)."""

    version_id: VersionId
    percentage: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.percentage) or not 0 <= self.percentage <= 100:  # noqa: PLR2004
            raise PercentageOutOfRange(self.percentage, self.version_id)


@dataclass(frozen=True, slots=True)
class Cohort:
    """A named group of requests with its own list of versions (R71, a draft of Cloudflare's)."""

    name: str
    versions: tuple[VersionShare, ...]

    def __post_init__(self) -> None:
        if not _COHORT_NAME.fullmatch(self.name):
            raise InvalidCohortName(self.name)
        check_shares(self.versions, where=f" of cohort {self.name!r}")


@dataclass(frozen=True, slots=True)
class CodeUpdate:
    """When an object whose version changed is reset (R60).

    At once, or when it goes idle, at the latest after ``max_delay_seconds``.
    """

    mode: Literal["immediate", "deferred"] = "immediate"
    max_delay_seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.mode == "immediate" and self.max_delay_seconds:
            raise DeploymentError(
                f"max_delay {self.max_delay_seconds:g} goes only with mode 'deferred' (R60)",
                remedy="Leave it out.",
            )
        if not 0 <= self.max_delay_seconds <= MAX_CODE_UPDATE_DELAY_SECONDS:
            raise DeploymentError(
                f"max_delay {self.max_delay_seconds:g} s is out of range",
                remedy="Give 0 to 86400 seconds (R60).",
            )


IMMEDIATE = CodeUpdate()


@dataclass(frozen=True, slots=True)
class Deployment:
    """What serves a Worker from one moment on; never edited, only followed by the next (R15).

    Args:
        number: Position among the Worker's deployments, from 1; the highest is the active one.
        versions: In the order given; the order decides whether keys and objects flip back (R49).
        triggered_by: ``upload``, ``deployment``, ``rollback`` or ``config`` (R99).

    Raises:
        DeploymentError: Percentages or cohorts break R13 or R72; the API answers 400.
    """

    id: DeploymentId
    worker: WorkerName
    number: int
    versions: tuple[VersionShare, ...]
    created_on: datetime
    source: str = "api"
    author: str = ""
    message: str = ""
    triggered_by: str = "deployment"
    cohorts: tuple[Cohort, ...] = ()
    code_update: CodeUpdate = IMMEDIATE

    def __post_init__(self) -> None:
        check_shares(self.versions)
        check_cohorts(self.versions, self.cohorts)

    @property
    def version_ids(self) -> frozenset[VersionId]:
        """Every version that can answer under this deployment, at 0% and in cohorts too."""
        return frozenset(share.version_id for share in self.all_shares())

    @property
    def percentages(self) -> dict[VersionId, float]:
        """Every version that can answer, with its percentage; 0 for one that only a cohort meets."""
        return {share.version_id: 0.0 for share in self.all_shares()} | {
            share.version_id: share.percentage for share in self.versions
        }

    def all_shares(self) -> Iterable[VersionShare]:
        """Yield the default list's shares, then those of each cohort."""
        yield from self.versions
        for cohort in self.cohorts:
            yield from cohort.versions


def check_shares(shares: Sequence[VersionShare], where: str = "") -> None:
    """Check one list of versions: at least one, each once, sum 100 (R13).

    Raises:
        VersionListedTwice, PercentagesDoNotAddUp, DeploymentError: The API answers 400.
    """
    if not shares:
        raise DeploymentError(f"no version{where} is listed", remedy="List at least one version.")
    seen: set[VersionId] = set()
    for share in shares:
        if share.version_id in seen:
            raise VersionListedTwice(share.version_id)
        seen.add(share.version_id)
    total = math.fsum(share.percentage for share in shares)
    if abs(total - 100) > SUM_TOLERANCE:
        raise PercentagesDoNotAddUp(total, where)


def check_cohorts(versions: Sequence[VersionShare], cohorts: Sequence[Cohort]) -> None:
    """Check the limits of R72: five cohorts, two versions over all lists, names unique without case."""
    if not cohorts:
        return
    if len(cohorts) > MAX_COHORTS:
        raise DeploymentError(f"{len(cohorts)} cohorts; at most {MAX_COHORTS} (R72)", remedy="Leave some out.")
    names = [cohort.name.lower() for cohort in cohorts]
    if len(set(names)) < len(names):
        raise DeploymentError("two cohorts have the same name (case does not count)", remedy="Rename one.")
    distinct = {share.version_id for share in versions}
    distinct.update(share.version_id for cohort in cohorts for share in cohort.versions)
    if len(distinct) > MAX_VERSIONS_WITH_COHORTS:
        raise DeploymentError(
            f"{len(distinct)} different versions over the default list and all cohorts; "
            f"at most {MAX_VERSIONS_WITH_COHORTS} (R72)",
            remedy="Use the same two versions everywhere.",
        )
