"""One case of a version matrix while its test runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gateway.testing.cases import Case, WorkerCase
from gateway.testing.edge import Edge
from gateway.testing.errors import EdgeMisused
from gateway.testing.sync_edge import SyncEdge


class _Matrix:
    """What both kinds of matrix know."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.switched = False

    def __str__(self) -> str:
        return str(self.case)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.case}>"

    def tags(self, worker: str) -> list[str]:
        """Return the versions of a Worker that may answer now.

        Raises:
            EdgeMisused: It is not part of the matrix.
        """
        for one in self.case.workers:
            if one.worker == worker:
                return list(one.after if one.after and self.switched else one.before)
        names = ", ".join(repr(one.worker) for one in self.case.workers)
        raise EdgeMisused(
            f"Worker {worker!r} is not part of the matrix ({names})", remedy="Mark the test with it too."
        )

    def check_known(self, edge: Edge | SyncEdge) -> None:
        """Check that what the mark names was declared.

        Raises:
            EdgeMisused: It was not.
        """
        try:
            for one in self.case.workers:
                edge.check_tags(one.worker, sorted(one.tags))
        except EdgeMisused as error:
            raise EdgeMisused(
                f"version_matrix, case {self.case}: {error.message}",
                remedy="Declare them in a fixture that the test uses: edge.worker('shop', v1=…, v2=…).",
            ) from None

    def check_switched(self) -> None:
        """Check that a test under two deployments has seen both; call it once the test has passed.

        Raises:
            EdgeMisused: It never switched, and so proved what another case proves already.
        """
        if self.case.switches and not self.switched:
            raise EdgeMisused(
                f"version_matrix, case {self.case}: the test never called matrix.switch()",
                remedy="Call it in the middle, or leave these cases out: version_matrix(…, switches=False).",
            )

    def _first(self) -> Iterator[tuple[str, Mapping[str, float]]]:
        return ((one.worker, one.before) for one in self.case.workers)

    def _second(self) -> Iterator[tuple[str, Mapping[str, float]]]:
        switching: Iterator[WorkerCase] = (one for one in self.case.workers if one.after)
        already, self.switched = self.switched, True
        return iter(()) if already else ((one.worker, one.after) for one in switching)


class Matrix(_Matrix):
    """The case that a coroutine test runs under; deployed before the test begins."""

    def __init__(self, case: Case, edge: Edge) -> None:
        super().__init__(case)
        self._edge = edge

    async def begin(self) -> None:
        """Deploy what the case begins with; the plugin does this."""
        self.check_known(self._edge)
        for worker, percentages in self._first():
            await self._edge.deploy_shares(worker, percentages)

    async def switch(self) -> None:
        """Deploy what the case switches to; where one version or one split stays throughout, nothing happens."""
        for worker, percentages in self._second():
            await self._edge.deploy_shares(worker, percentages)


class SyncMatrix(_Matrix):
    """The case that a plain test runs under; deployed before the test begins."""

    def __init__(self, case: Case, edge: SyncEdge) -> None:
        super().__init__(case)
        self._edge = edge

    def begin(self) -> None:
        """Deploy what the case begins with; the plugin does this."""
        self.check_known(self._edge)
        for worker, percentages in self._first():
            self._edge.deploy_shares(worker, percentages)

    def switch(self) -> None:
        """Deploy what the case switches to; see ``Matrix.switch``."""
        for worker, percentages in self._second():
            self._edge.deploy_shares(worker, percentages)
