"""Every wrangler command that versions and deployments have, once: exit code, what it says, what it did."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.integration.edge_process import EdgeProcess
from tests.integration.http_client import Answer, Caller
from tests.wrangler.making import NEWEST, OLD, MakeProject, in_both, project_maker, with_both_wranglers
from tests.wrangler.wrangler import Ended, Project

VERSION_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def page(project: Project, path: str, host: str = "") -> Answer:
    """Request a page of the Worker."""
    with Caller(project.edge, host or project.host) as caller:
        return caller.call(path)


def said(text: str, *lines: str) -> None:
    """Hold that these patterns occur in a text, in this order."""
    place = 0
    for line in lines:
        found = re.compile(line, re.MULTILINE).search(text, place)
        assert found is not None, f"no {line!r} after character {place} of:\n{text}"
        place = found.end()


UNKNOWN = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Split:
    """A Worker with two versions at 90% and 10%, and what wrangler said on the way and of them.

    Args:
        said: By the command, without the ids that it named.
    """

    project: Project
    a: str
    b: str
    said: Mapping[str, Ended]


def make_split(folder: Path, edge: EdgeProcess, version: str) -> Split:
    """Deploy a Worker and a second version of it, then run every command that only looks."""
    project = project_maker(folder, edge, version)("tracker", "two")
    deployed = project.wrangler("deploy", "--message", "the first")
    a = deployed.entry("deploy")["version_id"]
    upload = ["versions", "upload", "--tag", "b-tag", "--message", "the second", "--preview-alias", "staging"]
    uploaded = project.wrangler(*upload, "--var", "RELEASE:B")
    b = uploaded.entry("version-upload")["version_id"]
    said = {
        "deploy": deployed,
        "versions upload": uploaded,
        "versions deploy": project.wrangler(
            "versions", "deploy", f"{a}@90%", f"{b}@10%", "-y", "--message", "a tenth"
        ),
        "versions deploy of 90%": project.wrangler("versions", "deploy", f"{a}@60%", f"{b}@30%", "-y", code=1),
        "versions view": project.wrangler("versions", "view", b),
        "versions view of an unknown one": project.wrangler("versions", "view", UNKNOWN, code=1),
    }
    looking = ("versions list", "versions list --json", "deployments list", "deployments status --json", "whoami")
    return Split(project, a, b, said | {command: project.wrangler(*command.split()) for command in looking})


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory, edge: EdgeProcess) -> Mapping[str, Split]:
    """Such a Worker of each wrangler."""
    made: dict[str, Split] = {}

    def make(version: str) -> None:
        made[version] = make_split(tmp_path_factory.mktemp("two"), edge, version)

    in_both(make)
    return made


@pytest.fixture(params=[NEWEST, OLD])
def two(request: pytest.FixtureRequest, splits: Mapping[str, Split]) -> Split:
    """The Worker of one wrangler; what a test does to it, the next one sees."""
    return splits[request.param]


def test_deploy(two: Split) -> None:
    """The first deploy of a Worker: bindings, targets, the version's id, and no start-up time."""
    said(
        two.said["deploy"].out,
        r"^Total Upload: ",
        r"env\.TRACKERS \(VersionTracker\)\s+Durable Object",
        r'env\.RELEASE \("A"\)\s+Environment Variable',
        rf"^Uploaded {two.project.name} ",
        rf"^Deployed {two.project.name} triggers ",
        rf"^  https://{two.project.name}\.\S+\.workers\.dev",
        rf"^Current Version ID: {two.a}$",
    )
    assert "Startup" not in two.said["deploy"].out
    assert two.said["deploy"].entry("deploy")["worker_name"] == two.project.name
    (target,) = two.said["deploy"].entry("deploy")["targets"]
    assert page(two.project, "/version", urlsplit(target).hostname or "").status == 200


