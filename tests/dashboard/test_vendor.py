"""What the dashboard serves of others is what the lock file names, with its licence, and little of it."""

from __future__ import annotations

import json

from tests.node.vendor import LIBRARIES, PLACE, vendored

MOST_BYTES = 90_000


def test_the_vendored_files_are_those_of_the_locked_packages() -> None:
    """Issue 4, item 7: kept in the repository with a script that refreshes them; `make vendor` mends this."""
    assert {file.name: file.read_bytes() for file in PLACE.iterdir()} == vendored()


def test_every_package_comes_with_its_licence() -> None:
    """Their licences ask for it: MIT and Apache-2.0, both with the text."""
    for package in json.loads((PLACE / "packages.json").read_text("utf-8")):
        licence = next(name for name in package["files"] if name.startswith("LICENSE."))
        assert package["license"] in {"MIT", "Apache-2.0"}
        assert len((PLACE / licence).read_text("utf-8")) > 500


def test_the_libraries_stay_small() -> None:
    """Issue 4, item 7: no framework sprawl."""
    assert sum((PLACE / library.name).stat().st_size for library in LIBRARIES) < MOST_BYTES
