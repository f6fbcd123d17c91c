"""Several Workers deployed at the same time, as by a build of many packages."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.integration.http_client import Caller
from tests.wrangler.making import MakeProject
from tests.wrangler.wrangler import Project


def deploy(project: Project) -> tuple[str, str]:
    """Deploy a Worker, then a second version of it, and return the ids."""
    a = project.api.deploy()
    b = project.api.upload()
    project.api.split({b: 100})
    return a, b


def test_workers_deployed_at_the_same_time_do_not_meet(make_project: MakeProject) -> None:
    """Design 9: what was acknowledged holds; no deployment ends what another one is about to use."""
    projects = [make_project("tracker", f"at-once-{number}") for number in range(6)]

    with ThreadPoolExecutor(len(projects)) as pool:
        made = list(pool.map(deploy, projects))

    for project, (a, b) in zip(projects, made, strict=True):
        with Caller(project.edge, project.host) as caller:
            assert caller.call("/o/somebody").json()["object"]["version"] == b
            assert caller.call("/version", host=f"{a[:8]}-{project.host}").json()["release"] == "A"
