"""Which version has which file, as far as its answers told: bounded."""

from __future__ import annotations

from typing import Final

from gateway.skew.bounded import Bounded
from gateway.skew.facts import RequestSeen, short
from gateway.skew.requests import Answer, answer_for

MAX_FILES: Final = 8_192
MAX_VERSIONS: Final = 8
"""So many versions are remembered of each path."""

File = tuple[str, str]
"""A Worker and a path."""


def file_of(seen: RequestSeen) -> File:
    """Return the file that a request asks for; a query only breaks caches."""
    return seen.worker, short(seen.path)


class FileMemory:
    """Answers by file and version. That a version lacks a file outweighs that it had it: versions never change."""

    def __init__(self, size: int = MAX_FILES) -> None:
        self._files: Bounded[File, tuple[tuple[str, Answer], ...]] = Bounded(size)

    def __len__(self) -> int:
        return len(self._files)

    def knows(self, file: File) -> bool:
        """Return whether any version was asked for it."""
        return self._files.get(file) is not None

    def note(self, seen: RequestSeen) -> bool:
        """Note an answer, and return whether it told anything new."""
        answer, file = answer_for(seen), file_of(seen)
        known = dict(self._files.get(file) or ())
        before = known.get(seen.version_id, Answer.SILENT)
        if answer is Answer.SILENT or before in (answer, Answer.LACKS):
            self._files.touch(file)
            return False
        known.pop(seen.version_id, None)
        others = list(known.items())[-(MAX_VERSIONS - 1) :]
        self._files.put(file, (*others, (seen.version_id, answer)))
        return True

    def answer(self, file: File, version_id: str) -> Answer:
        """Return what a version said of a file; ``SILENT`` where it was not asked."""
        return dict(self._files.get(file) or ()).get(version_id, Answer.SILENT)