def test_versions_upload(two: Split) -> None:
    """It serves by its own URL and its alias, and by nothing else; those URLs are in the output file too."""
    said(
        two.said["versions upload"].out,
        r"^Worker Startup Time: 0 ms$",
        rf"^Uploaded {two.project.name} ",
        rf"^Worker Version ID: {two.b}$",
        rf"^Version Preview URL: https?://{two.b[:8]}-{two.project.name}\.",
        rf"^Version Preview Alias URL: https?://staging-{two.project.name}\.",
        r"versions deploy",
    )
    entry = two.said["versions upload"].entry("version-upload")
    hosts = [urlsplit(entry[key]).hostname or "" for key in ("preview_url", "preview_alias_url")]
    assert hosts[0].startswith(f"{two.b[:8]}-{two.project.name}.")
    assert hosts[1].startswith(f"staging-{two.project.name}.")
    for host in (*hosts, f"{two.b[:8]}-{two.project.name}.localhost", f"staging-{two.project.name}.localhost"):
        answer = page(two.project, "/version", host)
        assert answer.json()["version"]["id"] == two.b, host
        assert answer.json()["release"] == "B"


def test_version_metadata_is_the_versions_own(two: Split) -> None:
    """R107: id, tag and time, as wrangler shows them."""
    told = page(two.project, "/version", f"staging-{two.project.name}.localhost").json()["version"]
    listed = two.said["versions list --json"].json[1]

    assert (told["id"], told["tag"]) == (two.b, "b-tag")
    assert told["timestamp"][:19] == listed["metadata"]["created_on"][:19]


def test_versions_deploy(two: Split) -> None:
    """Both versions with their percentages, and the deployment's id for scripts."""
    ended = two.said["versions deploy"]

    said(ended.err + ended.out, rf"SUCCESS\s+Deployed .* version {two.a} at 90% and version {two.b} at 10%")
    entry = ended.entry("version-deploy")
    assert entry["worker_name"] == two.project.name
    assert re.fullmatch(VERSION_ID, entry["deployment_id"])


def test_percentages_that_do_not_add_up(two: Split) -> None:
    """R103: refused by wrangler itself."""
    wrong = two.said["versions deploy of 90%"]

    said(wrong.err, r"add up to 90%, but must total exactly 100%|percentages \(90%\) must be 100%")


def test_versions_list(two: Split) -> None:
    """The oldest first, with source, tag and message."""
    said(
        two.said["versions list"].out,
        rf"^Version ID:\s+{two.a}$",
        r"^Source:\s+Upload$",
        r"^Tag:\s+-$",
        r"^Message:\s+the first$",
        rf"^Version ID:\s+{two.b}$",
        r"^Tag:\s+b-tag$",
        r"^Message:\s+the second$",
    )
    listed = two.said["versions list --json"].json
    assert [version["id"] for version in listed] == [two.a, two.b]
    assert [version["number"] for version in listed] == [1, 2]
    assert [version["annotations"]["workers/triggered_by"] for version in listed] == ["upload", "version_upload"]


def test_versions_view(two: Split) -> None:
    """What it is made of."""
    said(
        two.said["versions view"].out,
        rf"^Version ID:\s+{two.b}$",
        r"^Handlers:\s+fetch",
        r"^Compatibility Date:\s+2026-04-01$",
        r'env\.RELEASE \("B"\)\s+Environment Variable',
    )


def test_versions_view_of_an_unknown_version(two: Split) -> None:
    """The API's own error, with its code."""
    said(
        two.said["versions view of an unknown one"].err,
        r"A request to the Cloudflare API \(.*\) failed",
        r"\[code: 100146\]",
    )


def test_deployments_list_and_status(two: Split) -> None:
    """Both deployments, the newest last, and what serves now."""
    said(
        two.said["deployments list"].out,
        r"^Message:\s+(Automatic deployment on upload\.|the first)$",
        rf"^Version\(s\):\s+\(100%\) {two.a}$",
        r"^Message:\s+a tenth$",
        rf"\(90%\) {two.a}$",
        rf"\(10%\) {two.b}$",
    )
    status = two.said["deployments status --json"].json
    assert status["versions"] == [
        {"version_id": two.a, "percentage": 90},
        {"version_id": two.b, "percentage": 10},
    ]
    assert status["annotations"]["workers/triggered_by"] == "deployment"
    assert status["id"] == two.said["versions deploy"].entry("version-deploy")["deployment_id"]


def test_whoami(two: Split) -> None:
    """An account and an address, so that scripts that look for one find one."""
    said(two.said["whoami"].out, r"You are logged in with an? .*API Token", r"Account Name")


