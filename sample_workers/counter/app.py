"""The counter's three faces: the objects, the Worker that calls them, and the gateway's word of a reset."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from aiohttp import ClientSession, ClientTimeout, web

from sample_workers.counter.durable_object import CLASS_NAME, MOST_AT_ONCE, Counters
from sample_workers.counter.storage import Storage
from sample_workers.counter.stub import CounterStub, StubError
from sample_workers.pages import load_template, page, render
from sample_workers.runtime import SETTINGS, CodeVersion, Settings, StartError, new_app, whole_number

OBJECT_HEADER = "Gateway-Object"
RESET_PATH = "/cdn-cgi/gateway/reset"
# Told with a reset, and remembered as they were told.
RESET_FIELDS = ("id", "from_version", "to_version", "deployment")
LONGEST_NAME_BYTES = 1024
CALL_TIMEOUT_SECONDS = 30.0
DEFAULT_STORAGE = ".gateway/sample-counter.sqlite"
HELP_PAGE = load_template(Path(__file__).with_name("help.html"))

COUNTERS = web.AppKey("counters", Counters)
SESSION = web.AppKey("session", ClientSession)


class BadObjectName(ValueError):
    """Something does not name an object of the class ``Counter``."""


def storage_path(environ: Mapping[str, str]) -> Path:
    """Return the file that all versions share."""
    return Path(environ.get("COUNTER_STORAGE") or DEFAULT_STORAGE)


def build_app(settings: Settings, storage_file: Path) -> web.Application:
    """Return the Worker in one of its versions; the storage is opened when it starts."""
    app = new_app(settings)

    async def open_objects(app: web.Application) -> AsyncIterator[None]:
        try:
            storage = await Storage.open(storage_file)
        except (OSError, sqlite3.Error) as error:
            raise StartError(
                f"cannot open the storage {storage_file}: {error}."
                " Set COUNTER_STORAGE to an SQLite file that can be written, or to a new name."
            ) from error
        app[COUNTERS] = Counters(settings, storage)
        yield
        await storage.close()

    async def open_session(app: web.Application) -> AsyncIterator[None]:
        async with ClientSession(timeout=ClientTimeout(total=CALL_TIMEOUT_SECONDS)) as session:
            app[SESSION] = session
            yield

    app.cleanup_ctx.extend([open_objects, open_session])
    app.middlewares.append(send_to_object)
    app.router.add_get("/", show_help)
    app.router.add_get("/worker/{name}", call_object)
    app.router.add_post("/worker/{name}", call_object)
    app.router.add_post(RESET_PATH, reset_object)
    return app


@web.middleware
async def send_to_object(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Give a request that the gateway addressed to an object to that object, whatever its path is."""
    try:
        if OBJECT_HEADER in request.headers and request.path != RESET_PATH:
            name = object_name(request.headers[OBJECT_HEADER])
            return await request.app[COUNTERS].get(name).fetch(request)
        return await handler(request)
    except BadObjectName as error:
        return web.json_response({"error": str(error)}, status=400)
    except sqlite3.Error as error:
        return web.json_response({"error": f"the storage failed: {error}"}, status=503)


def object_name(header: str) -> str:
    """Return the object's name in ``Counter/<percent-encoded name>``.

    Raises:
        BadObjectName: Another class, or no name in UTF-8.
    """
    class_name, slash, encoded = header.partition("/")
    if class_name != CLASS_NAME or not slash:
        raise BadObjectName(f"{OBJECT_HEADER} must be {CLASS_NAME}/<percent-encoded name>")
    try:
        return checked_name(unquote(encoded, errors="strict"))
    except UnicodeDecodeError:
        raise BadObjectName("the object's name is not UTF-8") from None


def checked_name(name: object) -> str:
    """Return a name that storage can keep.

    Raises:
        BadObjectName: It is empty, too long or no text.
    """
    try:
        if isinstance(name, str) and 1 <= len(name.encode()) <= LONGEST_NAME_BYTES:
            return name
    except UnicodeEncodeError:
        pass  # A lone surrogate: JSON can say it, UTF-8 cannot.
    raise BadObjectName(f"an object's name must be text of 1 to {LONGEST_NAME_BYTES} bytes in UTF-8")


async def show_help(request: web.Request) -> web.Response:
    """Explain the Worker to someone who opened it without an object."""
    settings = request.app[SETTINGS]
    body = render(HELP_PAGE, gateway_url=settings.gateway_url or "http://127.0.0.1:8787")
    return page(settings, title="The sample counter", body=body)


async def call_object(request: web.Request) -> web.Response:
    """Call an object as a stub would; Worker and object answer each in its own version (R50).

    GET reads, POST increments, ``?times=3`` as often.
    """
    settings = request.app[SETTINGS]
    name = checked_name(request.match_info["name"])
    times = whole_number(request, "times", most=MOST_AT_ONCE)
    stub = CounterStub(request.app[SESSION], settings.gateway_url, name, request.headers.get("CF-Ray", ""))
    try:
        answer = await (_counted(stub, settings.version, times) if request.method == "POST" else stub.read())
    except StubError as error:
        return web.json_response({"worker_version": settings.version, "error": str(error)}, status=502)
    return web.json_response({"worker_version": settings.version, "object": answer})


async def _counted(stub: CounterStub, version: CodeVersion, times: int) -> dict[str, Any]:
    """Increment an object as often as asked: v2 does so in one call, which an object of v1 does not know (R51)."""
    if version == "v2" and times > 1:
        return await stub.add(times)
    for _ in range(times - 1):
        await stub.increment()
    return await stub.increment()


async def reset_object(request: web.Request) -> web.Response:
    """Take the gateway's word that an object now runs on another version: 204."""
    try:
        told: Any = await request.json()
    except (ValueError, LookupError, RecursionError):
        told = None
    if not isinstance(told, dict) or told.get("class") != CLASS_NAME:
        error = f'the body must be a JSON object with "class": "{CLASS_NAME}", "name", {RESET_FIELDS}'
        return web.json_response({"error": error}, status=400)
    why = {name: told.get(name) for name in RESET_FIELDS}
    await request.app[COUNTERS].reset(checked_name(told.get("name")), why)
    return web.Response(status=204)
