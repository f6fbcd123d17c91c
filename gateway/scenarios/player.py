"""Plays a scenario on a stage, step by step; decides what is sent next, and judges what comes back.

Requests go out one after the other: who draws first is then no race, and the same seed gives the same decisions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, Protocol

from gateway.errors import GatewayError
from gateway.model.fault import Fault
from gateway.scenarios.exchange import Exchange, ObjectMoved, Outgoing, SkewFound
from gateway.scenarios.judge import failures_of
from gateway.scenarios.judge_all import Evidence, failures_of_all
from gateway.scenarios.model import (
    AddFault,
    ClearFaults,
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
from gateway.scenarios.outgoing import files_of, outgoing
from gateway.scenarios.report import StepResult
from gateway.scenarios.titles import title_of
from gateway.scenarios.values import NoSuchValue, saved_value

SHOWN_FAILURES: Final = 5
"""Of each step so many are told; of many requests the others are mostly the same."""


class Stage(Protocol):
    """What a scenario acts upon: a Worker of a running gateway."""

    async def deploy(self, shares: Sequence[tuple[str, float]]) -> Sequence[str]:
        """Make a deployment, and return what its maker should know.

        Raises:
            GatewayError: It is refused; nothing was changed.
        """

    async def send(self, request: Outgoing, *, racing: bool = False) -> Exchange:
        """Send a request, and return what came of it once the gateway has told it.

        Args:
            racing: Whether a deployment is made meanwhile.
        """

    def add_fault(self, fault: Fault) -> None:
        """Make something go wrong.

        Raises:
            GatewayError: It is refused.
        """

    def clear_faults(self) -> None:
        """Take all faults away."""

    async def skew(self) -> Sequence[SkewFound]:
        """Return the version skew among the requests so far, the first of each kind and cause first."""

    async def moved(self) -> Sequence[ObjectMoved]:
        """Return the Durable Objects that went over to other versions."""


class _Ended(Exception):
    """The scenario cannot go on."""


class Player:
    """One playing of a scenario.

    Args:
        clock: Seconds; only durations are taken from it.
    """

    def __init__(self, scenario: Scenario, stage: Stage, seed: int, clock: Callable[[], float]) -> None:
        self._stage = stage
        self._seed = seed
        self._clock = clock
        self._values: dict[str, str] = {}
        self._latest: dict[str, Exchange] = {}
        self._exchanges: list[Exchange] = []
        self._deployed_at = self._visitors = 0
        self._planned = list(_numbered(scenario.steps))

    async def play(self) -> list[StepResult]:
        """Take the steps and return what came of each; one that cannot be taken ends it."""
        results = [StepResult(number, title_of(step)) for number, step in self._planned]
        for (_, step), result in zip(self._planned, results, strict=True):
            began, result.ran = self._clock(), True
            try:
                await self._take(step, result)
            except _Ended:
                break
            finally:
                result.failures = [f"{line} (seed {self._seed})" for line in _fewer(result.failures)]
                result.duration_seconds = self._clock() - began
        return results

    async def _take(self, step: Step, result: StepResult) -> None:
        match step:
            case Deploy():
                await self._deploy(step, result)
            case Send(request):
                await self._send(request, result)
            case SendMany():
                await self._send_many(step, result)
            case Meanwhile():
                await self._meanwhile(step, result)
            case ExpectAll():
                result.failures += await self._failures_of_all(step)
            case AddFault(fault):
                self._add_fault(fault, result)
            case ClearFaults():
                self._stage.clear_faults()
            case Flow():
                pass  # its steps are planned one by one

    async def _deploy(self, step: Deploy, result: StepResult) -> None:
        try:
            result.notes += await self._stage.deploy(step.shares)
        except GatewayError as error:
            result.failures.append(
                f"expected the deployment to be made, seen: {error.message} {error.remedy}".rstrip()
            )
            raise _Ended from error
        self._deployed_at = len(self._exchanges)

    def _add_fault(self, fault: Fault, result: StepResult) -> None:
        try:
            self._stage.add_fault(fault)
        except GatewayError as error:
            result.failures.append(f"expected the fault to be made, seen: {error.message} {error.remedy}".rstrip())
            raise _Ended from error

    async def _send_many(self, step: SendMany, result: StepResult) -> None:
        for number in range(step.count):
            await self._send(_turn(step, number), result)

    async def _meanwhile(self, step: Meanwhile, result: StepResult) -> None:
        await self._send(step.request, result)
        async with asyncio.TaskGroup() as group:
            deploying = group.create_task(self._refusal_of(step.deploy, result))
            for _ in range(step.count - 2):
                await self._send(step.request, result, racing=True)
        refused = deploying.result()
        if refused is not None:
            raise refused
        self._deployed_at = len(self._exchanges)
        await self._send(step.request, result)

    async def _refusal_of(self, step: Deploy, result: StepResult) -> _Ended | None:
        """Deploy beside other work, which an exception would break off."""
        try:
            await self._deploy(step, result)
        except _Ended as ended:
            return ended
        return None

    async def _send(self, request: Request, result: StepResult, *, racing: bool = False) -> None:
        self._visitors += 1
        sent = outgoing(request, self._values, self._visitors)
        exchange = await self._stage.send(sent, racing=racing)
        before = self._latest.get(sent.session) if sent.session else None
        result.failures += failures_of(request.expected, exchange, before)
        if sent.session and exchange.version:
            self._latest[sent.session] = _kept(exchange)
        self._note(exchange, result)
        self._save(request, exchange, result)
        if request.files:
            for kind, file in files_of(exchange, sent):
                self._note((await self._stage.send(file))._replace(kind=kind), result)

    def _note(self, exchange: Exchange, result: StepResult) -> None:
        kept = _kept(exchange)
        self._exchanges.append(kept)
        result.exchanges.append(kept)

    def _save(self, request: Request, exchange: Exchange, result: StepResult) -> None:
        for saved in request.saved:
            try:
                self._values[saved.name] = saved_value(saved, exchange)
            except NoSuchValue as error:
                what = f"a value for {saved.name} ({saved.place}:{saved.what})"
                result.failures.append(f"expected {what}, seen: {error}: {exchange.title} ({exchange.why})")
                raise _Ended from error

    async def _failures_of_all(self, step: ExpectAll) -> list[str]:
        evidence = Evidence(
            self._exchanges,
            self._exchanges[self._deployed_at :],
            await self._stage.skew() if step.skew is not None else (),
            await self._stage.moved() if step.resets_at_most is not None else (),
        )
        return list(failures_of_all(step, evidence))


def _numbered(steps: Sequence[Step], prefix: str = "") -> Iterator[tuple[str, Step]]:
    for number, step in enumerate(steps, 1):
        yield f"{prefix}{number}", step
        if isinstance(step, Flow):
            yield from _numbered(step.steps, f"{prefix}{number}.")


def _turn(step: SendMany, number: int) -> Request:
    """Return the request whose turn it is."""
    request = step.request
    key = f"key-{number % step.keys + 1}" if step.keys else request.key
    session = f"session-{number % step.sessions + 1}" if step.sessions else request.session
    return replace(request, key=key, session=session)


def _kept(exchange: Exchange) -> Exchange:
    """Return what is remembered of a request: a scenario may send thousands, and their bodies were looked at."""
    headers = tuple(pair for pair in exchange.headers if pair[0].lower() == "content-type")
    return exchange._replace(headers=headers, body=b"")


def _fewer(failures: Sequence[str]) -> list[str]:
    more = len(failures) - SHOWN_FAILURES
    return [*failures[:SHOWN_FAILURES], *([f"and {more} more failures of this step"] if more > 0 else [])]
