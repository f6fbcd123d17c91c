"""The tracker: what stands in its configuration files is what wrangler and the gateway read."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.config_file import load_settings
from gateway.runtime.workerd.sources import read_code
from gateway.runtime.workerd.upload_form import parse_upload_form
from gateway.settings import WorkerdSource
from tests.node import tools

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "sample_workers" / "tracker"


def test_the_shipped_file_loads_and_its_code_is_there() -> None:
    """Issue B, sample: two versions of one Worker, v1 90 and v2 10, pure JavaScript for workerd."""
    (tracker,) = load_settings(ROOT / "config" / "workers.yaml").workers
    codes = [source.code for source in tracker.sources]

    assert [(share.tag, share.percentage) for share in tracker.deployment] == [("v1", 90), ("v2", 10)]
    for code in codes:
        assert isinstance(code, WorkerdSource)
        assert code.has_objects
        assert len(read_code(code, ROOT).form.modules) == 1


@pytest.mark.parametrize("wrangler", ["4.164.0", "4.86.0"])
@pytest.mark.parametrize("main", ["v1.js", "v2.js"])
def test_both_versions_can_be_uploaded_by_wrangler(tmp_path: Path, wrangler: str, main: str) -> None:
    """docs/workers.md: ``wrangler deploy``, then ``wrangler versions upload v2.js``."""
    shutil.copytree(FOLDER, tmp_path / "tracker")
    form = tmp_path / "upload"
    done = subprocess.run(
        [tools.node(), tools.wrangler(wrangler), "versions", "upload", main, "--dry-run", "--outfile", form],
        cwd=tmp_path / "tracker",
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "WRANGLER_SEND_METRICS": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    metadata = parse_upload_form(form.read_bytes()).metadata

    assert {one["name"]: one["type"] for one in metadata["bindings"]} == {
        "TRACKER": "durable_object_namespace",
        "CF_VERSION_METADATA": "version_metadata",
    }


def test_both_configurations_say_the_same() -> None:
    """One sample, two ways to run it."""
    comments = re.compile(r"^\s*//.*$", re.MULTILINE)
    wrangler = json.loads(comments.sub("", (FOLDER / "wrangler.jsonc").read_text("utf-8")))
    (tracker,) = load_settings(ROOT / "config" / "workers.yaml").workers
    code = tracker.sources[0].code
    assert isinstance(code, WorkerdSource)
    options = {binding.name: binding.options for binding in code.bindings}

    assert (wrangler["name"], wrangler["compatibility_date"]) == (tracker.name, code.compatibility_date)
    assert wrangler["durable_objects"]["bindings"] == [{"name": "TRACKER", **options["TRACKER"]}]
    assert wrangler["version_metadata"] == {"binding": "CF_VERSION_METADATA"}
