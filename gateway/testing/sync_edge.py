"""The same edge for tests that are no coroutines: its loop runs in a thread, and every call waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from gateway.control.explaining import Explained
from gateway.model.deployment import CodeUpdate, Deployment
from gateway.model.fault import Fault
from gateway.model.skew_rules import SkewRules
from gateway.model.version import VersionId
from gateway.observability.events import RequestEvent, ResetEvent
from gateway.skew.incident import Incident
from gateway.store.store import ObjectView
from gateway.testing.answers import Answer
from gateway.testing.browsing import Page
from gateway.testing.client import Client
from gateway.testing.edge import Edge
from gateway.testing.workers import Source

T = TypeVar("T")


class LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        # With a factory, or it would become the current loop of the test's own thread.
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop = self._runner.get_loop()
        self._thread = threading.Thread(target=self._live, name="gradual-gateway", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the thread, and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def call(self, function: Callable[[], T]) -> T:
        """Call a function in the thread, and return what it returns."""

        async def work() -> T:
            return function()

        return self.run(work())

    def close(self) -> None:
        """End the loop, and with it the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _live(self) -> None:
        self._loop.run_forever()
        self._runner.close()


class SyncPage:
    """A page and what it asked for; see ``Page``."""

    def __init__(self, page: Page, thread: LoopThread) -> None:
        self._page = page
        self._thread = thread
        self.answer, self.files, self.missing, self.tag = page.answer, page.files, page.missing, page.tag

    def __repr__(self) -> str:
        return repr(self._page)

    def follow(self, path: str, **more: Any) -> SyncPage:
        """Go on to another page; see ``Page.follow``."""
        return SyncPage(self._thread.run(self._page.follow(path, **more)), self._thread)

    def request(self, method: str, path: str, **more: Any) -> Answer:
        """Send what a script of the page sends; see ``Page.request``."""
        return self._thread.run(self._page.request(method, path, **more))

    def get(self, path: str, **more: Any) -> Answer:
        """Send a GET; see ``request``."""
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> Answer:
        """Send a POST; see ``request``."""
        return self.request("POST", path, **more)


class SyncClient:
    """A client of the edge; see ``Client``."""

    def __init__(self, client: Client, thread: LoopThread) -> None:
        self._client = client
        self._thread = thread

    def __repr__(self) -> str:
        return repr(self._client)

    def request(self, method: str, path: str, **more: Any) -> Answer:
        """Send a request and return its answer, read to the end; arguments as those of ``Client.request``."""
        return self._thread.run(self._client.request(method, path, **more))

    def get(self, path: str = "/", **more: Any) -> Answer:
        """Send a GET; see ``request``."""
        return self.request("GET", path, **more)

    def head(self, path: str = "/", **more: Any) -> Answer:
        """Send a HEAD; see ``request``."""
        return self.request("HEAD", path, **more)

    def post(self, path: str = "/", **more: Any) -> Answer:
        """Send a POST; see ``request``."""
        return self.request("POST", path, **more)

    def put(self, path: str = "/", **more: Any) -> Answer:
        """Send a PUT; see ``request``."""
        return self.request("PUT", path, **more)

    def patch(self, path: str = "/", **more: Any) -> Answer:
        """Send a PATCH; see ``request``."""
        return self.request("PATCH", path, **more)

    def delete(self, path: str = "/", **more: Any) -> Answer:
        """Send a DELETE; see ``request``."""
        return self.request("DELETE", path, **more)

    def load(self, path: str = "/", **more: Any) -> SyncPage:
        """Load a page with its files; see ``Client.load``."""
        return SyncPage(self._thread.run(self._client.load(path, **more)), self._thread)


