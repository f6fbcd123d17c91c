"""What is to be simulated: a plan, the traffic under it, and how objects are assigned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final

from gateway.errors import Fault, GatewayError
from gateway.model.durable_object import AssignmentRule
from gateway.model.version import WorkerName

FULL: Final = 100.0
DEFAULT_WORKER: Final = WorkerName("shop")
MAX_REQUESTS: Final = 100_000_000
"""A simulation beyond this would run for minutes: a typing mistake, rather."""


class InvalidScenario(GatewayError):
    """A simulation that cannot be: says which field, what was given and what would do."""

    status: ClassVar[int] = 400
    code: ClassVar[int] = 90_310
    fault: ClassVar[Fault] = "client"


class Order(StrEnum):
    """In which order the deployments of a plan list the two versions (R49)."""

    NEW_FIRST = "new-first"
    OLD_FIRST = "old-first"
    SWAPPED = "swapped"
    """Each step lists them the other way round than the step before."""


class KeySource(StrEnum):
    """Where an affinity key comes from."""

    COOKIE = "cookie"
    """From a cookie that the first answer sets: a first visit's first request has no key (R42)."""

    CLIENT = "client"
    """The client sends it with every request."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A plan and all that is assumed of the traffic; each step of the plan sees the same amount.

    Args:
        plan: The new version's percentage at each step; before the first the old version has 100.
        sessions: Sessions at each step.
        requests: Requests of each session: pages, each followed by its assets.
        assets: Files that a page asks for and that only its own version has (R82); nothing is cached.
        key_share: Share of the users who have an affinity key, 0-1.
        returning: Share of a step's sessions whose user was there before, 0-1.
        objects: Durable Objects; each session uses one of them, drawn evenly.
        new_objects: Share of the objects first used during the plan, evenly over its steps, 0-1.
        worker: Where a key lies depends on the Worker's name.

    Raises:
        InvalidScenario: A field is out of range.
    """

    plan: tuple[float, ...]
    sessions: int = 10_000
    requests: int = 20
    assets: int = 8
    key_share: float = 0.0
    key_source: KeySource = KeySource.COOKIE
    returning: float = 0.0
    objects: int = 0
    new_objects: float = 0.2
    assignment: AssignmentRule = AssignmentRule.STICKY
    order: Order = Order.NEW_FIRST
    worker: WorkerName = DEFAULT_WORKER
    seed: int = 1

    def __post_init__(self) -> None:
        if not self.plan:
            raise InvalidScenario("plan: it has no step", remedy="Give percentages, such as 5,10,25,50,100.")
        for percentage in self.plan:
            if not (math.isfinite(percentage) and 0 <= percentage <= FULL):
                raise InvalidScenario(
                    f"plan: {percentage:g} is no percentage",
                    remedy="Give each step from 0 to 100, such as 5,50,100.",
                )
        for name, least in (("sessions", 1), ("requests", 1), ("assets", 0), ("objects", 0)):
            value = getattr(self, name)
            if value < least:
                raise InvalidScenario(f"{name}: {value} is too few", remedy=f"Give {least} or more.")
        for name in ("key_share", "returning", "new_objects"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise InvalidScenario(f"{name}: {value:g} is no share", remedy="Give a number from 0 to 1.")
        total = len(self.plan) * self.sessions * self.requests
        if total > MAX_REQUESTS:
            raise InvalidScenario(
                f"sessions: {total:,} requests in all are more than {MAX_REQUESTS:,}",
                remedy="Simulate fewer sessions, requests or steps; shares do not depend on how many.",
            )
