"""When a batch is due, and that what waits is bounded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.model.logpush_job import LogpushJob, OutputOptions
from gateway.observability.logpush.batches import UPLOAD_SECONDS, WAITING_BYTES, Batcher
from tests.control.parts import CLOCK

JOB = LogpushJob(1, "", True, "folder://a", OutputOptions(("Outcome",)))
LINE = b"x" * 99


def batcher(lines: int = 0, **limits: Any) -> Batcher:
    """Return a batcher in which some lines of 100 bytes wait, the newline counted."""
    made = Batcher(replace(JOB, **limits))
    for _ in range(lines):
        made.add(LINE, CLOCK)
    return made


DUE = {
    "nothing waits": (batcher(0), CLOCK + 1e6, False),
    "a line that is young": (batcher(1), CLOCK + UPLOAD_SECONDS - 0.1, False),
    "one that is old": (batcher(1), CLOCK + UPLOAD_SECONDS, True),
    "the job's own interval": (batcher(1, max_upload_interval_seconds=60), CLOCK + 59, False),
    "and past it": (batcher(1, max_upload_interval_seconds=60), CLOCK + 60, True),
    "a clock that was set back": (batcher(1), CLOCK - 3600, True),
    "too few": (batcher(9, max_upload_records=10), CLOCK, False),
    "enough": (batcher(10, max_upload_records=10), CLOCK, True),
    "too small": (batcher(9, max_upload_bytes=1_000), CLOCK, False),
    "large enough": (batcher(10, max_upload_bytes=1_000), CLOCK, True),
}


@pytest.mark.parametrize(("waiting", "now", "due"), DUE.values(), ids=DUE)
def test_a_batch_is_due_by_size_count_or_age(waiting: Batcher, now: float, due: bool) -> None:
    """Issue C, Logpush: batched; Cloudflare docs, ``max_upload_bytes``, ``_records``, ``_interval_seconds``."""
    assert waiting.is_due(now) is due


@pytest.mark.parametrize("limits", [{"max_upload_records": 4}, {"max_upload_bytes": 450}])
def test_no_batch_is_larger_than_the_job_says(limits: dict[str, int]) -> None:
    """Cloudflare docs, as above: what is left waits for the next one, in order."""
    waiting = batcher(0, **limits)
    for number in range(10):
        waiting.add(b"%099d" % number, CLOCK + number)
    taken = [waiting.take() for _ in range(4)]

    assert [len(one.lines) if one else 0 for one in taken] == [4, 4, 2, 0]
    assert [(one.begin - CLOCK, one.end - CLOCK) for one in taken if one] == [(0, 3), (4, 7), (8, 9)]
    assert [int(line) for one in taken if one for line in one.lines] == list(range(10))
    assert taken[2] is not None
    assert taken[2].content == b"%099d\n%099d\n" % (8, 9)


def test_a_line_that_is_larger_than_a_batch_goes_alone() -> None:
    """Nothing waits for ever."""
    waiting = batcher(2, max_upload_bytes=10)

    assert [len(one.lines) for one in (waiting.take(), waiting.take()) if one] == [1, 1]


def test_what_waits_is_bounded_and_what_was_dropped_is_counted() -> None:
    """Issue C, Logpush: bounded memory; drops are counted."""
    waiting = batcher()
    huge = b"x" * (WAITING_BYTES // 10)
    for _ in range(15):
        waiting.add(huge, CLOCK)
    waiting.drop(3)

    assert (len(waiting), waiting.take_dropped(), waiting.take_dropped()) == (9, 9, 0)
    while waiting.take():
        pass
    waiting.add(huge, CLOCK)
    assert (len(waiting), waiting.take_dropped()) == (1, 0)
