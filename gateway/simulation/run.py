"""A scenario and its traffic -> what happens at each step of the plan.

Every request is decided by ``routing.decide``, in the order of the sessions, with the draws that a gateway started
with the same seed would make: so what is simulated here can be replayed against a running one, count for count.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from gateway.model.request import NO_SIGNALS
from gateway.model.version import VersionId
from gateway.routing.decide import decide
from gateway.simulation.formulas import Notice, expected_of, expected_without_key, shares_of
from gateway.simulation.keys import KeyMoves, KeyTable
from gateway.simulation.objects import ObjectMoves, SimulatedObjects
from gateway.simulation.scenario import FULL, Scenario
from gateway.simulation.steps import NEW, Step, before_plan, steps_of
from gateway.simulation.traffic import NO_PAGE, Session, Traffic, made_up_traffic

SESSIONS_AT_ONCE: Final = 200
"""Sessions between two calls of ``progress``."""

Progress = Callable[[int], None]
"""Is told how many requests were decided since it was last called."""


@dataclass(slots=True)
class StepReport:
    """What happened at one step.

    Args:
        percentage: The new version's.
        mixed_sessions: Sessions that met two versions; ``_expected`` is what theory says.
        asset_404s: Assets asked of a version other than that of the page that wanted them (R82).
        returning_changed: Of the returning sessions, those whose first answer came from another version than the
            last one of the same user's visit before.
        resets: Objects that were used after they moved (R56).
        noticed_after: Requests at the edge until the error rate is noticed; None while the new version has none.
    """

    percentage: float
    keys: KeyMoves
    objects: ObjectMoves
    noticed_after: int | None
    sessions: int = 0
    requests: int = 0
    new_requests: int = 0
    mixed_sessions: int = 0
    mixed_sessions_expected: float = 0.0
    asset_requests: int = 0
    asset_404s: int = 0
    asset_404s_expected: float = 0.0
    returning_sessions: int = 0
    returning_changed: int = 0
    resets: int = 0


@dataclass(slots=True)
class Report:
    """What happened under a plan.

    Args:
        most_resets: Resets of the object that had most.
    """

    scenario: Scenario
    notice: Notice
    steps: list[StepReport] = field(default_factory=list)
    most_resets: int = 0

    def total(self, count: Callable[[StepReport], float]) -> float:
        """Return the sum of a figure over all steps."""
        return sum(map(count, self.steps))


def unseen(_requests: int) -> None:
    """Show nobody how far a simulation has come."""


class _Played(NamedTuple):
    """What one session met."""

    first: VersionId
    last: VersionId
    mixed: bool
    new: int
    missing: int


def simulate(
    scenario: Scenario,
    notice: Notice | None = None,
    *,
    traffic: Traffic | None = None,
    progress: Progress = unseen,
) -> Report:
    """Return what a plan does to its traffic.

    Args:
        traffic: Recorded traffic, instead of what the scenario makes up.
    """
    traffic = traffic or made_up_traffic(scenario)
    report = Report(scenario, (notice or Notice()).checked())
    simulation = _Simulation(scenario, traffic)
    steps = steps_of(scenario.plan, scenario.worker, scenario.order)
    for step, sessions in zip(steps, traffic.steps, strict=True):
        told = simulation.deploy(step, report.notice)
        for batch in _batches(sessions):
            progress(simulation.play(batch, told))
        report.steps.append(told)
    report.most_resets = simulation.objects.most_resets
    return report


class _Simulation:
    """All that outlives a step: keys, objects, what each user met last, and the draws."""

    def __init__(self, scenario: Scenario, traffic: Traffic) -> None:
        start = before_plan(scenario.worker)
        self._step = start
        self._shares = shares_of(start.routing.split)
        self._draws = random.Random(scenario.seed)  # noqa: S311 - the edge's own draws: traffic shares, no secrets
        self.keys = KeyTable(start.routing)
        self.objects = SimulatedObjects(
            traffic.object_ids, traffic.objects_before, start.objects, scenario.assignment
        )
        self._met: dict[str, VersionId] = {}
        for user, facts in traffic.users_before:
            self._met[user] = start.routing.split.at(0.0).version_id
            if facts is not NO_SIGNALS:
                self.keys.version_of(facts)

    def deploy(self, step: Step, notice: Notice) -> StepReport:
        """Go over to a step, and return its report, still without sessions."""
        self._step = step
        self._shares = shares_of(step.routing.split)
        return StepReport(
            percentage=step.percentage,
            keys=self.keys.deploy(step.routing),
            objects=self.objects.deploy(step.objects),
            noticed_after=notice.requests_at_edge(step.percentage),
        )

    def play(self, sessions: Sequence[Session], told: StepReport) -> int:
        """Send the requests of sessions, add what they met to the report, and return how many there were."""
        requests = 0
        for session in sessions:
            told.resets += sum(map(self.objects.use, session.objects))
            if not session.facts:  # it called objects only
                continue
            played = self._played(session)
            requests += len(session.facts)
            before = self._met.get(session.user)
            self._met[session.user] = played.last
            told.returning_sessions += before is not None
            told.returning_changed += before is not None and before != played.first
            told.new_requests += played.new
            told.mixed_sessions += played.mixed
            told.asset_404s += played.missing
            self._expect(session, told)
        told.sessions += len(sessions)
        told.requests += requests
        return requests

    def _draw(self) -> float:
        return self._draws.random() * FULL

    def _played(self, session: Session) -> _Played:
        """Decide every request of a session; one key is decided once, for it decides alike each time (R37)."""
        plan, draw, version_of = self._step.routing, self._draw, self.keys.version_of
        met: list[VersionId] = []
        missing = 0
        for facts, page in zip(session.facts, session.page_of, strict=True):
            version = decide(facts, plan, draw).version_id if facts is NO_SIGNALS else version_of(facts)
            met.append(version)
            if page != NO_PAGE and met[page] != version:
                missing += 1
        new = met.count(NEW)
        return _Played(met[0], met[-1], 0 < new < len(met), new, missing)

    def _expect(self, session: Session, told: StepReport) -> None:
        assets = len(session.page_of) - session.page_of.count(NO_PAGE)
        told.asset_requests += assets
        if session.facts[-1] is NO_SIGNALS and session.facts.count(NO_SIGNALS) == len(session.facts):
            expected = expected_without_key(len(session.facts), assets, self._shares)
        else:
            expected = expected_of(session, self._shares, self.keys.version_of)
        told.mixed_sessions_expected += expected.mixed
        told.asset_404s_expected += expected.missing


def _batches(sessions: Sequence[Session]) -> Iterator[Sequence[Session]]:
    for start in range(0, len(sessions), SESSIONS_AT_ONCE):
        yield sessions[start : start + SESSIONS_AT_ONCE]
