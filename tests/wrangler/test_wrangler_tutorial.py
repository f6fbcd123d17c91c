"""Cloudflare's tutorial for gradual deployments with Durable Objects, command by command (GDDO; COH-2, part 1)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.edge_process import EdgeProcess, running_edge
from tests.wrangler.making import NEWEST, OLD, MakeProject, edge_with_workerd, with_both_wranglers, worker_name
from tests.wrangler.trackers import Trackers
from tests.wrangler.wrangler import Project

OBJECTS = [f"visitor-{number}" for number in range(40)]
LATER = [f"late-visitor-{number}" for number in range(40)]


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    """A gateway whose file sets the rule of two Workers and leaves their versions to wrangler."""
    names = [worker_name("tutorial-hash", version) for version in (NEWEST, OLD)]
    config = {"workers": [{"name": name, "durable_objects": {"assignment": "hash"}} for name in names]}
    with running_edge(edge_with_workerd(tmp_path_factory.mktemp("edge")), config) as edge:
        yield edge


def deploy(project: Project, *specs: str) -> None:
    """Deploy versions; objects in use move at once, as they do without the newest wrangler (R60)."""
    immediate = ["--durable-objects-code-update-mode", "immediate"] if project.version == NEWEST else []
    ended = project.wrangler("versions", "deploy", *specs, "-y", *immediate)
    assert ended.entry("version-deploy")["worker_name"] == project.name


def picture(trackers: Trackers, names: list[str], handlers: tuple[str, ...]) -> dict[str, str]:
    """Return the version of each object, the same through every version of the handler and at every call."""
    for handler in handlers:
        seen = trackers.call(names, through=handler)
        assert set(seen.values()) == {handler}
    versions = trackers.versions(names)
    trackers.call(names)
    assert trackers.versions(names) == versions
    return versions


def by_point(trackers: Trackers, names: list[str], b: str, percentage: int, a: str) -> dict[str, str]:
    """Return the version of each object as its id says, ``b`` listed first (R46-R48)."""
    return {name: b if point < percentage else a for name, point in trackers.points(names).items()}


@with_both_wranglers
def test_the_tutorial_where_percentages_move_objects(make_project: MakeProject) -> None:
    """R46-R50, ``hash``: Cloudflare's pages; each object's version follows from its id, and B only gains."""
    follow_the_tutorial(make_project, "hash")


@with_both_wranglers
def test_the_tutorial_where_objects_stay(make_project: MakeProject) -> None:
    """S1, ``sticky``: none moves while its version is deployed; new objects get the new percentages."""
    follow_the_tutorial(make_project, "sticky")


def follow_the_tutorial(make_project: MakeProject, rule: str) -> None:
    """Deploy A; upload B; 50%, 80%, 100% of B.

    At each step an object has one version, whoever calls, and loses its memory exactly when it moves.
    """
    project = make_project("tracker", f"tutorial-{rule}")
    trackers = Trackers(project)

    a = project.wrangler("deploy").entry("deploy")["version_id"]
    assert picture(trackers, OBJECTS, (a,)) == dict.fromkeys(OBJECTS, a)

    b = project.wrangler("versions", "upload", "--tag", "b").entry("version-upload")["version_id"]
    assert picture(trackers, OBJECTS, (a,)) == dict.fromkeys(OBJECTS, a)

    deploy(project, f"{b}@50%", f"{a}@50%")
    at_50 = picture(trackers, OBJECTS, (a, b))
    late_at_50 = picture(trackers, LATER[:20], (a, b))
    assert set(trackers.call(OBJECTS).values()) == {a, b}
    assert late_at_50 == by_point(trackers, LATER[:20], b, 50, a)
    assert set(late_at_50.values()) == {a, b}
    if rule == "hash":
        assert at_50 == by_point(trackers, OBJECTS, b, 50, a)
    else:
        assert at_50 == dict.fromkeys(OBJECTS, a)

    deploy(project, f"{b}@80%", f"{a}@20%")
    at_80 = picture(trackers, OBJECTS, (a, b))
    late_at_80 = picture(trackers, LATER, (a, b))
    assert all(at_80[name] == b for name in OBJECTS if at_50[name] == b)
    if rule == "hash":
        assert at_80 == by_point(trackers, OBJECTS, b, 80, a)
        assert late_at_80 == by_point(trackers, LATER, b, 80, a)
        assert list(at_80.values()).count(b) > list(at_50.values()).count(b)
    else:
        assert at_80 == at_50
        assert late_at_80 == late_at_50 | by_point(trackers, LATER[20:], b, 80, a)

    deploy(project, f"{b}@100%")
    everyone = [*OBJECTS, *LATER]
    assert picture(trackers, everyone, (b,)) == dict.fromkeys(everyone, b)


def test_objects_in_use_wait_for_their_update_unless_it_is_immediate(make_project: MakeProject) -> None:
    """R60-R62: the newest wrangler defers by default; assigned and running version part; ``immediate`` ends it."""
    project = make_project("tracker", "deferred")
    trackers = Trackers(project)
    a, b = project.api.deploy(), project.api.upload()

    with trackers.in_use(["busy"]):
        project.wrangler("versions", "deploy", f"{b}@100%", "-y")
        assert trackers.version_after(b, "busy") == a
        assert trackers.version_after(b, "asleep") == b

        deploy(project, f"{b}@100%")
        assert trackers.version_after(b, "busy") == b
