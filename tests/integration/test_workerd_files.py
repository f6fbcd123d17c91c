"""Versions of the configuration file on the real workerd: the sample, edits, mistakes, crons, uploads."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.control.client import ApiError
from tests.integration.edge_process import ROOT, EdgeProcess, running_edge, spec
from tests.integration.http_client import OVERRIDES, Answer, Caller
from tests.integration.waiting import wait_for
from tests.integration.workers_api import edge_config
from tests.node import tools

HOST = "tracker.localhost"
DATE = "2026-04-01"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    """Run ``config/workers.yaml``."""
    shipped = yaml.safe_load((ROOT / "config" / "workers.yaml").read_text("utf-8"))
    with running_edge(tmp_path_factory.mktemp("sample"), edge_config(shipped["workers"]), seed=7) as edge:
        yield edge


def visit(edge: EdgeProcess, name: str, version_id: str = "") -> dict[str, Any]:
    """Visit an object of the tracker, through any version or through one."""
    headers = {OVERRIDES: f'tracker="{version_id}"'} if version_id else {}
    with Caller(edge, HOST) as caller:
        answer = caller.call(f"/{name}", headers=headers)
    assert answer.status == 200, answer
    return answer.json()


def test_the_sample_runs_both_versions_and_each_object_on_one(sample: EdgeProcess) -> None:
    """GDDO; R46a, R50: whichever version answers, an object is on one; its version is its own."""
    names = [f"user-{n}" for n in range(20)]
    objects = {name: visit(sample, name)["object"]["version"] for name in names}
    handlers = Counter(visit(sample, name)["worker"]["version"] for name in names * 3)

    assert set(handlers) == {"v1", "v2"}
    assert set(objects.values()) == {"v1", "v2"}
    assert {name: visit(sample, name)["object"]["version"] for name in names} == objects
    assert visit(sample, "user-0")["object"]["visits"] == 6


def test_the_samples_versions_understand_each_other(sample: EdgeProcess) -> None:
    """R51: the handler of each may meet an object of the other."""
    versions = {one["tag"]: one["id"] for one in sample.api.versions("tracker")}
    seen = {
        (found["worker"]["edition"], found["object"]["edition"])
        for name in (f"pair-{n}" for n in range(20))
        for found in (visit(sample, name, id_) for id_ in versions.values())
    }

    editions = ("first edition", "second edition")
    assert seen == {(handler, object_) for handler in editions for object_ in editions}


def test_a_cron_of_the_sample_can_be_fired(sample: EdgeProcess) -> None:
    """Issue B: ``gateway trigger cron`` fires one now."""
    fired = sample.api.trigger_cron("tracker", "*/5 * * * *")
    line = sample.wait_for_log("version.output", lambda line: "cron */5" in line["line"])

    assert (fired["outcome"], line["version"]) == ("ok", fired["tag"])
    with pytest.raises(ApiError, match="0 crons"):
        sample.api.trigger_cron("tracker")


# Edits


CODE = "export default {{ fetch() {{ return new Response({!r}); }} }};\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with a module and a TypeScript project."""
    (tmp_path / "shop.js").write_text(CODE.format("one"))
    source = tmp_path / "src"
    source.mkdir()
    (source / "index.ts").write_text(
        'import { word } from "./word";\n' + CODE.format("x").replace('"x"', "word").replace("'x'", "word")
    )
    (source / "word.ts").write_text('export const word: string = "typed";\n')
    (tmp_path / "wrangler.jsonc").write_text(
        '{"name": "x", "main": "src/index.ts", /* c */ "compatibility_date": "' + DATE + '"}'
    )
    script = tmp_path / "node_modules" / ".bin" / "wrangler"
    script.parent.mkdir(parents=True)
    script.write_text(f'#!/bin/sh\nexec {tools.node()} {tools.wrangler("4.164.0")} "$@"\n')
    script.chmod(0o755)
    return tmp_path


def shop(project: Path) -> dict[str, object]:
    """Return a Worker with a module as v1 and the project as v2."""
    return {
        "name": "tracker",
        "versions": [
            {"tag": "v1", "workerd": {"main": str(project / "shop.js"), "compatibility_date": DATE}},
            {"tag": "v2", "wrangler": str(project / "wrangler.jsonc")},
        ],
        "deployment": {"v1": 100},
    }


