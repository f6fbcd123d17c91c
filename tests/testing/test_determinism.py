"""One suite, one seed: the same decisions, incidents and report, byte for byte, in process after process."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.testing.projects import ROOT, configure, plugin
from tests.testing.sample_project import SAMPLES

pytest_plugins = ["pytester"]

RUNS = 5
SUITE = """
import json
from pathlib import Path

from gateway.control.api.skew import incident_view

CLOCKS = {"at", "duration_us", "first_seen", "last_seen"}


@pytest.fixture(autouse=True)
def told(edge, request):
    yield
    # Clocks and ports are of the run; all else is of the suite and the seed.
    def line(kind, one):
        shown = json.dumps(one, default=str, sort_keys=True).replace(edge.url.removeprefix("http://"), "EDGE")
        return f"{request.node.name} {kind} {shown}\\n"

    def still(one):
        if isinstance(one, dict):
            return {name: still(value) for name, value in one.items() if name not in CLOCKS}
        return one

    with Path("told.txt").open("a") as file:
        file.writelines(line("request", still(one._asdict())) for one in edge.requests)
        file.writelines(line("incident", still(incident_view(one))) for one in edge.skew)
        file.writelines(line("reset", still(one._asdict())) for one in edge.resets)


@pytest.fixture
def visitor(shop):
    return shop.client(key="ann")


@shop_matrix
def test_pages(shop, visitor, matrix):
    pages = [shop.client().load("/") for _ in range(8)]
    matrix.switch()
    for page in pages:
        page.get("/api/products")
    buy(visitor, lambda: None)
    assert_no_skew(shop)


@counter_matrix
def test_objects(counter, matrix):
    visitor = counter.client()
    answers = [visitor.post(f"/worker/user-{number}", params={"times": "3"}) for number in range(8)]
    matrix.switch()
    answers += [visitor.post(f"/counter/user-{number}/increment") for number in range(8)]
    assert answers == [visitor.get("/worker/user-1")]


@pytest.mark.asyncio
async def test_coroutine(edge):
    edge.worker("shop", classes={"Cart": "path:/cart/{name}"}, assignment="hash", v1=make("v1"), v2=make("v2"))
    edge.worker("api", v1=make("v1"), v2=make("v2"))
    for shares in ({"v1": 50, "v2": 50}, {"v1": 10, "v2": 90}):
        for worker in ("shop", "api"):
            await edge.deploy_shares(worker, shares)
        for number in range(12):
            page = await edge.client(key=f"user-{number}" if number % 2 else None).load("/")
            await page.get(f"/cart/{number}")
            await edge.client(worker="api", override={"shop": "v1", "api": "v2"}).get("/version")
            await edge.client(headers={"Cloudflare-Workers-Version-Overrides": "shop=bad"}).get("/version")
    assert page is edge


def make(tag):
    return lambda: build_shop(Settings("shop", tag, 0, VersionMetadata()))
"""


class Told(NamedTuple):
    """What a run left: its events, and what it printed."""

    events: str
    printed: str


def told_by(pytester: pytest.Pytester, seed: int, monkeypatch: pytest.MonkeyPatch, *, hash_seed: int) -> Told:
    """Run the suite in a process of its own, in which sets have an order of their own."""
    monkeypatch.setenv("PYTHONHASHSEED", str(hash_seed))
    events = Path("told.txt")
    events.unlink(missing_ok=True)
    result = pytester.runpytest_subprocess(*plugin(), "-p", "no:hypothesispytest", "--gateway-seed", str(seed))
    printed = re.sub(r" in \d+\.\d+s( \([\d:]+\))?", "", result.stdout.str())
    return Told(events.read_text("utf-8"), printed)


def test_a_suite_says_the_same_with_the_same_seed(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 5: five times one seed, then another; drawn, keyed, overridden, with objects, deployments, skew."""
    configure(pytester)
    pytester.makepyfile(SAMPLES + SUITE)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    runs = [told_by(pytester, 42, monkeypatch, hash_seed=number) for number in range(RUNS)]
    other = told_by(pytester, 43, monkeypatch, hash_seed=0)

    for kind in ("request", "incident", "reset"):
        assert f" {kind} " in runs[0].events
    for kind in ("asset_skew", "session_skew", "stale_tab", "object_skew"):
        assert kind in runs[0].events
    assert "incidents of version skew in" in runs[0].printed
    assert "<Answer 502 /worker/user-" in runs[0].printed
    assert "visitor = <Client Cloudflare-Workers-Version-Key: ann>" in runs[0].printed
    for run in runs[1:]:
        assert run.events == runs[0].events
        assert run.printed == runs[0].printed
    assert other.events != runs[0].events
    assert other.printed.replace("seed 43", "seed 42") != runs[0].printed
