"""Puts the dashboard's libraries where it serves them from, out of the npm packages that the lock file names.

``make vendor`` runs it. Nothing is built: a file is the package's own, but for its imports, which name the file
beside it instead of a package, since a page with a strict Content-Security-Policy has no import map.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from tests.node.tools import FOLDER, MODULES

PLACE: Final = FOLDER.parents[1] / "gateway/control/dashboard/vendor"
LOCK: Final = FOLDER / "package-lock.json"


class Library(NamedTuple):
    """A file of an npm package, and how the dashboard calls it."""

    package: str
    path: str
    name: str
    ending: str = ""


LIBRARIES: Final = (
    Library("preact", "dist/preact.mjs", "preact.mjs"),
    Library("preact", "hooks/dist/hooks.mjs", "hooks.mjs"),
    Library("htm", "dist/htm.mjs", "htm.mjs"),
    Library("@preact/signals-core", "dist/signals-core.mjs", "signals-core.mjs"),
    Library("@preact/signals", "dist/signals.mjs", "signals.mjs"),
    # The package's own minified file declares a variable; its ES module is three times as large.
    Library("uplot", "dist/uPlot.iife.min.js", "uplot.mjs", "export default uPlot;\n"),
    Library("uplot", "dist/uPlot.min.css", "uplot.css"),
)

_BESIDE: Final = {
    "preact": "./preact.mjs",
    "preact/hooks": "./hooks.mjs",
    "@preact/signals-core": "./signals-core.mjs",
}
_IMPORT: Final = re.compile(r'(\bfrom\s*)"([^"]+)"')
_MAP: Final = re.compile(r"\n?//# sourceMappingURL=\S+\s*$")


def vendored() -> Mapping[str, bytes]:
    """Return the files of the vendor folder as they must be, by name."""
    locked = json.loads(LOCK.read_text("utf-8"))["packages"]
    found: dict[str, bytes] = {}
    listed = []
    for package in dict.fromkeys(library.package for library in LIBRARIES):
        folder = MODULES / package
        told = json.loads((folder / "package.json").read_text("utf-8"))
        wanted = locked[f"node_modules/{package}"]
        assert told["version"] == wanted["version"], (
            f"{package} is not as locked: make tests/node/node_modules/.stamp"
        )
        licence = f"LICENSE.{package.rpartition('/')[2]}"
        found[licence] = (folder / "LICENSE").read_bytes()
        names = [library.name for library in LIBRARIES if library.package == package]
        listed.append(
            {
                "package": package,
                "version": wanted["version"],
                "integrity": wanted["integrity"],
                "license": told["license"],
                "files": [*names, licence],
            }
        )
    found.update((library.name, _content(library)) for library in LIBRARIES)
    found["packages.json"] = (json.dumps(listed, indent=2) + "\n").encode()
    return found


def _content(library: Library) -> bytes:
    text = (MODULES / library.package / library.path).read_text("utf-8")
    text = _MAP.sub("", text).rstrip() + "\n"
    text = (
        _IMPORT.sub(lambda match: f'{match[1]}"{_BESIDE[match[2]]}"', text)
        if library.name.endswith("mjs")
        else text
    )
    return (text + library.ending).encode()


def main() -> None:
    """Write the folder anew."""
    PLACE.mkdir(exist_ok=True)
    wanted = vendored()
    for file in PLACE.iterdir():
        if file.name not in wanted:
            file.unlink()
    for name, content in wanted.items():
        Path(PLACE / name).write_bytes(content)


if __name__ == "__main__":
    main()
