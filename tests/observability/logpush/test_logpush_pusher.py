"""Jobs that run: what is due is sent, what fails is sent again, nothing holds anything up; a clock of our own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from gateway.errors import StateUnavailable
from gateway.model.logpush_job import JobState, LogpushJob, OutputOptions
from gateway.observability.logpush.batches import Batch
from gateway.observability.logpush.delivery import DeliveryFailed
from gateway.observability.logpush.destinations import Destination
from gateway.observability.logpush.pusher import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Pusher
from gateway.observability.logpush.records import Record, record_of_request
from gateway.observability.logpush.source import Collected, InvocationSource
from tests.control.parts import CLOCK
from tests.model.examples import A, version
from tests.observability.examples import REQUEST

JOB = LogpushJob(1, "a", True, "folder://a", OutputOptions(("Outcome",)), max_upload_interval_seconds=10)
RECORD = record_of_request(REQUEST, version(A, tag="v1"), ())


@dataclass
class FakeSource:
    """Gives what a test puts into it."""

    waiting: list[Record] = field(default_factory=list)
    dropped: int = 0
    is_running: bool = False

    def start(self) -> None:
        self.is_running = True

    def stop(self) -> None:
        self.is_running = False

    def follow(self) -> None:
        """Nobody else is wanted."""

    def take(self, most: int) -> Collected:
        taken, self.waiting = self.waiting[:most], self.waiting[most:]
        dropped, self.dropped = self.dropped, 0
        return Collected(taken, dropped, bool(self.waiting))


@dataclass
class FakeDeliverer:
    """Notes what arrives; fails as often as it is told, and waits where it must."""

    failures: int = 0
    arrived: list[tuple[str, int]] = field(default_factory=list)
    tried: int = 0
    gate: asyncio.Event | None = None
    closed: bool = False

    async def deliver(self, batch: Batch, destination: Destination) -> None:
        self.tried += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise DeliveryFailed("it answered 500")
        self.arrived.append((Path(destination.shown).name, len(batch.lines)))

    async def close(self) -> None:
        self.closed = True


@dataclass
class Stage:
    """A pusher with all around it."""

    now: float = CLOCK
    source: FakeSource = field(default_factory=FakeSource)
    deliverer: FakeDeliverer = field(default_factory=FakeDeliverer)
    saved: list[LogpushJob] = field(default_factory=list)
    draws: Callable[[], float] = lambda: 0.0
    full_disk: bool = False

    def __post_init__(self) -> None:
        self.pusher = Pusher(
            cast("InvocationSource", self.source),
            self.deliverer,
            own_folder=Path("/nowhere"),
            save=self.save,
            draw=self.draws,
            clock=lambda: self.now,
        )

    async def save(self, job: LogpushJob) -> None:
        if self.full_disk:
            raise StateUnavailable(Path("state"), OSError("full"))
        self.saved.append(job)

    async def tick(self, items: int = 0, seconds: float = 0.0) -> None:
        """Let some invocations come, some time pass, and what is begun then end or wait."""
        self.source.waiting += [RECORD] * items
        self.now += seconds
        await self.pusher.tick()
        for _ in range(10):
            await asyncio.sleep(0)

    @property
    def state(self) -> JobState:
        """How the job fares."""
        return self.pusher.jobs[JOB.id].state


async def test_a_batch_goes_when_it_is_due() -> None:
    """Issue C, Logpush: batched by interval; ``last_complete`` is when the last record came; remembered."""
    stage = Stage()
    stage.pusher.put(JOB)
    await stage.tick(items=2)
    await stage.tick(items=1, seconds=9)
    assert stage.deliverer.arrived == []
    await stage.tick(seconds=1)

    assert stage.deliverer.arrived == [("a", 3)]
    assert stage.state == JobState(last_complete="2027-01-15T08:00:09Z")
    assert stage.saved == [stage.pusher.jobs[JOB.id]]


async def test_a_batch_that_fails_is_sent_again_after_ever_longer_pauses() -> None:
    """Issue C, Logpush: retried with backoff; meanwhile the job says so, and new records wait."""
    stage = Stage(deliverer=FakeDeliverer(failures=20))
    stage.pusher.put(JOB)
    await stage.tick(items=1)
    await stage.tick(seconds=10)
    assert (stage.deliverer.tried, stage.state.error_message) == (1, "it answered 500; 1 records wait")
    assert stage.state.last_error == "2027-01-15T08:00:10Z"
    pauses = []
    for tries in range(2, 10):
        begun = stage.now
        while stage.deliverer.tried < tries:
            await stage.tick(seconds=0.5)
        pauses.append(stage.now - begun)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert (pauses[0], pauses[-1]) == (FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)

    stage.deliverer.failures = 0
    await stage.tick(items=4)
    await stage.tick(seconds=60)
    await stage.tick()
    assert stage.deliverer.arrived == [("a", 1), ("a", 4)]
    assert (stage.state.last_error, stage.state.error_message) == ("", "")


async def test_a_slow_destination_holds_up_nobody() -> None:
    """Issue C, Logpush: never blocking; each job has its own pace."""
    stage = Stage(deliverer=FakeDeliverer(gate=asyncio.Event()))
    stage.pusher.put(JOB)
    await stage.tick(items=1)
    await stage.tick(seconds=10)
    await stage.tick(items=1, seconds=10)
    assert stage.deliverer.tried == 1  # not a second time beside the first

    stage.deliverer.gate = None
    stage.pusher.put(replace(JOB, id=2, destination_conf="folder://b"))
    await stage.tick(items=1)
    await stage.tick(seconds=10)
    assert stage.deliverer.arrived == [("b", 1)]


async def test_what_was_dropped_is_told_until_a_batch_has_arrived() -> None:
    """Issue C, Logpush: drops are counted and told in ``error_message``."""
    stage = Stage()
    stage.pusher.put(JOB)
    stage.source.dropped = 7
    await stage.tick(items=1)
    assert stage.state.error_message.startswith("7 records were dropped")
    await stage.tick(seconds=10)
    assert stage.state.error_message.startswith("7 records were dropped")
    assert stage.state.last_complete
    await stage.tick(items=1)
    await stage.tick(seconds=10)
    assert stage.state.error_message == ""


async def test_without_an_enabled_job_nothing_is_listened_to() -> None:
    """Issue C, Logpush: no cost without jobs."""
    stage = Stage()
    changes: list[Callable[[], None]] = [
        partial(stage.pusher.load, [replace(JOB, enabled=False)]),
        partial(stage.pusher.put, JOB),
        partial(stage.pusher.remove, JOB.id),
    ]
    listened = []
    for change in changes:
        change()
        listened.append(stage.source.is_running)

    assert listened == [False, True, False]
    assert stage.pusher.jobs == {}


async def test_a_sample_is_drawn_for_each_record() -> None:
    """Cloudflare docs, ``sample_rate``: of the records, for each job by itself."""
    draws = iter([0.1, 0.9, 0.3, 0.5])
    stage = Stage(draws=lambda: next(draws))
    stage.pusher.put(replace(JOB, output=replace(JOB.output, sample_rate=0.5)))
    stage.pusher.put(replace(JOB, id=2, destination_conf="folder://b"))
    await stage.tick(items=4)
    await stage.tick(seconds=10)

    assert stage.deliverer.arrived == [("a", 2), ("b", 4)]


async def test_what_waits_for_a_job_that_changed_goes_where_it_did() -> None:
    """A record that came before the change belongs to the old definition."""
    stage = Stage()
    stage.pusher.put(JOB)
    await stage.tick(items=2)
    stage.source.waiting = [RECORD]
    stage.pusher.put(replace(JOB, destination_conf="folder://b"))
    await stage.tick(items=1)
    await stage.tick(seconds=10)

    assert sorted(stage.deliverer.arrived) == [("a", 3), ("b", 1)]
    assert [job.destination_conf for job in stage.saved] == ["folder://b"]


async def test_what_waits_is_sent_when_the_gateway_stops() -> None:
    """Issue C, Logpush: a batch that is not full is not lost."""
    stage = Stage()
    stage.pusher.put(replace(JOB, max_upload_records=2))
    await stage.tick()
    stage.source.waiting = [RECORD] * 5
    await stage.pusher.close()

    assert stage.deliverer.arrived == [("a", 2), ("a", 2), ("a", 1)]
    assert (stage.deliverer.closed, stage.source.is_running) == (True, False)
    assert stage.saved


@pytest.mark.parametrize("destination", ["file:///no/such/folder", "folder://../up"])
async def test_a_folder_that_is_gone_is_a_failure_like_any_other(destination: str) -> None:
    """A disk may be mounted again: the job goes on to try."""
    stage = Stage()
    stage.pusher.load([replace(JOB, destination_conf=destination)])
    await stage.tick(items=1)
    await stage.tick(seconds=10)

    assert stage.deliverer.tried == 0
    assert "destination_conf" in stage.state.error_message


async def test_a_state_that_cannot_be_written_stops_no_job() -> None:
    """Design 9: a full disk is an error to the one who writes, and no end."""
    stage = Stage(full_disk=True)
    stage.pusher.put(JOB)
    await stage.tick(items=1)
    await stage.tick(seconds=10)

    assert stage.deliverer.arrived == [("a", 1)]
    assert stage.state.last_complete