def get(edge: EdgeProcess) -> Answer:
    with Caller(edge, HOST) as caller:
        return caller.call("/")


def test_an_edit_is_a_new_version_and_no_request_is_lost(project: Path, tmp_path: Path) -> None:
    """Issue B, part 7: live reload on save as a new version; the deployment of the file goes over to it."""
    with running_edge(tmp_path / "edge", edge_config([shop(project)])) as edge:
        before = edge.api.deployment("tracker", "active")
        assert get(edge).text == "one"
        (project / "shop.js").write_text(CODE.format("two"))
        seen: list[str] = []
        deadline = time.monotonic() + 30
        while not seen or seen[-1] != "two":
            answer = get(edge)
            assert answer.status == 200
            seen.append(answer.text)
            assert time.monotonic() < deadline
        after = edge.api.deployment("tracker", "active")

        assert set(seen) <= {"one", "two"}
        assert [share["tag"] for share in after["versions"]] == ["v1"]
        assert before["versions"][0]["version_id"] != after["versions"][0]["version_id"]
        assert [one["tag"] for one in edge.api.versions("tracker")] == ["v1", "v2", "v1"]


def test_a_mistake_changes_nothing_until_it_is_mended(project: Path, tmp_path: Path) -> None:
    """Design 6: told with place and remedy; what was in force goes on; TypeScript through wrangler."""
    worker = {**shop(project), "deployment": {"v2": 100}}
    with running_edge(tmp_path / "edge", edge_config([worker])) as edge:
        assert get(edge).text == "typed"
        (project / "src" / "word.ts").write_text("export const word: string = ;\n")
        told = edge.wait_for_log("config.not_applied")
        assert "word.ts" in told["error"]
        assert "gateway.yaml" in told["error"]
        assert get(edge).text == "typed"
        (project / "src" / "word.ts").write_text('export const word: string = "mended";\n')
        wait_for(lambda: get(edge).text == "mended", "the mended code")

        assert len(edge.log("config.not_applied")) == 1


def test_what_was_deployed_by_hand_holds_over_a_restart(project: Path, tmp_path: Path) -> None:
    """Design 6: stored state wins; ids follow from the content, so they are the same after a restart."""
    edge = EdgeProcess(tmp_path / "edge", edge_config([shop(project)]))
    try:
        edge.start()
        ids = [one["id"] for one in edge.api.versions("tracker")]
        edge.api.deploy("tracker", spec(v2=100))
        assert get(edge).text == "typed"
        edge.stop()
        edge.start()

        assert [one["id"] for one in edge.api.versions("tracker")] == ids
        assert get(edge).text == "typed"
    finally:
        edge.close()


def test_a_file_can_be_uploaded_by_the_command_line(project: Path, tmp_path: Path) -> None:
    """Design 7, ``gateway versions upload``: the first is deployed (R8), others have their URL."""
    with running_edge(tmp_path / "edge", edge_config()) as edge:

        def gateway(*arguments: str) -> str:
            words = [sys.executable, "-m", "gateway", "--control", edge.control, *arguments]
            done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=project, env=environment)
            assert done.returncode == 0, done.stderr
            return done.stdout

        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        first = gateway("versions", "upload", "shop.js", "--worker", "tracker", "--compatibility-date", DATE)
        second = gateway("versions", "upload", "--wrangler", "wrangler.jsonc", "--tag", "v2", "--alias", "beta")
        third = gateway("versions", "upload", "shop.js", "--tag", "v3")
        versions = {one["tag"]: one for one in edge.api.versions("tracker")}

        assert "all traffic" in first
        assert "gateway versions deploy v2@10%" in second
        assert "uploaded v3" in third
        assert get(edge).text == "one"
        assert versions["v3"]["runtime"]["compatibility_date"] == DATE
        with Caller(edge, f"{versions['v2']['id'][:8]}-{HOST}") as by_version:
            assert by_version.call("/").text == "typed"
        with Caller(edge, f"beta-{HOST}") as by_alias:
            assert by_alias.call("/").text == "typed"
