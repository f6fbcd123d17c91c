"""What pytest loads: an option, a mark, two fixtures; all else is imported when a test asks for it.

An edge lives in the loop of its test, whoever made that loop: the test's coroutine is wrapped in one that starts
the edge before it and ends it behind it. A test that is no coroutine gets an edge whose loop runs in a thread.
"""

from __future__ import annotations

import functools
import inspect
import random
from collections.abc import Callable, Coroutine, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gateway.testing.edge import Edge
    from gateway.testing.matrix import Matrix, SyncMatrix
    from gateway.testing.sync_edge import SyncEdge

MARK = "version_matrix"
OPTION = "gateway_seed"
WORKERD = "gateway_workerd"
SEED_BITS = 32
SHOWN_REQUESTS = 20

_EDGE = pytest.StashKey["Edge | SyncEdge"]()
_COROUTINE = pytest.StashKey[bool]()
_MATRIX = pytest.StashKey["Matrix | SyncMatrix"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--gateway-seed`` and ``gateway_workerd``."""
    parser.addini(WORKERD, "the workerd that versions run on, relative to rootdir (default: it is looked for)")
    parser.getgroup("gradual-gateway").addoption(
        "--gateway-seed",
        dest=OPTION,
        type=int,
        metavar="N",
        help="seed of all that edges draw, as a failed test printed it (default: a random one)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Know the mark, and draw a seed where none was given; processes of pytest-xdist get the same."""
    config.addinivalue_line(
        "markers",
        f"{MARK}(worker, versions, *, switches=True, splits=(50,)): "
        "run the test under each version, each change from one to another, and each split",
    )
    if config.getoption(OPTION, None) is None:
        setattr(config.option, OPTION, random.SystemRandom().getrandbits(SEED_BITS))


@pytest.fixture
def edge(request: pytest.FixtureRequest) -> Iterator[Edge | SyncEdge]:
    """A gateway on free ports: an ``Edge`` in the test's own loop, or a ``SyncEdge`` for a test without one."""
    seed, workerd = request.config.getoption(OPTION), _workerd(request.config)
    if request.node.stash[_COROUTINE]:
        from gateway.testing.edge import Edge  # noqa: PLC0415 - see the module's first line

        edge = request.node.stash[_EDGE] = Edge(seed, workerd)
        yield edge
        _end_left_over(edge)
    else:
        from gateway.testing.sync_edge import SyncEdge  # noqa: PLC0415 - as above

        with SyncEdge(seed, workerd) as sync_edge:
            request.node.stash[_EDGE] = sync_edge
            yield sync_edge


@pytest.fixture
def matrix(request: pytest.FixtureRequest, edge: Edge | SyncEdge) -> Matrix | SyncMatrix:
    """The case of the version matrix that the test runs under; ``switch()`` goes on to its second half."""
    from gateway.testing.edge import Edge  # noqa: PLC0415 - as above
    from gateway.testing.matrix import Matrix, SyncMatrix  # noqa: PLC0415 - as above

    case = getattr(request, "param", None)
    if case is None:
        pytest.fail(f'matrix: the test has no @pytest.mark.{MARK}("shop", ["v1", "v2"])', pytrace=False)
    made = Matrix(case, edge) if isinstance(edge, Edge) else SyncMatrix(case, edge)
    request.node.stash[_MATRIX] = made
    return made


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make the cases of the mark."""
    marks = list(metafunc.definition.iter_markers(MARK))
    if not marks:
        return
    from gateway.testing.cases import InvalidMatrix, combined, worker_cases  # noqa: PLC0415 - as above

    if "matrix" not in metafunc.fixturenames:
        pytest.fail(
            f"{metafunc.definition.nodeid}: {MARK}: the test does not take `matrix`, by which it calls "
            "matrix.switch(): add the argument",
            pytrace=False,
        )
    try:
        # Marks nearest to the function come first; people read them from the top.
        cases = combined([worker_cases(*mark.args, **mark.kwargs) for mark in reversed(marks)])
    except InvalidMatrix as error:
        pytest.fail(f"{metafunc.definition.nodeid}: {error}", pytrace=False)
    metafunc.parametrize("matrix", cases, ids=map(str, cases), indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note whether the test is a coroutine: while it runs, plugins put something else in its place."""
    item.stash[_COROUTINE] = inspect.iscoroutinefunction(getattr(item, "obj", None))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Let the edge live around the test, in the test's loop."""
    edge, matrix = item.stash.get(_EDGE, None), item.stash.get(_MATRIX, None)
    if edge is None or not isinstance(item, pytest.Function):
        return (yield)
    if not item.stash[_COROUTINE]:
        return (yield from _around_plain_test(matrix))
    test = item.obj
    item.obj = _around_coroutine(test, edge, matrix)
    try:
        return (yield)
    finally:
        item.obj = test


def _around_plain_test(matrix: Any) -> Generator[None, None, None]:
    if matrix is not None:
        matrix.begin()
    yield
    if matrix is not None:
        matrix.check_switched()


def _around_coroutine(
    test: Callable[..., Coroutine[Any, Any, Any]], edge: Any, matrix: Any
) -> Callable[..., Coroutine[Any, Any, Any]]:
    @functools.wraps(test)
    async def around(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        async with edge:
            if matrix is not None:
                await matrix.begin()
            result = await test(*args, **kwargs)
            if matrix is not None:
                matrix.check_switched()
            return result

    return around


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say, of a failed test, how its draws are repeated and what its edge saw."""
    report = yield
    edge = item.stash.get(_EDGE, None)
    if edge is not None and report.failed and call.when != "teardown":
        report.sections.append(("gradual-gateway", _told(edge)))
    return report


def _told(edge: Edge | SyncEdge) -> str:
    from gateway.testing.assertions import seed_line  # noqa: PLC0415 - as above
    from gateway.testing.told_skew import incident_line  # noqa: PLC0415 - as above

    requests = edge.requests
    lines = [seed_line(edge.seed), f"{len(requests)} requests" + (":" if requests else "")]
    if len(requests) > SHOWN_REQUESTS:
        lines[-1] = f"{len(requests)} requests, the last {SHOWN_REQUESTS}:"
    for one in requests[-SHOWN_REQUESTS:]:
        why = f"{one.worker}={one.label or '-'} {one.reason or one.outcome}"
        point = f" at {one.point:.3f}" if one.point is not None else ""
        lines.append(f"  {one.method} {one.target} {one.status} {why}{point}")
    if skew := edge.skew:
        lines += ["version skew in them:", *(f"  {incident_line(one)}" for one in skew)]
    return "\n".join(lines)


def _workerd(config: pytest.Config) -> Path | None:
    set_to = config.getini(WORKERD)
    return config.rootpath / set_to if set_to else None


def _end_left_over(edge: Edge) -> None:
    """End an edge that a fixture started of a test that never ran, or that asked for it only while it ran."""
    loop = edge.loop
    if loop is not None and not loop.is_closed() and not loop.is_running():
        loop.run_until_complete(edge.close())
