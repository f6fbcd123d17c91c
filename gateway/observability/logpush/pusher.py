"""Jobs that run: each has its batch, its destination, its own pace; none holds up another, or a request."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

import structlog

from gateway.errors import BadRequest, GatewayError
from gateway.model.logpush_job import LogpushJob
from gateway.observability.logpush.batches import Batch, Batcher
from gateway.observability.logpush.delivery import DeliveryFailed
from gateway.observability.logpush.destinations import Destination, parse_destination
from gateway.observability.logpush.records import Record, line_of
from gateway.observability.logpush.source import InvocationSource

log = structlog.get_logger("gateway.logpush")

TICK_SECONDS: Final = 0.05
SLICE: Final = 50
"""So many invocations become records before requests have their turn again: some 3 ms."""

SLICES: Final = 10
"""In one tick, so that some 10,000 invocations a second are written at most."""

FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 1.0
"""So long it may take until a changed ``logpush`` setting of a Worker is noticed."""

SETTLE_SECONDS: Final = 0.2
"""Once the gateway stops: what workerd tells of the last requests comes a moment later."""

LAST_SECONDS: Final = 5.0
"""How long batches may still be delivered once the gateway stops."""


class Delivers(Protocol):
    """What takes a batch to its destination."""

    async def deliver(self, batch: Batch, destination: Destination) -> None: ...  # noqa: D102 - see `Deliverer`
    async def close(self) -> None: ...  # noqa: D102


class _Run:
    """One enabled job.

    Attributes:
        pending: The batch that is being sent, or will be sent again.
        failures: In a row.
        retry_at: Not before then.
        dropped: Records since the last batch that arrived.
    """

    def __init__(self, job: LogpushJob) -> None:
        self.job = job
        self.batcher = Batcher(job)
        self.pending: Batch | None = None
        self.failures = 0
        self.retry_at = 0.0
        self.dropped = 0
        self.is_sending = False

    @property
    def waiting(self) -> int:
        """Records that have not arrived."""
        return len(self.batcher) + (len(self.pending.lines) if self.pending else 0)


class Pusher:
    """Runs jobs; without an enabled one it does nothing and listens to nothing.

    Args:
        own_folder: Holds the folders of ``folder://``.
        save: Remembers a job with its new state.
        draw: Random numbers on [0, 1), for jobs that want a sample.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        source: InvocationSource,
        deliverer: Delivers,
        *,
        own_folder: Path,
        save: Callable[[LogpushJob], Awaitable[None]],
        draw: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._source = source
        self._deliverer = deliverer
        self._own_folder = own_folder
        self._save = save
        self._draw = draw
        self._clock = clock
        self._jobs: dict[int, LogpushJob] = {}
        self._runs: dict[int, _Run] = {}
        self._looked_at = 0.0
        self._awake = asyncio.Event()
        # Tasks of its own: what is being sent must not be cut when the data plane ends its tasks, and sent again.
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def jobs(self) -> Mapping[int, LogpushJob]:
        """All jobs by id, with their state now."""
        return self._jobs

    def load(self, jobs: Iterable[LogpushJob]) -> None:
        """Take over the jobs that are remembered."""
        for job in jobs:
            self.put(job)

    def put(self, job: LogpushJob) -> None:
        """Run a job that is new or has changed; what waits for one that changed still goes where it did."""
        self._end(job.id)
        self._jobs[job.id] = job
        if job.enabled:
            self._runs[job.id] = _Run(job)
        self._follow()

    def remove(self, job_id: int) -> None:
        """Run a job no more; what waits for it is sent once."""
        self._end(job_id)
        self._jobs.pop(job_id, None)
        self._follow()

    async def run(self) -> None:
        """Collect and send, until cancelled."""
        while True:
            await self._awake.wait()
            await self.tick()
            await asyncio.sleep(TICK_SECONDS)

    async def tick(self) -> None:
        """Write what has come, and send what is due."""
        self._look_again()
        for _ in range(SLICES):
            if not self._collect():
                break
            await asyncio.sleep(0)
        now = self._clock()
        for run in self._runs.values():
            is_due = run.batcher.is_due(now) if run.pending is None else now >= run.retry_at
            if is_due and not run.is_sending:
                run.is_sending = True
                self._spawn(self._send_next(run))

    async def close(self) -> None:
        """Send what waits, for a short while."""
        if self._runs:
            await asyncio.sleep(SETTLE_SECONDS)
        self._collect_all()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                await asyncio.gather(*self._tasks, *(self._send_rest(run) for run in self._runs.values()))
        for run in self._runs.values():
            _tell_lost(run)
        for task in self._tasks:
            task.cancel()
        self._source.stop()
        await self._deliverer.close()

    # From invocations to lines.

    def _look_again(self) -> None:
        """Now and then ask who is wanted: a Worker's ``logpush`` setting may be another."""
        now = self._clock()
        if not 0 <= now - self._looked_at < LOOK_SECONDS:
            self._looked_at = now
            self._source.follow()

    def _collect_all(self) -> None:
        while self._runs and self._collect():
            pass

    def _collect(self) -> bool:
        """Write a slice of what has come; tell whether more waits."""
        collected = self._source.take(SLICE)
        now = self._clock()
        for record in collected.records:
            self._write(record, now)
        for run in self._runs.values():
            run.batcher.drop(collected.dropped)
            self._tell_dropped(run, now)
        return collected.more

    def _write(self, record: Record, now: float) -> None:
        for run in self._runs.values():
            output = run.job.output
            if output.sample_rate >= 1 or self._draw() < output.sample_rate:
                run.batcher.add(line_of(record, output), now)

    def _tell_dropped(self, run: _Run, now: float) -> None:
        dropped = run.batcher.take_dropped()
        if not dropped:
            return
        if not run.dropped:
            log.error("logpush.records_dropped", job=run.job.id, remedy=_DROP_REMEDY)
        run.dropped += dropped
        self._set_state(run, last_error=_moment(now), error_message=_dropped_message(run.dropped))

    # From lines to destinations.

    async def _send_next(self, run: _Run) -> None:
        try:
            await self._attempt(run)
        finally:
            run.is_sending = False
        await self._remember(run)

    async def _attempt(self, run: _Run) -> bool:
        """Send a batch once; tell whether it arrived."""
        run.pending = run.pending or run.batcher.take()
        if run.pending is None:
            return False
        try:
            await self._deliverer.deliver(
                run.pending, parse_destination(run.job.destination_conf, self._own_folder)
            )
        except (DeliveryFailed, BadRequest) as error:
            self._failed(run, error.message if isinstance(error, BadRequest) else str(error))
            return False
        self._arrived(run, run.pending)
        return True

    def _failed(self, run: _Run, why: str) -> None:
        now = self._clock()
        pause = min(FIRST_PAUSE_SECONDS * 2**run.failures, LONGEST_PAUSE_SECONDS)
        run.failures += 1
        run.retry_at = now + pause
        told = f"{why}; {run.waiting} records wait"
        if run.dropped:
            told = f"{told}; {_dropped_message(run.dropped)}"
        log.warning("logpush.failed", job=run.job.id, error=why, waiting=run.waiting, retry_seconds=pause)
        self._set_state(run, last_error=_moment(now), error_message=told)

    def _arrived(self, run: _Run, batch: Batch) -> None:
        dropped, run.dropped = run.dropped, 0
        run.pending, run.failures = None, 0
        self._set_state(
            run,
            last_complete=_moment(batch.end),
            last_error=_moment(self._clock()) if dropped else "",
            error_message=_dropped_message(dropped) if dropped else "",
        )

    async def _send_rest(self, run: _Run) -> None:
        """Send all that waits, each batch once; the first that fails ends it."""
        while run.is_sending:
            await asyncio.sleep(TICK_SECONDS)
        while run.waiting and await self._attempt(run):
            pass
        if self._runs.get(run.job.id) is run:
            await self._remember(run)
        else:
            _tell_lost(run)

    def _end(self, job_id: int) -> None:
        if job_id in self._runs:
            self._collect_all()
        run = self._runs.pop(job_id, None)
        if run is not None and run.waiting:
            self._spawn(self._send_rest(run))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task.failed", exc_info=error)

    def _set_state(self, run: _Run, **changes: str) -> None:
        run.job = replace(run.job, state=replace(run.job.state, **changes))
        if self._runs.get(run.job.id) is run:
            self._jobs[run.job.id] = run.job

    async def _remember(self, run: _Run) -> None:
        if self._runs.get(run.job.id) is not run:
            return  # another definition is in force
        try:
            await self._save(run.job)
        except GatewayError as error:
            log.error("logpush.not_written", job=run.job.id, error=error.message)

    def _follow(self) -> None:
        """Listen while any job is enabled."""
        if self._runs:
            self._source.start()
            self._awake.set()
        else:
            self._awake.clear()
            self._source.stop()


_DROP_REMEDY: Final = "The destination is too slow, or more comes than can be written: use a lower sample_rate."


def _tell_lost(run: _Run) -> None:
    if run.waiting:
        log.error("logpush.records_lost", job=run.job.id, count=run.waiting)


def _dropped_message(count: int) -> str:
    return f"{count} records were dropped: more came than could be written or wait"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
