"""What is simulated and what a running gateway does with the same seed and traffic: the same, count for count."""

from __future__ import annotations

import http.client
from pathlib import Path

from gateway.control.client import VersionSpec
from gateway.simulation.run import simulate
from gateway.simulation.scenario import Scenario
from gateway.simulation.traffic import Session, made_up_traffic
from tests.integration.edge_process import EdgeProcess, one_worker, running_edge, version

SCENARIO = Scenario((10, 50, 100), sessions=12, requests=9, assets=4, key_share=0.5, returning=0.5, seed=7)


def test_simulation_agrees_with_live(tmp_path: Path) -> None:
    """Issue D: the same plan, simulated and run with seeded traffic, gives the same counts."""
    config = one_worker([version("old", "facts_version"), version("new", "facts_version")], {"old": 100})
    told = simulate(SCENARIO).steps
    with running_edge(tmp_path, config, seed=SCENARIO.seed) as edge:
        for percentage, sessions, step in zip(SCENARIO.plan, made_up_traffic(SCENARIO).steps, told, strict=True):
            split = [("new", percentage), ("old", 100 - percentage)]
            edge.api.deploy("shop", [VersionSpec(tag, share) for tag, share in split if share])
            met = [versions_met(edge, session) for session in sessions]

            assert step.new_requests == sum(versions.count("new") for versions in met)
            assert step.mixed_sessions == sum(len(set(versions)) > 1 for versions in met)
            assert step.asset_404s == sum(
                page >= 0 and versions[page] != one
                for versions, session in zip(met, sessions, strict=True)
                for one, page in zip(versions, session.page_of, strict=True)
            )


def versions_met(edge: EdgeProcess, session: Session) -> list[str]:
    """Send a session's requests, and return the tag of the version that answered each."""
    connection = http.client.HTTPConnection(edge.host, edge.port, timeout=10)
    tags = []
    for facts in session.facts:
        key = {"Cloudflare-Workers-Version-Key": facts.version_key} if facts.version_key else {}
        connection.request("GET", "/", headers=key)
        response = connection.getresponse()
        response.read()
        tags.append((response.getheader("Gateway-Decision") or "").partition('tag="')[2].partition('"')[0])
    connection.close()
    return tags