@with_both_wranglers
def test_secret_put_is_refused_while_the_newest_version_is_not_deployed(make_project: MakeProject) -> None:
    """R96: 10215, which wrangler answers with advice."""
    project = make_project("tracker", "ahead")
    project.api.deploy()
    project.api.upload()

    ended = project.wrangler("secret", "put", "TOKEN", typed="x", code=1)

    said(ended.err, r"Secret edit failed\. .* latest version of your Worker isn't currently deployed")


@with_both_wranglers
def test_deploy_again_then_rollback(make_project: MakeProject) -> None:
    """A later deploy is a version and a deployment; a rollback is a deployment alone (R93, R95)."""
    project = make_project("tracker", "again")
    first = project.api.deploy()
    second = project.wrangler("deploy", "--var", "RELEASE:B").entry("deploy")["version_id"]
    assert page(project, "/version").json()["release"] == "B"

    back = project.wrangler("rollback", "-y", "--message", "B is wrong")

    said(back.out + back.err, rf"Worker Version {first} has been deployed to 100% of traffic", first)
    assert page(project, "/version").json()["release"] == "A"

    project.wrangler("rollback", second, "-y")

    assert page(project, "/version").json()["release"] == "B"
    deployments = project.api.get("deployments")["deployments"]
    assert [entry["versions"][0]["version_id"] for entry in deployments] == [second, first, second, first]
    assert [entry["annotations"].get("workers/message") for entry in deployments[:2]] == ["Rollback", "B is wrong"]


@with_both_wranglers
def test_deploy_replaces_a_split(make_project: MakeProject) -> None:
    """R18: with nobody to ask, it warns and goes ahead."""
    project = make_project("tracker", "replaced")
    project.api.split({project.api.deploy(): 50, project.api.upload(): 50})

    ended = project.wrangler("deploy", "--var", "RELEASE:C")

    said(ended.out + ended.err, r"multiple versions|gradual")
    assert {page(project, "/version").json()["release"] for _ in range(20)} == {"C"}


@with_both_wranglers
def test_secrets(make_project: MakeProject) -> None:
    """Each makes a version that is deployed; the text reaches code, never an answer; a later deploy keeps them."""
    project = make_project("tracker", "secret")
    project.api.deploy()

    said(project.wrangler("secret", "put", "TOKEN", typed="of-gold").out, r"Success! Uploaded secret TOKEN")
    assert page(project, "/version").json()["token"] == "of-gold"
    bulk = project.write("secrets.json", json.dumps({"TOKEN": "of-silver", "OTHER": "o"}))
    said(project.wrangler("secret", "bulk", bulk.name).out, r"secret for key: TOKEN", r"Finished processing")
    assert page(project, "/version").json()["token"] == "of-silver"
    listed = project.wrangler("secret", "list")
    assert sorted(entry["name"] for entry in listed.json) == ["OTHER", "TOKEN"]
    assert "silver" not in listed.out
    project.wrangler("deploy", "--var", "RELEASE:B")
    told = page(project, "/version").json()
    assert (told["release"], told["token"]) == ("B", "of-silver")
    said(project.wrangler("secret", "delete", "TOKEN").out, r"Success! Deleted secret TOKEN")
    assert page(project, "/version").json()["token"] is None


@with_both_wranglers
def test_secrets_of_versions(make_project: MakeProject) -> None:
    """Each makes a version and no deployment."""
    project = make_project("tracker", "version-secret")
    first = project.api.deploy()

    put = project.wrangler("versions", "secret", "put", "TOKEN", typed="of-gold")
    said(put.out, rf"Success! Created version {VERSION_ID} with secret TOKEN")
    bulk = project.write("secrets.json", json.dumps({"OTHER": "o", "THIRD": "t"}))
    said(project.wrangler("versions", "secret", "bulk", bulk.name).out, rf"Success! Created version {VERSION_ID}")
    secrets = project.wrangler("versions", "secret", "list", "--latest-version").out
    assert set(re.findall(r"^Secret Name: (\w+)$", secrets, re.MULTILINE)) == {"OTHER", "THIRD", "TOKEN"}
    deleted = project.wrangler("versions", "secret", "delete", "OTHER")
    said(deleted.out, rf"Success! Created version ({VERSION_ID}) with deleted secret OTHER")

    listed = project.api.get("versions")["items"]
    assert [version["number"] for version in listed] == [4, 3, 2, 1]
    names = {entry["name"] for entry in listed[0]["resources"]["bindings"] if entry["type"] == "secret_text"}
    assert names == {"THIRD", "TOKEN"}
    told = page(project, "/version").json()
    assert (told["version"]["id"], told["token"]) == (first, None)
    project.api.split({listed[0]["id"]: 100})
    assert page(project, "/version").json()["token"] == "of-gold"


