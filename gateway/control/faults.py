"""The faults of a running gateway: which there are, and which of them a request meets."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from itertools import count

from gateway.control.catalog import Catalog
from gateway.errors import GatewayError, NotFound
from gateway.model.fault import Fault, FaultKind, InvalidFault
from gateway.routing.faults import FaultFacts, first_met, is_named


class FaultExists(GatewayError):
    """A fault has the name already."""

    status, code, fault = 409, 90_171, "client"


@dataclass(slots=True)
class KnownFault:
    """A fault and what became of it.

    Attributes:
        met: How many requests have met it.
        from_file: Whether the configuration names it; such a one goes when the file no longer does.
    """

    fault: Fault
    from_file: bool = False
    met: int = 0

    @property
    def is_spent(self) -> bool:
        """Whether it was met as often as it may be."""
        return self.fault.times is not None and self.met >= self.fault.times


class Faults:
    """All faults, in the order they were added. They last as long as the gateway runs.

    Args:
        draw: Returns the next random point on [0, 100), from a source of its own: faults must not change which
            versions the percentages draw.
        on_change: Called whenever there are others than before.
    """

    def __init__(self, draw: Callable[[], float], on_change: Callable[[], None]) -> None:
        self.draw = draw
        self._on_change = on_change
        self._known: dict[str, KnownFault] = {}

    @property
    def known(self) -> Collection[KnownFault]:
        """All of them."""
        return self._known.values()

    @property
    def propagation_seconds(self) -> float:
        """For how long after a deployment requests may still meet the one before."""
        late = (one.fault.ms for one in self.known if one.fault.kind is FaultKind.LATE_PROPAGATION)
        return max(late, default=0.0) / 1000

    def add(self, fault: Fault) -> Fault:
        """Add a fault, and return it with its name.

        Raises:
            FaultExists: There is one with its name.
        """
        return self._add(fault)

    def _add(self, fault: Fault, *, from_file: bool = False, taken: Collection[str] = ()) -> Fault:
        if not fault.name:
            fault = replace(fault, name=self._free_name(fault.kind, taken))
        if fault.name in self._known:
            raise FaultExists(
                f"there is a fault {fault.name!r} already",
                remedy=f"Give it another name, or take that one away: gateway fault clear {fault.name}",
            )
        self._known[fault.name] = KnownFault(fault, from_file)
        self._on_change()
        return fault

    def remove(self, name: str) -> Fault:
        """Take a fault away, and return it.

        Raises:
            NotFound: There is none of that name.
        """
        if name not in self._known:
            there = ", ".join(self._known) or "none"
            raise NotFound(
                f"there is no fault {name!r} (there are: {there})", remedy="gateway fault list shows them."
            )
        removed = self._known.pop(name)
        self._on_change()
        return removed.fault

    def clear(self) -> int:
        """Take all faults away, and return how many there were."""
        there = len(self._known)
        self._known.clear()
        self._on_change()
        return there

    def hold(self) -> Callable[[], None]:
        """Return what makes all faults as they are now, with their counts."""
        held = {name: replace(known) for name, known in self._known.items()}

        def put_back() -> None:
            self._known = held
            self._on_change()

        return put_back

    def use_file(self, faults: Iterable[Fault]) -> None:
        """Follow the configuration file: what it names now is there, what it named before is gone.

        A fault that it still names in the same words keeps its count. One added by hand under a name that the file
        now uses gives way: a file is never half applied.
        """
        before = self._known
        named = list(faults)
        kept = {one.name for one in named}
        self._known = {name: known for name, known in before.items() if not known.from_file and name not in kept}
        for fault in named:
            old = before.get(fault.name) if fault.name else None
            if old is not None and old.from_file and old.fault == fault:
                self._known[fault.name] = old
            else:
                self._add(fault, from_file=True, taken=kept)
        self._on_change()

    def meet(self, kinds: Collection[FaultKind], facts: FaultFacts) -> Fault | None:
        """Return the first fault of these kinds that a request meets, and count it."""
        open_ones = [one.fault for one in self.known if one.fault.kind in kinds and not one.is_spent]
        met = first_met(open_ones, facts, self.draw)
        if met is not None:
            self._known[met.name].met += 1
        return met

    def _free_name(self, kind: FaultKind, taken: Collection[str]) -> str:
        names = (f"{kind.value}-{number}" for number in count(1))
        return next(name for name in names if name not in self._known and name not in taken)


def check_named(fault: Fault, catalog: Catalog) -> None:
    """Refuse a fault that no request could meet, for what it names is not there.

    Raises:
        InvalidFault: There is no such Worker, or no such version.
    """
    workers = catalog.workers
    if fault.worker and fault.worker not in workers:
        raise InvalidFault(
            "worker",
            f"there is no Worker {fault.worker!r}",
            remedy=f"Name one of: {', '.join(workers) or 'none'}.",
        )
    records = [record for name, record in workers.items() if fault.worker in ("", name)]
    versions = [version for record in records for version in record.versions.values()]
    if fault.version and not any(is_named(version, fault.version) for version in versions):
        labels = ", ".join(dict.fromkeys(version.label for version in versions)) or "none"
        raise InvalidFault("version", f"there is no version {fault.version!r}", remedy=f"Name one of: {labels}.")
