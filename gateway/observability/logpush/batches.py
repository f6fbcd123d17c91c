"""Records that wait for their batch: bounded, and due by size, count or age; pure."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from gateway.model.logpush_job import LogpushJob

UPLOAD_BYTES: Final = 5_000_000
UPLOAD_RECORDS: Final = 100_000
UPLOAD_SECONDS: Final = 5.0
"""A batch's limits where the job says 0; none is larger than these or a quarter of what may wait."""

WAITING_BYTES: Final = 32_000_000
"""So much waits for a destination that is slow or gone; what comes then is dropped and counted."""

_LINE_OVERHEAD: Final = 64
"""What Python takes for a line beside its bytes, about."""


class Batch(NamedTuple):
    """Lines for one upload.

    Args:
        begin, end: When the first and the last one came, in seconds since the epoch.
    """

    lines: tuple[bytes, ...]
    begin: float
    end: float

    @property
    def content(self) -> bytes:
        """The lines as NDJSON."""
        return b"".join(line + b"\n" for line in self.lines)


class Batcher:
    """Collects lines of one job."""

    def __init__(self, job: LogpushJob) -> None:
        self._most_bytes = min(job.max_upload_bytes or UPLOAD_BYTES, WAITING_BYTES // 4)
        self._most_records = min(job.max_upload_records or UPLOAD_RECORDS, UPLOAD_RECORDS)
        self._most_seconds = job.max_upload_interval_seconds or UPLOAD_SECONDS
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._line_bytes = 0
        self._kept_bytes = 0
        self._dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, line: bytes, now: float) -> None:
        """Let a line wait, or drop it where too much waits already."""
        if self._kept_bytes + len(line) + _LINE_OVERHEAD > WAITING_BYTES:
            self._dropped += 1
            return
        self._waiting.append((now, line))
        self._account(len(line), 1)

    def drop(self, count: int) -> None:
        """Count records as dropped that never came here."""
        self._dropped += count

    def take_dropped(self) -> int:
        """Return and forget how many were dropped."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    def is_due(self, now: float) -> bool:
        """Tell whether a batch is full, or its first line has waited long enough."""
        if not self._waiting:
            return False
        is_full = self._line_bytes >= self._most_bytes or len(self._waiting) >= self._most_records
        # A clock that was set back must not hold anything up.
        return is_full or not 0 <= now - self._waiting[0][0] < self._most_seconds

    def take(self) -> Batch | None:
        """Return the oldest lines as a batch, or None where there are none."""
        if not self._waiting:
            return None
        begin = end = self._waiting[0][0]
        lines: list[bytes] = []
        size = 0
        while self._waiting and len(lines) < self._most_records:
            at, line = self._waiting[0]
            if lines and size + len(line) + 1 > self._most_bytes:
                break
            self._waiting.popleft()
            self._account(len(line), -1)
            lines.append(line)
            size += len(line) + 1
            end = at
        return Batch(tuple(lines), begin, end)

    def _account(self, length: int, sign: int) -> None:
        self._line_bytes += sign * (length + 1)
        self._kept_bytes += sign * (length + _LINE_OVERHEAD)
