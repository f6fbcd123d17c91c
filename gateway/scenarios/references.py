"""Which versions a scenario names: looked up before it begins, so that a misspelt one changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.model.fault import Fault
from gateway.scenarios.model import (
    AddFault,
    Deploy,
    ExpectAll,
    Flow,
    Meanwhile,
    Request,
    Scenario,
    Send,
    SendMany,
    Step,
)


def versions_named(scenario: Scenario) -> list[str]:
    """Return the tags and ids that a scenario names, each once, in their order."""
    return list(dict.fromkeys(name for step in scenario.steps for name in _of_step(step)))


def faults_of(steps: Iterable[Step]) -> Iterator[Fault]:
    """Yield the faults that steps make."""
    for step in steps:
        if isinstance(step, AddFault):
            yield step.fault
        elif isinstance(step, Flow):
            yield from faults_of(step.steps)


def _of_step(step: Step) -> Iterator[str]:
    match step:
        case Deploy(shares):
            yield from (tag for tag, _ in shares)
        case Send(request) | SendMany(request):
            yield from _of_request(request)
        case Meanwhile(deploy, request):
            yield from _of_step(deploy)
            yield from _of_request(request)
        case Flow(_, steps):
            for inner in steps:
                yield from _of_step(inner)
        case ExpectAll(split):
            yield from (tag for tag, _ in split)


def _of_request(request: Request) -> Iterator[str]:
    if request.override:
        yield request.override
    yield from request.expected.versions