@with_both_wranglers
def test_triggers_deploy(make_project: MakeProject) -> None:
    """R5: routes and crons are no part of a version; they are applied by themselves."""
    project = make_project("tracker", "triggers")
    first = project.api.deploy()
    project.configure(routes=[f"{project.name}.example/*"], triggers={"crons": ["7 4 * * *"]})

    ended = project.wrangler("triggers", "deploy")

    said(
        ended.out,
        rf"^Deployed {project.name} triggers ",
        rf"{project.name}\.example/\*",
        r"schedule: 7 4 \* \* \*",
    )
    assert page(project, "/version", f"{project.name}.example").json()["version"]["id"] == first
    assert len(project.api.get("versions")["items"]) == 1


@with_both_wranglers
def test_delete(make_project: MakeProject) -> None:
    """The Worker and its address are gone, and may be made anew."""
    project = make_project("tracker", "deleted")
    project.api.deploy()

    said(project.wrangler("delete").out, rf"Successfully deleted {project.name}")

    assert page(project, "/version").status == 404
    said(project.wrangler("versions", "list", code=1).err, r"\[code: 10007\]")
    project.wrangler("deploy")
    assert page(project, "/version").status == 200


@with_both_wranglers
def test_upload_of_a_worker_that_is_not_there(make_project: MakeProject) -> None:
    """R8: the first upload must be a deploy."""
    ended = make_project("tracker", "unknown").wrangler("versions", "upload", code=1)

    said(ended.err, r"does not( yet)? exist|\[code: 10007\]")


@with_both_wranglers
def test_upload_with_a_migration_is_refused(make_project: MakeProject) -> None:
    """R52: only a deploy changes the classes; the newest wrangler says so itself, the old one shows 10211."""
    project = make_project("tracker", "migrated")
    project.api.deploy()
    steps = [
        {"tag": "v1", "new_sqlite_classes": ["VersionTracker"]},
        {"tag": "v2", "new_sqlite_classes": ["Another"]},
    ]
    project.configure(migrations=steps)
    source = (project.folder / "src/index.js").read_text("utf-8")
    project.write("src/index.js", source + "\nexport class Another extends DurableObject {}\n")

    ended = project.wrangler("versions", "upload", code=1)
    assert re.search(r"migration", ended.err)
    assert project.version == NEWEST or "[code: 10211]" in ended.err

    project.wrangler("deploy")
    assert page(project, "/o/somebody").status == 200


@with_both_wranglers
def test_code_that_does_not_start_is_refused(make_project: MakeProject) -> None:
    """10021 in workerd's own words, with the place in the user's file; what serves goes on."""
    project = make_project("tracker", "broken")
    first = project.api.deploy()
    good = (project.folder / "src/index.js").read_text("utf-8")
    project.write("src/index.js", f"{good}\nnull.reason;\n")

    for command in (["deploy"], ["versions", "upload"]):
        ended = project.wrangler(*command, code=1)
        said(ended.err + ended.out, r"Cannot read properties of null \(reading 'reason'\)", r"\[code: 10021\]")

    assert page(project, "/version").json()["version"]["id"] == first


def test_a_dry_run_uploads_nothing(make_project: MakeProject, tmp_path: Path) -> None:
    """The bundle is written, the gateway is not asked."""
    project = make_project("tracker", "dry")

    project.wrangler("deploy", "--dry-run", "--outdir", str(tmp_path / "bundle"))

    assert (tmp_path / "bundle/index.js").exists()
    assert page(project, "/version").status == 404
