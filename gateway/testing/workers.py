"""Workers as a test declares them -> Workers as the gateway's configuration would say them."""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from aiohttp import web

from gateway.model.durable_object import AssignmentRule
from gateway.model.skew_rules import SkewRules
from gateway.model.version import (
    CommandRuntime,
    UrlRuntime,
    VersionDefinition,
    VersionId,
    WorkerName,
    provisional_version_id,
)
from gateway.routing.object_names import InvalidObjectSource, ObjectBinding, parse_binding
from gateway.routing.routes import InvalidRoute, Route, implied_route, parse_route
from gateway.runtime.external_url import InvalidUpstreamUrl, endpoint_of
from gateway.settings import ConfigPlace, VersionSource, WorkerdSource, WorkerSettings, WranglerSource
from gateway.testing.asgi import AsgiApp
from gateway.testing.bundles import Bundle
from gateway.testing.errors import EdgeMisused
from gateway.testing.serving import serve_aiohttp, serve_asgi

Source = web.Application | Bundle | Path | str | Sequence[str] | Callable[..., Any]
"""How a test gives a version; see ``Edge.worker``."""

_WRANGLER: Final = (".toml", ".json", ".jsonc")
_MODULES: Final = (".js", ".mjs")
_ASGI_ARGUMENTS: Final = 3
_KINDS: Final = (
    "Give an aiohttp Application, an ASGI app, a function without arguments that makes one of them, a URL such as "
    '"http://127.0.0.1:9102", a command such as ["python", "-m", "shop"], a Bundle, or the Path of a wrangler '
    "file or of an ES module."
)


@dataclass(frozen=True, slots=True)
class DeclaredVersion:
    """A version of a test, checked but not started."""

    worker: WorkerName
    tag: str
    source: Source | WorkerdSource | WranglerSource

    @property
    def name(self) -> str:
        """How errors speak of it."""
        return f"version {self.tag!r} of Worker {self.worker!r}"


@dataclass(slots=True)
class DeclaredWorker:
    """A Worker of a test, with the versions that run already.

    Args:
        waiting: Versions that were declared since the last deployment.
    """

    name: WorkerName
    routes: tuple[Route, ...]
    bindings: tuple[ObjectBinding, ...]
    assignment: AssignmentRule
    skew: SkewRules | None = None
    waiting: list[DeclaredVersion] = field(default_factory=list)
    defined: list[VersionDefinition | VersionSource] = field(default_factory=list)

    @property
    def tags(self) -> list[str]:
        """Tags of its versions, in the order in which they were declared."""
        return [one.tag for one in (*self.defined, *self.waiting)]

    def settings(self) -> WorkerSettings:
        """Return it as the configuration would say it."""
        return WorkerSettings(
            self.name,
            self.routes,
            tuple(one for one in self.defined if isinstance(one, VersionDefinition)),
            assignment=self.assignment,
            bindings=self.bindings,
            skew=self.skew,
            sources=tuple(one for one in self.defined if isinstance(one, VersionSource)),
        )


def declared_worker(
    name: str,
    *,
    routes: Sequence[str],
    classes: Mapping[str, str],
    assignment: str,
    skew: SkewRules | None = None,
) -> DeclaredWorker:
    """Check what a test says of a Worker itself.

    Raises:
        EdgeMisused: Names what is wrong.
    """
    worker = WorkerName(name)
    if not name:
        raise EdgeMisused("edge.worker: the name is empty", remedy="Name it: edge.worker('shop', v1=app).")
    if assignment not in set(AssignmentRule):
        raise EdgeMisused(
            f"edge.worker({name!r}): assignment={assignment!r} is no rule",
            remedy=f"Known are: {', '.join(AssignmentRule)}.",
        )
    return DeclaredWorker(
        worker,
        (*(_route(worker, pattern) for pattern in routes), implied_route(worker)),
        tuple(_object_binding(worker, class_name, source) for class_name, source in classes.items()),
        AssignmentRule(assignment),
        skew,
    )


def _route(worker: WorkerName, pattern: str) -> Route:
    try:
        return parse_route(worker, pattern)
    except InvalidRoute as error:
        raise EdgeMisused(
            f"edge.worker({worker!r}): route {pattern!r}: {error}", remedy="Write it as shop.example.com/*."
        ) from error


def _object_binding(worker: WorkerName, class_name: str, source: str) -> ObjectBinding:
    try:
        return parse_binding(class_name, source)
    except InvalidObjectSource as error:
        raise EdgeMisused(
            f"edge.worker({worker!r}): classes: {class_name}={source!r}: {error}",
            remedy="Say where a request names its object: classes={'Cart': 'path:/cart/{name}'}.",
        ) from error


