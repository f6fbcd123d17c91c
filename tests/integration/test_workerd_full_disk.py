"""A disk that takes no more: refused or rolled back, and the old deployment serves on."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.edge_process import EdgeProcess, running_edge
from tests.integration.workers_api import Probed, Refused, by_hash, edge_config

NO_LIMIT = resource.RLIM_INFINITY
NAMES = [f"object-{number}" for number in range(8)]


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[EdgeProcess]:
    """A gateway whose log is no file."""
    with running_edge(tmp_path, edge_config([by_hash("full")]), piped_log=True) as edge:
        yield edge


def limit_files(edge: EdgeProcess, most_bytes: int) -> None:
    """Let every write of the gateway that would make a file longer fail, as on a full disk; needs no root."""
    resource.prlimit(edge.pid, resource.RLIMIT_FSIZE, (most_bytes, NO_LIMIT))


def check_serves(worker: Probed, version: str, uses: int) -> None:
    """The old deployment is active, and its objects count on."""
    assert worker.active() == {version: 100}
    counted = worker.counted(NAMES)
    assert {(told["version"], told["memoryCount"], told["storedCount"]) for told in counted.values()} == {
        (version, uses, uses)
    }
    assert set(map(tuple, worker.owners_on_disk().values())) == {(version,)}


def test_on_a_full_disk_uploads_and_deployments_are_refused_and_the_old_one_serves_on(edge: EdgeProcess) -> None:
    """Issue B: "Full disk during upload, during a move: refused or rolled back, old deployment serves on"."""
    worker = Probed(edge, "full")
    a, b = worker.deploy_first(), worker.upload()
    worker.counted(NAMES)
    limit_files(edge, 0)
    for attempt in (
        worker.upload,
        worker.deploy,
        lambda: worker.split((b, 100)),
        lambda: worker.split((b, 50), (a, 50)),
    ):
        with pytest.raises(Refused) as refused:
            attempt()
        assert refused.value.status == 507
        assert refused.value.code == 90_021
    check_serves(worker, a, 2)

    limit_files(edge, NO_LIMIT)

    worker.split((b, 100))
    counted = worker.counted(NAMES)
    assert {(told["version"], told["memoryCount"], told["storedCount"]) for told in counted.values()} == {
        (b, 1, 3)
    }
    assert worker.upload()


def test_a_move_that_cannot_be_written_down_is_rolled_back(edge: EdgeProcess) -> None:
    """Issue B, during a move: files go to the new owner and come back; nothing stored is lost."""
    worker = Probed(edge, "full")
    a, b = worker.deploy_first(), worker.upload()
    worker.split((a, 100), (b, 0))
    worker.counted(NAMES)
    # From here on the gateway reads and renames, but its database cannot grow.
    limit_files(edge, (edge.state / "gateway.sqlite-wal").stat().st_size)
    with pytest.raises(Refused) as refused:
        worker.split((b, 100), (a, 0))
    assert refused.value.status == 507

    counted = worker.counted(NAMES)

    assert worker.active() == {a: 100, b: 0}
    assert {(told["version"], told["storedCount"]) for told in counted.values()} == {(a, 2)}
    assert set(map(tuple, worker.owners_on_disk().values())) == {(a,)}
    edge.kill()
    edge.start()
    assert {told["storedCount"] for told in worker.counted(NAMES).values()} == {3}
