"""Deployments, rollbacks, edits of the configuration and crashes while clients ask without a pause."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Sequence

from tests.integration.conftest import StartEdge
from tests.integration.crowd import Seen, asking_crowd
from tests.integration.edge_process import EdgeProcess, one_worker, spec, version
from tests.integration.http_client import OVERRIDES, call
from tests.integration.scripted_origin import answer, read_head, scripted_origin
from tests.integration.waiting import eventually

RANDOM_SEED = 20_261_123

V1, V2, V3 = (version(tag, "facts_version") for tag in ("v1", "v2", "v3"))


def tags(seen: Sequence[Seen]) -> set[str]:
    """Return the versions that answered."""
    return {one.tag for one in seen}


async def active_deployment(edge: EdgeProcess) -> str:
    """Return the id of the active deployment, as the API says."""
    return (await asyncio.to_thread(edge.api.deployment, "shop", "active"))["id"]


async def test_a_deployment_takes_effect_at_once_and_fails_no_request(start_edge: StartEdge) -> None:
    """Issue 2, "while wrk runs: not one failed request, every later decision follows the new deployment" (R15)."""
    edge = start_edge(one_worker([V1, V2], {"v1": 100, "v2": 0}))
    async with asking_crowd(edge) as crowd:
        for v2 in (50, 100, 30, 0, 50):
            created = await asyncio.to_thread(edge.api.deploy, "shop", spec(v1=100 - v2, v2=v2))
            later = await crowd.go_on(400)
            assert {seen.deployment for seen in later} == {created["deployment"]["id"]}
            assert tags(later) == ({"v1"} if v2 == 0 else {"v2"} if v2 == 100 else {"v1", "v2"})
            share = Counter(seen.tag for seen in later)["v2"] / len(later)
            assert abs(share - v2 / 100) < 0.2  # eight deviations of chance


async def test_a_deployment_of_a_version_that_does_not_run_yet_waits_for_it(start_edge: StartEdge) -> None:
    """OpenAPI, "Versions that do not run yet are started first": no request meets one that starts."""
    edge = start_edge(one_worker([V1, V2], {"v1": 100}))
    edge.write_config(one_worker([V1], {"v1": 100}))
    edge.wait_for_log("config.applied")
    await eventually(lambda: edge.version_state("v2")["state"] == "stopped", "v2 to be retired", 60)
    async with asking_crowd(edge) as crowd:
        created = await asyncio.to_thread(edge.api.deploy, "shop", spec(v2=100))
        later = await crowd.go_on()

    assert created["warnings"] == []
    assert tags(later) == {"v2"}


async def test_a_rollback_takes_effect_at_once_and_fails_no_request(start_edge: StartEdge) -> None:
    """Issue 2, "the same for a rollback"; R93: a deployment with one version at 100%; R95: which one."""
    edge = start_edge(one_worker([V1, V2], {"v1": 100}))
    edge.api.deploy("shop", spec(v1=40, v2=60))
    async with asking_crowd(edge) as crowd:
        created = await asyncio.to_thread(edge.api.rollback, "shop", message="v2 loses carts")
        later = await crowd.go_on()

    deployment = created["deployment"]
    assert {(seen.tag, seen.deployment) for seen in later} == {("v1", deployment["id"])}
    assert (deployment["number"], deployment["triggered_by"]) == (3, "rollback")
    assert deployment["message"] == "v2 loses carts"
    assert [(share["tag"], share["percentage"]) for share in deployment["versions"]] == [("v1", 100)]


async def test_an_edit_of_the_configuration_is_applied_without_a_lost_request(start_edge: StartEdge) -> None:
    """Design 6: "Editing the file while running applies it without losing a request": shares, a new version."""
    edge = start_edge(one_worker([V1, V2], {"v1": 100, "v2": 0}))
    async with asking_crowd(edge) as crowd:
        before = await active_deployment(edge)
        for versions, wanted in (([V1, V2], {"v1": 20, "v2": 80}), ([V1, V2, V3], {"v2": 50, "v3": 50})):
            edge.write_config(one_worker(versions, wanted))

            async def changed(last: str = before) -> bool:
                return await active_deployment(edge) != last

            while not await changed():
                await asyncio.sleep(0.02)
            before = await active_deployment(edge)
            later = await crowd.go_on()
            assert {seen.deployment for seen in later} == {before}
            assert tags(later) == set(wanted)


MISTAKES = [
    ("v2: 50", "v2: 60", ("workers[0].deployment", "110%")),
    ("v2: 50", "v9: 50", ("workers[0].deployment.v9", "no version has the tag 'v9'")),
    ("v2: 50", "v2: half", ("workers[0].deployment.v2", "'half' is not a number")),
    ("deployment:", "deploiment:", ("workers[0].deploiment", "no such key")),
    ("workers:", "workers: [", ("it is not YAML",)),
    ("*/*", "*/*?x", ("workers[0].routes[0]", "no query")),
]


async def test_an_edit_with_a_mistake_changes_nothing_and_the_log_says_where(start_edge: StartEdge) -> None:
    """Design 6: errors name file, line, key, value, remedy; what was in force goes on; a good edit is taken."""
    edge = start_edge(one_worker([V1, V2], {"v1": 50, "v2": 50}))
    good = edge.config_file.read_text("utf-8")
    before = edge.api.status()
    async with asking_crowd(edge) as crowd:
        for number, (old, new, told) in enumerate(MISTAKES, 1):
            assert old in good
            edge.config_file.write_text(good.replace(old, new), "utf-8")
            await eventually(lambda n=number: len(edge.log("config.not_applied")) == n, "the log to tell")  # type: ignore[misc]
            line = edge.log("config.not_applied")[-1]
            assert f"{edge.config_file}:" in line["error"]
            assert all(text in line["error"] for text in told)
            assert line["remedy"]
        await crowd.go_on()
        edge.config_file.write_text(good + "# and a remark\n", "utf-8")
        await asyncio.to_thread(edge.wait_for_log, "config.applied")
    after = edge.api.status()
    assert after["workers"][0]["active"] == before["workers"][0]["active"]
    assert after["workers"][0]["routes"] == before["workers"][0]["routes"]


def shares(edge: EdgeProcess) -> dict[str, float]:
    """Return the active deployment's percentages."""
    return {share["tag"]: share["percentage"] for share in edge.api.deployment("shop", "active")["versions"]}


