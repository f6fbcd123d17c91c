"""The cases of a version matrix: which deployments a test runs under, and what each is called; no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, permutations, product
from typing import Any

HALF = 50.0
WHOLE = 100.0
USAGE = '@pytest.mark.version_matrix("shop", ["v1", "v2"])'


class InvalidMatrix(ValueError):
    """A mark that says nothing of which cases could be made."""


@dataclass(frozen=True, slots=True)
class WorkerCase:
    """What one Worker does in one case: percentages by tag, and those after the switch, if there is one."""

    worker: str
    before: Mapping[str, float]
    after: Mapping[str, float] = field(default_factory=dict)

    @property
    def at_rest(self) -> bool:
        """Whether one version answers from beginning to end."""
        return not self.after and len(self.before) == 1

    @property
    def tags(self) -> frozenset[str]:
        """All versions that it deploys."""
        return frozenset({*self.before, *self.after})

    def __str__(self) -> str:
        steps = [self.before, self.after] if self.after else [self.before]
        return f"{self.worker}={'->'.join(map(_shares_text, steps))}"


@dataclass(frozen=True, slots=True)
class Case:
    """One run of a test: what each Worker of the matrix does in it."""

    workers: tuple[WorkerCase, ...]

    @property
    def switches(self) -> bool:
        """Whether there is something to switch to."""
        return any(one.after for one in self.workers)

    def __str__(self) -> str:
        return "+".join(map(str, self.workers))


def _shares_text(shares: Mapping[str, float]) -> str:
    if len(shares) == 1:
        return next(iter(shares))
    return ",".join(f"{tag}:{percentage:g}" for tag, percentage in shares.items())


def worker_cases(
    worker: object = None,
    versions: object = None,
    /,
    *surplus: object,
    switches: bool = True,
    splits: Sequence[float] = (HALF,),
    **unknown: Any,
) -> list[WorkerCase]:
    """Return the cases that one mark stands for: each version, each ordered pair, each split.

    Args:
        splits: Percentages of the one that stands first in ``versions``; the other gets the rest.

    Raises:
        InvalidMatrix: The mark is wrong; says how.
    """
    if surplus or unknown:
        more = ", ".join([*map(repr, surplus), *unknown])
        raise InvalidMatrix(
            f"version_matrix does not know {more}; it takes switches=True and splits=(50,): {USAGE}"
        )
    if not isinstance(worker, str) or not worker:
        raise InvalidMatrix(f"version_matrix: {worker!r} is no name of a Worker: {USAGE}")
    tags = _tags(worker, versions)
    for percentage in splits:
        if not 0 < percentage < WHOLE:
            raise InvalidMatrix(f"version_matrix({worker!r}): splits: {percentage!r} is not between 0 and 100")
    return list(_cases(worker, tags, switches, splits))


def _tags(worker: str, versions: object) -> list[str]:
    if isinstance(versions, str) or not isinstance(versions, Sequence) or not versions:
        raise InvalidMatrix(f"version_matrix({worker!r}): {versions!r} is no list of tags: {USAGE}")
    tags = list(versions)
    if not all(isinstance(tag, str) and tag for tag in tags):
        raise InvalidMatrix(f"version_matrix({worker!r}): {versions!r}: a tag is a text: {USAGE}")
    if len(set(tags)) < len(tags):
        raise InvalidMatrix(f"version_matrix({worker!r}): {versions!r} names a version twice")
    return tags


def _cases(worker: str, tags: Sequence[str], switches: bool, splits: Iterable[float]) -> Iterator[WorkerCase]:
    for tag in tags:
        yield WorkerCase(worker, {tag: WHOLE})
    for before, after in permutations(tags, 2) if switches else ():
        yield WorkerCase(worker, {before: WHOLE}, {after: WHOLE})
    # Both orders of a pair hold the same two versions: one of them is enough.
    for first, second in combinations(tags, 2):
        for percentage in dict.fromkeys(splits):
            yield WorkerCase(worker, {first: percentage, second: WHOLE - percentage})


def combined(matrices: Sequence[Sequence[WorkerCase]]) -> list[Case]:
    """Return the cases of all Workers together, without those in which more than one is split or switches.

    What fails then fails with one in motion already, but for what only three parties could do to each other.
    """
    return [Case(workers) for workers in product(*matrices) if sum(not worker.at_rest for worker in workers) <= 1]
