"""What the sample Workers share: settings from the environment, common routes, WebSockets, a quick end.

A process is one version of one Worker. The argument (``v1``, ``v2``) chooses the code it runs; the id, tag
and time of the version come from the gateway in ``$CF_VERSION_METADATA``, as the binding of R107 does.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn
from urllib.parse import urlsplit

from aiohttp import WSCloseCode, web

HOST = "127.0.0.1"
MAX_PORT = 65_535
# A peer that does not answer a close frame must not hold up the end of the process, or a reset.
CLOSE_TIMEOUT_SECONDS = 1.0

CodeVersion = Literal["v1", "v2"]


class SettingsError(Exception):
    """The Worker was started with arguments or variables it cannot use; the text says what to set."""


class StartError(Exception):
    """Something that the Worker needs at its start is not to be had; the text says what to do."""


@dataclass(frozen=True, slots=True)
class VersionMetadata:
    """What the gateway told this process of its version (R107); empty strings where nobody told it (R108)."""

    id: str = ""
    tag: str = ""
    timestamp: str = ""

    def as_json(self) -> dict[str, str]:
        """Return the object in the shape of the binding."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a sample Worker is told from outside, read once at its start."""

    worker: str
    version: CodeVersion
    port: int
    metadata: VersionMetadata
    gateway_url: str | None = None


SERVER_OPTIONS: Mapping[str, Any] = {
    # Streams and waits end by themselves at a stop; this is for an upload that never ends.
    "shutdown_timeout": 1.0,
    # /echo answers a body as it came: compressed stays compressed.
    "auto_decompress": False,
}

SETTINGS = web.AppKey("settings", Settings)
STOPPING = web.AppKey("stopping", asyncio.Event)
OPEN_SOCKETS = web.AppKey("open_sockets", set[web.WebSocketResponse])


def load_settings(worker: str, arguments: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """Return the settings of one process.

    Args:
        worker: Name of the sample, as in ``python -m sample_workers.<worker>``.
        arguments: The command line without the program: the version of the code to run.
        environ: ``PORT`` is needed; ``CF_VERSION_METADATA`` and ``GATEWAY_URL`` may be missing.

    Raises:
        SettingsError: Something is missing or malformed.
    """
    match arguments:
        case ["v1" | "v2" as version]:
            return Settings(
                worker=worker,
                version=version,
                port=_port(worker, environ.get("PORT", "")),
                metadata=_metadata(environ.get("CF_VERSION_METADATA", "")),
                gateway_url=_gateway_url(environ.get("GATEWAY_URL", "")),
            )
        case _:
            given = " ".join(arguments) or "nothing"
            raise SettingsError(f"usage: python -m sample_workers.{worker} v1|v2 (given: {given})")


def _port(worker: str, text: str) -> int:
    if not text:
        raise SettingsError(
            "PORT is not set. The gateway sets it for a version with `command`; by hand:"
            f" PORT=9101 python -m sample_workers.{worker} v1"
        )
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:6]) <= MAX_PORT):
        raise SettingsError(f"PORT={text!r} is no port. Set PORT to a number from 1 to {MAX_PORT}.")
    return int(text)


def _metadata(text: str) -> VersionMetadata:
    if not text:
        return VersionMetadata()
    try:
        given = json.loads(text)
        fields = {name: given[name] for name in ("id", "tag", "timestamp")}
    except (ValueError, RecursionError, KeyError, TypeError, IndexError):
        fields = {}
    if not fields or not all(isinstance(value, str) for value in fields.values()):
        raise SettingsError(
            f"CF_VERSION_METADATA={text!r} is not version metadata. Set it to a JSON object of three strings,"
            ' {"id": "…", "tag": "…", "timestamp": "…"}, or leave it out.'
        )
    return VersionMetadata(**fields)


def _gateway_url(text: str) -> str | None:
    if not text:
        return None
    try:
        parts = urlsplit(text)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid or not text.isascii() or any(sign in text for sign in "?# \t\r\n"):
        raise SettingsError(
            f"GATEWAY_URL={text!r} is no base URL. Set it to the gateway's address, e.g. http://127.0.0.1:8787."
        )
    return text.rstrip("/")


def new_app(settings: Settings) -> web.Application:
    """Return an application with what both Workers have: ``/version``, ``/healthz``, ``/style.css``."""
    app = web.Application(middlewares=[_pass_over_lost_clients])
    app[SETTINGS] = settings
    app[STOPPING] = asyncio.Event()
    app[OPEN_SOCKETS] = set()
    style = Path(__file__).with_name("style.css").read_text(encoding="utf-8")

    async def version(_request: web.Request) -> web.Response:
        return web.Response(text=f"{settings.version}\n")

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def stylesheet(_request: web.Request) -> web.Response:
        return web.Response(text=style, content_type="text/css", charset="utf-8")

    app.router.add_get("/version", version)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/style.css", stylesheet)
    app.on_response_prepare.append(_add_common_headers)
    app.on_shutdown.append(_end_streams)
    return app


