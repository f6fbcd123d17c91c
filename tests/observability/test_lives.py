"""Processes of versions: told as they come and go, and measured while they run."""

from __future__ import annotations

import os
import subprocess
import sys

from gateway.model.version import VersionId
from gateway.observability.event_bus import ALL_KINDS, EventBus
from gateway.observability.lives import VersionLives
from gateway.observability.process_meter import FRESH_SECONDS, ProcessMeter
from tests.model.examples import A, B, version

SHOP_V1 = version(A, tag="v1")


def test_states_are_told_and_pids_kept() -> None:
    """Issue C, events: a version's start, crash and end; metrics: CPU time of the version's process."""
    bus = EventBus(later=lambda _seconds, _call: None)
    lives = VersionLives(bus, lambda: 2.0)
    lives.changed(SHOP_V1, "started", "", 4711)
    assert lives.pids == {A: 4711}
    lives.changed(SHOP_V1, "crashed", "exit code 1", 0)

    told = [event for _, event in bus.recent(ALL_KINDS, lambda _event: True, last=10)]
    assert [(event.at, event.worker) for event in told] == [(2.0, "shop")] * 2
    assert [event[4:] for event in told] == [("started", "", 4711), ("crashed", "exit code 1", 0)]
    assert lives.pids == {}


async def test_a_process_is_measured_with_its_children() -> None:
    """A version may be a server with workers of its own."""
    program = "import subprocess, sys; print(1, flush=True); subprocess.run([sys.executable, '-c', 'input()'])"
    meter = ProcessMeter(lambda: {A: os.getpid()}, lambda: 0.0)
    alone = (await meter.figures())[A]
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        together = (await ProcessMeter(lambda: {A: os.getpid()}, lambda: 0.0).figures())[A]
        child.communicate(b"\n")

    assert alone.cpu_seconds > 0
    assert together.memory_bytes > alone.memory_bytes
    assert together.cpu_seconds >= alone.cpu_seconds


async def test_a_process_that_is_gone_is_left_out() -> None:
    """It may end between two looks."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    found = await ProcessMeter(lambda: {A: os.getpid(), B: ended.pid}, lambda: 0.0).figures()

    assert set(found) == {A}


async def test_several_readers_share_one_look() -> None:
    """Dashboard, top and scraper ask at the same time."""
    looks: list[None] = []
    now = [0.0]

    def pids() -> dict[VersionId, int]:
        looks.append(None)
        return {}

    meter = ProcessMeter(pids, lambda: now[0])
    for moment in (0.0, FRESH_SECONDS / 2, FRESH_SECONDS):
        now[0] = moment
        await meter.figures()

    assert len(looks) == 2