def test_stored_state_wins_over_the_file_until_the_file_changes(start_edge: StartEdge) -> None:
    """Design 6: the file's deployment counts when it changed since it was applied; those by the API survive."""
    edge = start_edge(one_worker([V1, V2], {"v1": 90, "v2": 10}))
    ids = [found["id"] for found in edge.api.versions("shop")]
    edge.api.deploy("shop", spec(v1=40, v2=60))
    edge.stop()
    edge.start()
    assert shares(edge) == {"v1": 40, "v2": 60}
    assert [found["id"] for found in edge.api.versions("shop")] == ids

    edge.write_config(one_worker([V1, V2], {"v1": 90, "v2": 10}, routes=["other.test/*"]))
    edge.wait_for_log("config.applied")
    assert edge.api.status()["workers"][0]["routes"] == ["other.test/*", "shop.localhost/*"]
    assert shares(edge) == {"v1": 40, "v2": 60}

    edge.stop()
    edge.write_config(one_worker([V1, V2], {"v1": 20, "v2": 80}))
    edge.start()
    assert shares(edge) == {"v1": 20, "v2": 80}
    edge.stop()
    edge.start()
    assert [deployment["source"] for deployment in edge.api.deployments("shop")] == ["config", "api", "config"]


async def test_a_crash_of_the_version_that_is_not_asked_harms_nobody(start_edge: StartEdge) -> None:
    """Issue 2, "a crash of the version that is not asked": kill -9, and it comes back."""
    edge = start_edge(one_worker([V1, V2], {"v1": 50, "v2": 50}))
    ids = {found["tag"]: found["id"] for found in edge.api.versions("shop")}
    ask_v2 = {OVERRIDES: f'shop="{ids["v2"]}"'}
    async with asking_crowd(edge, {OVERRIDES: f'shop="{ids["v1"]}"'}) as crowd:
        for falls in (1, 2):
            fallen = (await asyncio.to_thread(call, edge, "/facts", ask_v2)).json()["pid"]
            os.kill(fallen, signal.SIGKILL)
            await eventually(lambda n=falls: len(edge.log("version.crashed")) == n, "the crash to be seen")  # type: ignore[misc]
            later = await crowd.go_on()
            assert tags(later) == {"v1"}
            await asyncio.to_thread(edge.wait_for_state, "v2", "running")
            assert (await asyncio.to_thread(call, edge, "/facts", ask_v2)).json()["pid"] != fallen


async def test_an_edit_that_breaks_a_rule_of_deployments_changes_nothing_at_all(start_edge: StartEdge) -> None:
    """Design 6 and R11: three versions are one too many; neither routes nor shares of that edit are applied."""
    edge = start_edge(one_worker([V1, V2], {"v1": 50, "v2": 50}))
    before = edge.api.status()
    async with asking_crowd(edge) as crowd:
        edge.write_config(
            one_worker(
                [V1, V2, V3], {"v1": 30, "v2": 30, "v3": 40}, routes=["elsewhere.test/*", "shop.localhost/*"]
            )
        )
        line = await asyncio.to_thread(edge.wait_for_log, "config.not_applied")
        await crowd.go_on()

    assert "at most 2 version(s)" in line["error"]
    after = edge.api.status()
    assert after["workers"][0]["active"] == before["workers"][0]["active"]
    assert after["workers"][0]["routes"] == before["workers"][0]["routes"]


def test_a_mistake_that_only_the_rules_of_deployments_find_is_told_with_its_place(start_edge: StartEdge) -> None:
    """Design 6: "Every error names file, line, key, value and remedy"."""
    edge = start_edge(one_worker([V1, V2], {"v1": 50, "v2": 50}))
    edge.write_config(one_worker([V1, V2, V3], {"v1": 30, "v2": 30, "v3": 40}))

    line = edge.wait_for_log("config.not_applied")

    assert "at most 2 version(s)" in line["error"]
    assert f"{edge.config_file}:" in line["error"]
    assert "deployment" in line["error"]


async def test_versions_that_close_their_connections_without_a_word_fail_no_request(start_edge: StartEdge) -> None:
    """Design 3.5: "a dead pooled connection is retried once", and is never the client's affair (GET)."""
    chance = random.Random(RANDOM_SEED)  # noqa: S311 - moments, no secrets

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(chance.randint(1, 6)):
            await read_head(reader)
            writer.write(answer(b"v1"))

    async with scripted_origin(script) as origin:
        edge = start_edge(origin.config())
        async with asking_crowd(edge) as crowd:
            await crowd.go_on(2000)
        assert origin.connections > 200