class SyncEdge:
    """See ``Edge``: the same methods, each of which waits. Any client reaches it by ``url``.

    Args:
        seed: Of all that is drawn.
        workerd: See ``Edge``.
    """

    def __init__(self, seed: int, workerd: Path | None = None) -> None:
        self._edge = Edge(seed, workerd)
        self._thread: LoopThread | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} seed={self.seed}>"

    @property
    def seed(self) -> int:
        """Of all that is drawn."""
        return self._edge.seed

    def __enter__(self) -> Self:
        self._thread = LoopThread()
        try:
            self._thread.run(self._edge.start())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it and all that it runs."""
        thread, self._thread = self._thread, None
        if thread is not None:
            try:
                thread.run(self._edge.close())
            finally:
                thread.close()

    def worker(
        self,
        name: str,
        /,
        *,
        routes: Sequence[str] | None = None,
        classes: Mapping[str, str] | None = None,
        assignment: str = "sticky",
        skew: SkewRules | None = None,
        **versions: Source,
    ) -> None:
        """Declare a Worker and its versions; see ``Edge.worker``."""
        self._edge.worker(name, routes=routes, classes=classes, assignment=assignment, skew=skew, **versions)

    def deploy(
        self,
        worker: str,
        /,
        *,
        cohorts: Mapping[str, Mapping[str, float]] | None = None,
        code_update: CodeUpdate | None = None,
        **percentages: float,
    ) -> Deployment:
        """Deploy versions of a Worker; see ``Edge.deploy``."""
        return self._run(self._edge.deploy(worker, cohorts=cohorts, code_update=code_update, **percentages))

    def deploy_shares(self, worker: str, percentages: Mapping[str, float]) -> Deployment:
        """Deploy versions of a Worker; see ``Edge.deploy_shares``."""
        return self._run(self._edge.deploy_shares(worker, percentages))

    def fault(self, kind: str, /, **fields: object) -> Fault:
        """Let something go wrong on purpose; see ``Edge.fault``."""
        return self._run(self._edge.fault(kind, **fields))

    def clear_faults(self) -> None:
        """Take all faults away."""
        self._call(self._edge.clear_faults)

    def check_tags(self, worker: str, tags: Iterable[str]) -> None:
        """Check that a Worker has versions of these tags; see ``Edge.check_tags``."""
        self._edge.check_tags(worker, tags)

    @property
    def url(self) -> str:
        """Where it answers: ``http://127.0.0.1:<port>``."""
        return self._edge.url

    @property
    def control_url(self) -> str:
        """Where its API and its dashboard are."""
        return self._edge.control_url

    def url_of(self, worker: str) -> str:
        """Return the address that is a Worker's alone; a client must find ``*.localhost`` itself."""
        return self._edge.url_of(worker)

    def client(
        self,
        *,
        worker: str | None = None,
        key: str | None = None,
        override: str | Mapping[str, str] | None = None,
        cohort: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SyncClient:
        """Return a client whose every request carries these signals; see ``Edge.client``."""
        client = self._edge.client(worker=worker, key=key, override=override, cohort=cohort, headers=headers)
        assert self._thread is not None  # noqa: S101 - an edge without one has no address
        return SyncClient(client, self._thread)

    def version_id(self, worker: str, version: str) -> VersionId:
        """Return the id of a version; see ``Edge.version_id``."""
        return self._edge.version_id(worker, version)

    def label_of(self, worker: str, version_id: str) -> str:
        """Return what people call a version: its tag, or its short id."""
        return self._edge.label_of(worker, version_id)

    @property
    def requests(self) -> list[RequestEvent]:
        """All requests since the start, in the order in which they ended."""
        return self._call(lambda: self._edge.requests)

    @property
    def resets(self) -> list[ResetEvent]:
        """All Durable Objects that went over to another version, in their order."""
        return self._call(lambda: self._edge.resets)

    @property
    def skew(self) -> list[Incident]:
        """Version skew that shows in the requests so far; see ``Edge.skew``."""
        return self._call(lambda: self._edge.skew)

    def drawn_since_deployment(self, worker: str) -> list[RequestEvent]:
        """Return a Worker's requests since it was deployed last."""
        return self._call(lambda: self._edge.drawn_since_deployment(worker))

    def objects(self, worker: str | None = None, class_name: str | None = None) -> list[ObjectView]:
        """Return the table of Durable Objects; see ``Edge.objects``."""
        return self._run(self._edge.objects(worker, class_name))

    def explain(
        self,
        url: str = "/",
        *,
        key: str | None = None,
        override: str | Mapping[str, str] | None = None,
        cohort: str | None = None,
        headers: Mapping[str, str] | None = None,
        count: int = 1,
    ) -> Explained:
        """Return which version a request would reach and by which rules; see ``Edge.explain``."""
        return self._call(
            lambda: self._edge.explain(
                url, key=key, override=override, cohort=cohort, headers=headers, count=count
            )
        )

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._thread is None:
            work.close()
            raise RuntimeError("the edge has ended")
        return self._thread.run(work)

    def _call(self, function: Callable[[], T]) -> T:
        """Read in the loop's thread while it runs; what was seen stays when it has ended."""
        return function() if self._thread is None else self._thread.call(function)