async def _add_common_headers(_request: web.Request, response: web.StreamResponse) -> None:
    # A cached answer would hide which version the gateway picks for the next load.
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")


@web.middleware
async def _pass_over_lost_clients(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except ConnectionError:
        # The client went while a stream was written or a body read. That is its right, and no error to log;
        # aiohttp finds the connection closed and sends nothing of this answer.
        return web.Response(status=499)


async def _end_streams(app: web.Application) -> None:
    app[STOPPING].set()
    sockets = app[OPEN_SOCKETS]
    await close_sockets(sockets, WSCloseCode.GOING_AWAY, "the Worker's process is stopping")


async def close_sockets(sockets: Iterable[web.WebSocketResponse], code: int, reason: str) -> None:
    """Close WebSockets side by side; one whose peer does not answer is cut off after a second."""

    async def close(socket: web.WebSocketResponse) -> None:
        with contextlib.suppress(TimeoutError):
            # The socket's own timeout starts once the frame is written, which a peer that never reads delays.
            async with asyncio.timeout(2 * CLOSE_TIMEOUT_SECONDS):
                await socket.close(code=code, message=reason.encode(), drain=False)

    await asyncio.gather(*(close(socket) for socket in list(sockets)))


@contextlib.asynccontextmanager
async def open_socket(request: web.Request, protocols: Sequence[str] = ()) -> AsyncIterator[web.WebSocketResponse]:
    """Accept a WebSocket and keep track of it, so that the end of the process closes it with 1001.

    Raises:
        web.HTTPUpgradeRequired: The request is an ordinary one.
    """
    socket = web.WebSocketResponse(protocols=protocols, timeout=CLOSE_TIMEOUT_SECONDS)
    if not socket.can_prepare(request):
        raise web.HTTPUpgradeRequired(
            text=f"{request.path} speaks WebSocket: ask with `Upgrade: websocket`.\n",
            headers={"Upgrade": "websocket", "Connection": "upgrade"},
        )
    await socket.prepare(request)
    request.app[OPEN_SOCKETS].add(socket)
    try:
        yield socket
    finally:
        request.app[OPEN_SOCKETS].discard(socket)


async def wait_unless_stopping(app: web.Application, seconds: float) -> bool:
    """Wait, and return True; return False at once when the process is told to stop."""
    try:
        async with asyncio.timeout(seconds):
            await app[STOPPING].wait()
    except TimeoutError:
        return True
    return False


def bounded_number(request: web.Request, name: str, *, default: float, most: float) -> float:
    """Return a number from 0 to ``most`` from the query.

    Raises:
        web.HTTPBadRequest: It is none, or out of range.
    """
    text = request.query.get(name)
    if text is None:
        return default
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    # Written so that NaN, for which every comparison is false, is refused as well.
    if not 0 <= number <= most:
        raise web.HTTPBadRequest(text=f"{name} must be a number from 0 to {most:g}.\n")
    return number


def whole_number(request: web.Request, name: str, *, most: int) -> int:
    """Return a whole number from 1 to ``most`` from the query; 1 where there is none.

    Raises:
        web.HTTPBadRequest: It is none, or out of range.
    """
    text = request.query.get(name, "1")
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:5]) <= most):
        raise web.HTTPBadRequest(text=f"{name} must be a whole number from 1 to {most}.\n")
    return int(text)


def run(worker: str, build_app: Callable[[Settings, Mapping[str, str]], web.Application]) -> NoReturn:
    """Run a Worker until SIGTERM or SIGINT; exit 2 for a usage error, 1 where it could not start.

    Args:
        worker: Name of the sample.
        build_app: Makes the application from the settings and the environment.
    """
    # aiohttp warns of each client that offers another subprotocol; that is the client's affair.
    logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)
    try:
        settings = load_settings(worker, sys.argv[1:], os.environ)
        _serve(build_app(settings, os.environ), settings)
    except SettingsError as error:
        _fail(worker, str(error), exit_code=2)
    except StartError as error:
        _fail(worker, str(error), exit_code=1)
    except OSError as error:
        if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
            raise
        _fail(worker, f"cannot listen on {HOST}:{settings.port}: {error.strerror}. Set PORT to a free port.", 1)
    sys.exit(0)


def _serve(app: web.Application, settings: Settings) -> None:
    told = f" as version {settings.metadata.id}" if settings.metadata.id else ""
    line = f"{settings.worker} {settings.version} listens on http://{HOST}:{settings.port}{told}"
    web.run_app(
        app,
        host=HOST,
        port=settings.port,
        access_log=None,
        print=lambda _banner: print(line, flush=True),
        **SERVER_OPTIONS,
    )


def _fail(worker: str, text: str, exit_code: int) -> NoReturn:
    print(f"{worker}: {text}", file=sys.stderr)
    sys.exit(exit_code)
