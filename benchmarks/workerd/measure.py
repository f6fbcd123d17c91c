"""The order of the parts, and what becomes of one that cannot be measured."""

import http.client
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.figures import (
    BARE_WORKERD,
    GATEWAY,
    OTHER_PROCESS,
    OWN_PROCESS,
    WRANGLER_DEV,
    NotMeasured,
    WorkerdFigures,
)
from benchmarks.load import LoadFailed
from benchmarks.processes import Bench, DidNotStart, without_machine_paths
from benchmarks.workerd.calls import measure_calls
from benchmarks.workerd.edge import Refused, missing_tools
from benchmarks.workerd.get import measure_get
from benchmarks.workerd.moves import measure_moves
from benchmarks.workerd.uploads import measure_uploads
from gateway.control.client import ClientError

GET, CALLS, MOVES, UPLOADS = SCENARIOS = ("workerd-get", "workerd-calls", "workerd-moves", "workerd-uploads")
MOST_ROUNDS = 5
LONGEST_ROUND_SECONDS = 2
"""What is compared here differs by factors; the whole part should take minutes."""

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class WorkerdPlan:
    """How much to measure of versions on workerd.

    Args:
        wanted: Of ``SCENARIOS``, or others that do not matter here.
        part: Returns the place of a part, by its name.
        resident, dormant: How many objects to move.
    """

    wanted: Collection[str]
    part: Callable[[str], Bench]
    rounds: int
    seconds: int
    resident: int
    dormant: int


def measure_workerd(plan: WorkerdPlan) -> WorkerdFigures:
    """Return what was asked for; a part that fails leaves the others their figures."""
    rounds, seconds = min(plan.rounds, MOST_ROUNDS), min(plan.seconds, LONGEST_ROUND_SECONDS)

    def run(name: str, measure: Callable[[Bench], _Result]) -> _Result | NotMeasured | None:
        if name not in plan.wanted:
            return None
        if (missing := missing_tools()) is not None:
            return NotMeasured(missing)
        bench = plan.part(name)
        try:
            return measure(bench)
        except DidNotStart as error:
            failed = NotMeasured(f"does not start: {error}", detail=error.tail)
        except (Refused, LoadFailed, ClientError, OSError, http.client.HTTPException) as error:
            told = without_machine_paths(str(error) or repr(error), bench.folder)
            failed = NotMeasured(told, missing=False)
        bench.say(f"{name}: {failed.why}")
        return failed

    get = run(GET, lambda bench: measure_get(bench, rounds, seconds))
    calls = run(CALLS, lambda bench: measure_calls(bench, rounds))
    moves = run(MOVES, lambda bench: measure_moves(bench, rounds, plan.resident, plan.dormant))
    uploads = run(UPLOADS, lambda bench: measure_uploads(bench, rounds))
    if isinstance(get, NotMeasured):
        get = dict.fromkeys((BARE_WORKERD, WRANGLER_DEV, GATEWAY), get)
    if isinstance(calls, NotMeasured):
        calls = dict.fromkeys((BARE_WORKERD, OWN_PROCESS, OTHER_PROCESS), calls)
    return WorkerdFigures(get, calls, moves, uploads)