def declared_version(worker: DeclaredWorker, tag: str, given: Source) -> DeclaredVersion:
    """Check what a test gives as a version; nothing is started yet.

    Raises:
        EdgeMisused: Names what is wrong.
    """
    version = DeclaredVersion(worker.name, tag, _source(given, f"version {tag!r} of Worker {worker.name!r}"))
    if tag in worker.tags:
        raise EdgeMisused(
            f"{version.name} is declared already", remedy="A version never changes; use another tag."
        )
    if worker.bindings and isinstance(version.source, WorkerdSource | WranglerSource):
        raise EdgeMisused(
            f"{version.name} runs on workerd, where code reaches its objects by itself",
            remedy="Leave `classes` out; Bundle(durable_objects={'CART': 'Cart'}) binds a class.",
        )
    return version


def _source(given: object, name: str) -> Source | WorkerdSource | WranglerSource:
    if isinstance(given, web.Application):
        return given
    if isinstance(given, Bundle):
        return given.source()
    if isinstance(given, Path):
        return _file(given, name)
    if isinstance(given, str):
        return _url(given, name)
    if callable(given):
        return given
    if isinstance(given, list | tuple) and given and all(isinstance(word, str) for word in given):
        return tuple(given)
    raise EdgeMisused(f"{name}: {given!r} is nothing that runs", remedy=_KINDS)


def _url(given: str, name: str) -> str:
    try:
        endpoint_of(given)
    except ValueError as error:
        problem = str(error) if isinstance(error, InvalidUpstreamUrl) else "it is no URL"
        raise EdgeMisused(f"{name}: {given!r}: {problem}", remedy=_KINDS) from error
    return given


def _file(given: Path, name: str) -> WorkerdSource | WranglerSource:
    path = given.absolute()
    if not path.is_file():
        raise EdgeMisused(f"{name}: there is no file {path}", remedy="Correct the path, or build it first.")
    if path.suffix in _WRANGLER:
        return WranglerSource(str(path))
    if path.suffix in _MODULES:
        return Bundle(path).source()
    raise EdgeMisused(f"{name}: {path} is neither a wrangler file nor an ES module", remedy=_KINDS)


async def started_version(
    version: DeclaredVersion, position: int, seed: int, stack: AsyncExitStack
) -> VersionDefinition | VersionSource:
    """Serve a version if it is an application, and return its definition.

    Its id follows from seed, Worker and tag, or from its code: the port it happened to get changes nothing.

    Args:
        position: Among the versions of its Worker.

    Raises:
        EdgeMisused: It cannot be served.
    """
    source = version.source
    if isinstance(source, WorkerdSource | WranglerSource):
        place = ConfigPlace(Path("edge.worker"), 1, f"{version.worker}.{version.tag}")
        provisional = provisional_version_id(version.worker, version.tag)
        return VersionSource(
            version.worker, version.tag, source, place, provisional, id_given=False, position=position
        )
    id_ = VersionId(str(uuid.uuid5(uuid.NAMESPACE_OID, f"version {seed} {version.worker} {version.tag}")))
    return VersionDefinition(version.worker, version.tag, await _runtime(version, stack), id_)


async def _runtime(version: DeclaredVersion, stack: AsyncExitStack) -> UrlRuntime | CommandRuntime:
    source = version.source
    if isinstance(source, str):
        return UrlRuntime(source)
    if isinstance(source, tuple):
        return CommandRuntime(source)
    app = _made(version) if not isinstance(source, web.Application) else source
    if isinstance(app, web.Application):
        return UrlRuntime(await serve_aiohttp(app, version.name, stack))
    return UrlRuntime(await serve_asgi(cast(AsgiApp, app), version.name, stack))


def _made(version: DeclaredVersion) -> Any:
    """Return the application: what the test gave, or what the function that it gave makes."""
    given = cast(Callable[..., Any], version.source)
    wanted = _arguments(given)
    if wanted == 0:
        made = given()
        if isinstance(made, web.Application) or (callable(made) and _arguments(made) == _ASGI_ARGUMENTS):
            return made
        raise EdgeMisused(f"{version.name}: the function that makes it returned {made!r}", remedy=_KINDS)
    if wanted != _ASGI_ARGUMENTS:
        raise EdgeMisused(
            f"{version.name}: {given!r} takes {wanted} arguments; an ASGI app takes scope, receive and send",
            remedy=_KINDS,
        )
    return given


def _arguments(given: Callable[..., Any]) -> int:
    """Return how many arguments a call must give; an ASGI app may take them as ``*args``."""
    try:
        parameters = inspect.signature(given).parameters.values()
    except ValueError:
        return _ASGI_ARGUMENTS
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return _ASGI_ARGUMENTS
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(one.kind in positional and one.default is one.empty for one in parameters)
