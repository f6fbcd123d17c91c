"""Imports point one way only: style.md's list, held by the ``import`` statements themselves."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "gateway"

EVERYONE: frozenset[str] = frozenset({"gateway", "gateway.model", "gateway.errors", "gateway.settings"})
"""What every part may import; ``gateway`` itself holds no code."""

JOINED = ("gateway.runtime", "gateway.store", "gateway.proxy", "gateway.control")

ALLOWED: Mapping[str, frozenset[str]] = {
    "gateway": frozenset(),
    "gateway.errors": frozenset(),
    "gateway.model": frozenset(),
    "gateway.routing": frozenset(),
    # What-if: made-up traffic through the real routing, for the terminal alone.
    "gateway.simulation": frozenset({"gateway.routing"}),
    # What differs between two versions' answers.
    "gateway.comparison": frozenset({"gateway.routing"}),
    # Declared scenarios: read, played on a stage behind a Protocol, judged, told.
    "gateway.scenarios": frozenset(
        {"gateway.config_place", "gateway.config_faults", "gateway.routing", "gateway.comparison"}
    ),
    # Facts in, incidents out; `reading` and `watching` alone know where the facts come from.
    "gateway.skew": frozenset({"gateway.routing", "gateway.observability"}),
    "gateway.settings": frozenset({"gateway.routing"}),
    "gateway.config_place": frozenset(),
    "gateway.config_code": frozenset({"gateway.config_place"}),
    "gateway.config_faults": frozenset({"gateway.config_place", "gateway.routing"}),
    "gateway.config_file": frozenset(
        {
            "gateway.config_place", "gateway.config_code", "gateway.config_faults", "gateway.routing",
            "gateway.runtime",
        }
    ),
    # Joins the configuration with the code that it names: reads it, checks its bindings as those of an upload.
    "gateway.sources": frozenset({"gateway.runtime", "gateway.control"}),
    "gateway.observability": frozenset(),
    "gateway.runtime": frozenset({"gateway.observability", "gateway.routing"}),
    "gateway.store": frozenset({"gateway.observability", "gateway.routing"}),
    "gateway.proxy": frozenset({"gateway.routing", "gateway.observability", "gateway.store", "gateway.runtime"}),
    "gateway.control": frozenset(
        {
            "gateway.routing", "gateway.observability", "gateway.store", "gateway.runtime", "gateway.skew",
            "gateway.scenarios",
        }
    ),
    # What `assembly` joins is more than one file: each of these joins some of the parts for one purpose.
    "gateway.live": frozenset({"gateway.routing", "gateway.observability", *JOINED, "gateway.moving"}),
    "gateway.plane": frozenset({"gateway.routing", *JOINED, "gateway.live", "gateway.moving"}),
    "gateway.moving": frozenset({"gateway.routing", *JOINED, "gateway.handing_over"}),
    "gateway.handing_over": frozenset(JOINED),
    # Which version a call through a service binding meets.
    "gateway.binding_calls": frozenset({"gateway.routing", *JOINED}),
    # The file as it changes, and what it says of Workers.
    "gateway.config_watch": frozenset({"gateway.config_file", "gateway.sources"}),
    "gateway.configured": frozenset({"gateway.routing", *JOINED}),
    # What faults do to processes and objects.
    "gateway.deeds": frozenset({*JOINED, "gateway.moving"}),
    # Tells events and counters what happens in each of the parts.
    "gateway.observing": frozenset({"gateway.observability", *JOINED}),
    # The running gateway as a stage: its deployments, its data plane over HTTP, what it tells.
    "gateway.staging": frozenset(
        {"gateway.scenarios", "gateway.skew", "gateway.observability", "gateway.routing", "gateway.control"}
    ),
    "gateway.assembly": frozenset(
        {
            "gateway.observability", *JOINED, "gateway.sources", "gateway.live", "gateway.moving",
            "gateway.plane", "gateway.observing", "gateway.skew", "gateway.deeds", "gateway.staging",
            "gateway.binding_calls", "gateway.config_watch", "gateway.configured",
        }
    ),
    # One gateway as a process of its own.
    "gateway.serving": frozenset(
        {
            "gateway.assembly", "gateway.config_file", "gateway.config_watch", "gateway.control",
            "gateway.observability",
        }
    ),
    # The terminal installs workerd (`gateway setup workerd`) while no gateway runs.
    "gateway.cli": frozenset(
        {
            "gateway.serving", "gateway.config_file", "gateway.control", "gateway.runtime", "gateway.simulation",
            "gateway.comparison", "gateway.scenarios",
        }
    ),
    # The gateway of a test is built and driven from within its process: no part of ours is behind an API there.
    # It loads pages as a browser does (`comparison` reads their files), and gives the detector all that was seen.
    "gateway.testing": frozenset(
        {
            "gateway.assembly", "gateway.routing", "gateway.observability", *JOINED, "gateway.comparison",
            "gateway.skew",
        }
    ),
    "gateway.__main__": frozenset({"gateway.cli"}),
}  # fmt: skip
"""What each part may import beside itself and what everyone may."""

PROTOCOLS = frozenset({"gateway.store.store", "gateway.runtime.runner"})
"""All that the data and control planes may know of stores and runtimes."""

BROKEN_WITH_REASON: Mapping[str, frozenset[str]] = {
    # The API lists and pins objects: the table has one implementation, and a Protocol would only repeat it.
    "gateway/control/api/server.py": frozenset({"gateway.store.objects"}),
}

PURE_STDLIB = frozenset(
    {
        "__future__", "collections", "collections.abc", "dataclasses", "datetime", "enum", "functools", "hashlib",
        "hmac", "itertools", "math", "re", "typing", "urllib.parse", "uuid",
    }
)  # fmt: skip
"""What decisions may use of the standard library: nothing that waits, reads, draws or knows the time."""

PURE_LIBRARIES = frozenset({"mmh3", "http_sf"})


def modules() -> Iterator[tuple[Path, str]]:
    """Yield every file of the package with its module's name."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield path, ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[str]:
    """Yield what a file imports, wherever in it: in functions and under ``TYPE_CHECKING`` too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            module = node.module or ""
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                yield inner if (ROOT / Path(*inner.split("."))).with_suffix(".py").exists() else module


def part_of(module: str) -> str:
    """Return the part a module belongs to: ``gateway.proxy`` for ``gateway.proxy.headers``."""
    return ".".join(module.split(".")[:2])


FILES = [pytest.param(path, module, id=str(path.relative_to(ROOT))) for path, module in modules()]


@pytest.mark.parametrize(("path", "module"), FILES)
def test_imports_point_down_the_list_only(path: Path, module: str) -> None:
    """style.md, "Imports point down this list only": each part knows only what stands for it in ``ALLOWED``."""
    part = part_of(module)
    known = (
        ALLOWED[part] | {part} if part not in {"gateway.model", "gateway.errors", "gateway.routing"} else {part}
    )
    known |= (
        {"gateway", "gateway.model", "gateway.errors"}
        if part in {"gateway.model", "gateway.routing"}
        else EVERYONE
    )

    wrong = {name for name in imports_of(path) if name.split(".")[0] == "gateway" and part_of(name) not in known}

    assert wrong == set()


@pytest.mark.parametrize(("path", "module"), FILES)
def test_planes_know_stores_and_runtimes_by_their_protocols(path: Path, module: str) -> None:
    """style.md: proxy and control import the Protocols of store and runtime, but for named cases."""
    if part_of(module) not in {"gateway.proxy", "gateway.control"}:
        return
    allowed = PROTOCOLS | BROKEN_WITH_REASON.get(path.relative_to(ROOT).as_posix(), frozenset())

    wrong = {
        name
        for name in imports_of(path)
        if part_of(name) in {"gateway.store", "gateway.runtime"} and name not in allowed
    }

    assert wrong == set()


def test_every_named_case_is_still_one() -> None:
    """An exception that nothing needs any more would let the next one in unseen."""
    for name, allowed in BROKEN_WITH_REASON.items():
        assert allowed <= set(imports_of(ROOT / name)), name


SKEW_OUTSIDE = frozenset({"gateway.skew.reading", "gateway.skew.watching"})

PURE = [
    pytest.param(path, id=str(path.relative_to(ROOT)))
    for path, module in modules()
    if part_of(module) in {"gateway.model", "gateway.routing", "gateway.skew"} and module not in SKEW_OUTSIDE
]


@pytest.mark.parametrize("path", PURE)
def test_decisions_are_pure(path: Path) -> None:
    """style.md: routing and model import model, errors, mmh3, http-sf; no asyncio, random, time or os."""
    libraries = PURE_LIBRARIES if path.parent.name == "routing" else frozenset()
    foreign = {name for name in imports_of(path) if name.split(".")[0] != "gateway"}

    assert foreign <= PURE_STDLIB | libraries


@pytest.mark.parametrize("path", PURE)
def test_nothing_pure_waits(path: Path) -> None:
    """House rule 5: ``async def`` promises that it may wait; a decision never does."""
    waiting = [
        node
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.AsyncFunctionDef | ast.Await)
    ]

    assert waiting == []


@pytest.mark.parametrize("path", PURE)
def test_nothing_pure_knows_of_events(path: Path) -> None:
    """Issue D: the skew detector is told values of its own; who reads events is not pure."""
    assert "gateway.observability" not in set(map(part_of, imports_of(path)))


OUTSIDE = frozenset({"aiohttp", "os", "random", "secrets", "socket", "structlog", "subprocess", "time"})


@pytest.mark.parametrize("path", sorted((PACKAGE / "scenarios").glob("*.py")), ids=lambda path: path.name)
def test_scenarios_are_played_through_their_stage_alone(path: Path) -> None:
    """``gateway.scenarios`` knows no socket, file or clock; and nothing in it waits but for the stage."""
    assert {name.split(".")[0] for name in imports_of(path)} & OUTSIDE == set()
    if path.name != "player.py":
        assert "asyncio" not in set(imports_of(path))


def test_errors_need_nothing_of_ours() -> None:
    """style.md: everyone imports errors, so errors import nobody; of the standard library a path at most."""
    assert set(imports_of(PACKAGE / "errors.py")) <= {"__future__", "collections.abc", "pathlib", "typing"}


def test_a_code_of_ours_means_one_error() -> None:
    """``GatewayError``: our own codes start at 90 000; a script tells errors apart by them."""
    codes = [
        code
        for path, _ in modules()
        for code in re.findall(
            r"^    (?:status, )?code.* = .*\b(90_\d{3})\b", path.read_text("utf-8"), re.MULTILINE
        )
    ]
    twice = {code for code in codes if codes.count(code) > 1}

    assert len(codes) > 20
    assert twice <= {"90_000"}


FORBIDDEN = [
    ("gateway.proxy", "gateway.control"),
    ("gateway.control", "gateway.proxy"),
    ("gateway.runtime", "gateway.store"),
    ("gateway.store", "gateway.runtime"),
    ("gateway.observability", "gateway.proxy"),
    ("gateway.model", "gateway.routing"),
]


@pytest.mark.parametrize(("one", "other"), FORBIDDEN, ids=[f"{one} -> {other}" for one, other in FORBIDDEN])
def test_parts_that_never_import_each_other(one: str, other: str) -> None:
    """style.md: proxy and control never each other; runtime and store never each other."""
    guilty = [
        module for path, module in modules() if part_of(module) == one and other in map(part_of, imports_of(path))
    ]

    assert guilty == []


def test_only_a_process_and_tests_know_the_assembly_and_nobody_the_command_line() -> None:
    """style.md: assembly is the one place that joins the parts; below the terminal nobody knows there is one."""
    for path, module in modules():
        imported = set(map(part_of, imports_of(path)))
        if part_of(module) not in {"gateway.serving", "gateway.assembly", "gateway.testing"}:
            assert "gateway.assembly" not in imported, module
        if part_of(module) not in {"gateway.cli", "gateway.__main__"}:
            assert "gateway.cli" not in imported, module


def test_the_command_line_speaks_http() -> None:
    """style.md: cli imports of control only the client; it speaks HTTP like any user."""
    known = {
        name
        for path, module in modules()
        if part_of(module) == "gateway.cli"
        for name in imports_of(path)
        if part_of(name) == "gateway.control"
    }

    assert known <= {"gateway.control.client"}


def test_no_module_is_part_of_a_cycle() -> None:
    """style.md: h11, httpcore and http-sf have no cycle at all; imports for types only are let off."""
    graph = {module: set(imports_at_run_time(path)) for path, module in modules()}
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join((*way, module))
        if module not in done:
            for other in graph.get(module, ()):
                visit(other, (*way, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def imports_at_run_time(path: Path) -> Iterator[str]:
    """Yield what a file imports when it is itself imported."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gateway."):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("gateway."))


def test_the_list_knows_every_part() -> None:
    """A part that stands on no list would be held to nothing."""
    assert {part_of(module) for _, module in modules()} <= set(ALLOWED)
