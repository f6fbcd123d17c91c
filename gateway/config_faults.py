"""The list ``faults`` of a configuration file."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.config_place import Place
from gateway.model.fault import Fault, InvalidFault, fault_from
from gateway.routing.faults import is_named
from gateway.settings import WorkerSettings


def read_faults(place: Place, workers: Sequence[WorkerSettings]) -> tuple[Fault, ...]:
    """Return the faults of the file.

    Raises:
        ConfigError: One cannot be, has a name that another has, or names a version that its Worker does not list.
    """
    faults: list[Fault] = []
    for item in place.items():
        fault = read_fault(item)
        entries = dict(item.entries())
        if fault.name and fault.name in {one.name for one in faults}:
            entries["name"].wrong(f"two faults are named {fault.name!r}", "Give each its own name.")
        _check_worker(fault, entries, workers)
        faults.append(fault)
    return tuple(faults)


def read_fault(item: Place) -> Fault:
    """Return the fault that stands somewhere.

    Raises:
        ConfigError: It cannot be.
    """
    entries = dict(item.entries())
    try:
        return fault_from({name: one.json_value() for name, one in entries.items()})
    except InvalidFault as error:
        if error.field in entries:
            entries[error.field].wrong(error.problem, error.remedy)
        item.wrong(f"{error.field}: {error.problem}", error.remedy)


def _check_worker(fault: Fault, entries: dict[str, Place], workers: Sequence[WorkerSettings]) -> None:
    """Look for what the fault names in the file alone: what is uploaded may come later."""
    worker = next((one for one in workers if one.name == fault.worker), None)
    listed = worker.listed if worker is not None else ()
    tags = [version.tag for version in listed]
    if listed and fault.version and not any(is_named(version, fault.version) for version in listed):
        entries["version"].wrong(
            f"Worker {fault.worker} lists no version {fault.version!r}", f"Versions here: {', '.join(tags)}."
        )
