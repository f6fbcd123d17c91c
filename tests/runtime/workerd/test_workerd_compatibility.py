"""Compatibility dates that a workerd takes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from gateway.runtime.workerd.binary import find_workerd
from gateway.runtime.workerd.compatibility import clamp_compatibility_date, newest_compatibility_date
from tests.node import tools

LATER = date(2030, 1, 1)
CONFIG = """\
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (services = [
  (name = "main", worker = (compatibilityDate = "DATE", modules = [(name = "m", esModule = "export default {}")]))
]);
"""
NEWEST = re.compile(r'newest date supported by this server binary is "([0-9-]+)"')


@pytest.mark.parametrize(
    ("release", "today", "newest"),
    [
        (date(2026, 4, 26), LATER, date(2026, 5, 3)),
        (date(2026, 11, 17), LATER, date(2026, 11, 24)),
        (date(2026, 11, 17), date(2026, 11, 23), date(2026, 11, 23)),
        (date(2026, 11, 17), date(2026, 11, 24), date(2026, 11, 24)),
    ],
)
def test_a_workerd_takes_dates_up_to_a_week_after_its_release(release: date, today: date, newest: date) -> None:
    """What the two binaries say; and never a date in the future, whatever the binary knows."""
    assert newest_compatibility_date(release, today) == newest


@pytest.mark.parametrize("folder", [tools.folder_of_newest_workerd, tools.folder_of_older_workerd])
def test_workerd_itself_says_the_same(folder: Callable[[], Path], tmp_path: Path) -> None:
    """Its error for a date that is too new names the newest one that it takes."""
    found = find_workerd(None, [folder()], {})
    newest = newest_compatibility_date(found.release, LATER)

    assert complaint(found.path, tmp_path, newest + timedelta(days=1000)) == newest
    usable = found.newest_compatibility_date(datetime.now(UTC).date())
    assert complaint(found.path, tmp_path, usable) is None


def complaint(workerd: Path, folder: Path, wanted: date) -> date | None:
    """Return the newest date that workerd names when it refuses a date, or None where it takes it."""
    config = folder / "config.capnp"
    config.write_text(CONFIG.replace("DATE", wanted.isoformat()), "utf-8")
    # It has no socket to listen on, so it ends by itself once it has read the configuration.
    ended = subprocess.run(
        [workerd, "serve", config], capture_output=True, encoding="utf-8", timeout=30, check=False
    )
    found = NEWEST.search(ended.stderr)
    assert (found is None) == (ended.returncode == 0), ended.stderr
    return None if found is None else date.fromisoformat(found[1])


def test_a_date_that_is_too_new_is_clamped_with_a_warning() -> None:
    """The newest Workers are written for Cloudflare's own workerd, which is newer than any that is installed."""
    date_used, warning = clamp_compatibility_date(date(2026, 12, 24), date(2026, 11, 24))

    assert date_used == date(2026, 11, 24)
    assert warning is not None
    assert {"2026-12-24", "2026-11-24"} <= set(re.findall(r"[0-9-]{10}", warning))


@pytest.mark.parametrize("wanted", [date(2021, 11, 2), date(2026, 11, 24)])
def test_any_other_date_stays(wanted: date) -> None:
    """Up to the newest one, that included."""
    assert clamp_compatibility_date(wanted, date(2026, 11, 24)) == (wanted, None)
