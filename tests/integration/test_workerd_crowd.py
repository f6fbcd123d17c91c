"""Objects on workerd under load while deployments go through: the promise of issue B, in a short run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.integration.edge_process import EdgeProcess, running_edge
from tests.integration.object_crowd import RESET, Seen, deploy_all, object_crowd, witness
from tests.integration.waiting import eventually
from tests.integration.workers_api import OBJECTS, Probed, by_hash, edge_config, text


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[EdgeProcess]:
    """A gateway that allows three versions at once."""
    with running_edge(tmp_path, edge_config([by_hash("crowded")], deployments={"max_versions": 3})) as edge:
        yield edge


def ten_deployments(worker: Probed, a: str, b: str, c: str) -> list[Callable[[], object]]:
    """Return deployments up and down, with a third version, an upload in between, and a rollback."""
    splits: list[list[tuple[str, float]]] = [
        [(a, 80), (b, 20)],
        [(a, 50), (b, 50)],
        [(b, 50), (a, 50)],
        [(a, 70), (b, 30)],
        [(b, 100)],
        [(b, 60), (c, 40)],
        [(b, 30), (c, 30), (a, 40)],
        [(c, 50), (a, 50)],
        [(c, 100)],
    ]
    rollback: list[Callable[[], object]] = [lambda: worker.edge.api.rollback(worker.name, a)]
    return [*(partial(worker.split, *shares) for shares in splits), *rollback]


async def test_ten_deployments_under_load_fail_no_request_and_no_object_lives_twice(edge: EdgeProcess) -> None:
    """Issue B: no failure but the reset, counts rise, memory is lost exactly at moves, one life at a time."""
    async with witness() as heard:
        worker = Probed(edge, "crowded", bindings=(*OBJECTS, text("WITNESS", heard.url)))
        a, b, c = worker.deploy_first(), worker.upload(), worker.upload()
        async with object_crowd(edge, worker.host) as seen:
            await deploy_all(seen, ten_deployments(worker, a, b, c))

        moves = seen.check()
        heard.check()
    assert moves > len(seen.uses)
    assert {use.version for uses in seen.uses.values() for use in uses} == {a, b, c}
    assert seen.handlers.keys() == {a, b, c}
    assert set(seen.resets) <= {RESET}
    assert all(len(owners) == 1 for owners in worker.owners_on_disk().values())


async def test_sticky_objects_under_load_move_only_when_their_version_leaves(edge: EdgeProcess) -> None:
    """Row S1: percentages up and down move nothing and reset nothing; only the last deployment does."""
    async with witness() as heard:
        worker = Probed(edge, "steady", bindings=(*OBJECTS, text("WITNESS", heard.url)))
        a, b = worker.deploy_first(), worker.upload()
        async with object_crowd(edge, worker.host) as seen:
            splits: list[list[tuple[str, float]]] = [
                [(a, 80), (b, 20)],
                [(b, 50), (a, 50)],
                [(a, 20), (b, 80)],
                [(b, 100), (a, 0)],
            ]
            await deploy_all(seen, [partial(worker.split, *shares) for shares in splits], seconds=2.0)
            assert moved(seen) == 0
            await deploy_all(seen, [lambda: worker.split((b, 100))], seconds=0.5)
            await eventually(lambda: moved(seen) == len(seen.uses), "every object in the version that is left")

        assert seen.check() == len(seen.uses)
        heard.check()


def moved(seen: Seen) -> int:
    """Return how many objects were seen in more than one version."""
    return sum(len({use.version for use in uses}) > 1 for uses in seen.uses.values())
