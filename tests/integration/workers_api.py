"""Workers uploaded through the API, as wrangler does but in milliseconds, and calls to them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, cast
from urllib.parse import urlencode

from gateway.runtime.workerd.binary import this_platform
from gateway.runtime.workerd.control import resident
from gateway.runtime.workerd.places import binaries_below
from tests.integration.edge_process import EdgeProcess
from tests.integration.http_client import OVERRIDES, Answer, Caller
from tests.integration.waiting import PATIENCE_SECONDS
from tests.node import tools

ACCOUNT: Final = "local"
WORKERS: Final = Path(__file__).parent / "workers"
ES_MODULE: Final = "application/javascript+module"
COMPATIBILITY_DATE: Final = "2026-04-01"
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))

Json = dict[str, Any]


def workerd() -> Path:
    """Return the binary of the newer workerd that ``make`` installs."""
    return next(
        path for path in binaries_below(tools.folder_of_newest_workerd(), this_platform()) if path.exists()
    )


def edge_config(workers: Sequence[Mapping[str, object]] = (), **gateway: object) -> dict[str, object]:
    """Return a configuration that runs uploaded Workers; ``workers`` are entries without versions."""
    return {"gateway": {"workerd": str(workerd()), **gateway}, "workers": list(workers)}


def by_hash(name: str) -> dict[str, object]:
    """Return a Worker's entry: its objects follow every deployment (row S2)."""
    return {"name": name, "durable_objects": {"assignment": "hash"}}


class Module(NamedTuple):
    """A module of an upload; ``kind`` is its media type."""

    name: str
    content: bytes
    kind: str = ES_MODULE


class Refused(Exception):
    """The API answered with an error."""

    def __init__(self, status: int, envelope: Json) -> None:
        super().__init__(f"{status} {envelope}")
        self.status = status
        self.errors: list[Json] = envelope["errors"]

    @property
    def code(self) -> int:
        """Code of the first error."""
        return int(self.errors[0]["code"])

    @property
    def message(self) -> str:
        """Text of the first error."""
        return str(self.errors[0]["message"])


class CallFailed(Exception):
    """A method of an object threw, as the calling Worker saw it."""

    def __init__(self, told: Json) -> None:
        super().__init__(told["error"])
        self.message = str(told["error"])
        self.told = told


def prober() -> Module:
    """Return the Worker of most tests."""
    return Module("prober.js", (WORKERS / "prober.js").read_bytes())


def objects(name: str, class_name: str, **more: str) -> Json:
    """Return a binding to a Durable Object class."""
    return {"name": name, "type": "durable_object_namespace", "class_name": class_name, **more}


def text(name: str, value: str) -> Json:
    """Return a var."""
    return {"name": name, "type": "plain_text", "text": value}


def service(name: str, worker: str, **more: object) -> Json:
    """Return a binding to another Worker."""
    return {"name": name, "type": "service", "service": worker, **more}


VERSION: Final[Json] = {"name": "VERSION", "type": "version_metadata"}
OBJECTS: Final = (VERSION, objects("COUNTER", "Counter"), objects("PLAIN", "Plain"))
NEW_CLASSES: Final[Json] = {"new_tag": "v1", "new_sqlite_classes": ["Counter"], "new_classes": ["Plain"]}


class Controlled(Protocol):
    """A gateway whose API can be reached."""

    @property
    def control(self) -> str:
        """Base URL of its control plane."""


class WorkersApi:
    """The ``/client/v4`` of a gateway."""

    def __init__(self, edge: Controlled) -> None:
        self._edge = edge

    def call(
        self, method: str, path: str, body: bytes | None = None, content_type: str = "application/json"
    ) -> Any:
        """Return ``result`` of the answer; ``path`` begins behind ``scripts/``.

        Raises:
            Refused: It is an error.
        """
        url = f"{self._edge.control}/client/v4/accounts/{ACCOUNT}/workers/scripts/{path}"
        headers = {"Authorization": "Bearer token", "Content-Type": content_type}
        request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310 - the gateway's own
        try:
            with _DIRECT.open(request, timeout=2 * PATIENCE_SECONDS) as answer:
                return json.loads(answer.read())["result"]
        except urllib.error.HTTPError as error:
            raise Refused(error.code, json.loads(error.read())) from None

    def send_form(self, method: str, path: str, metadata: Mapping[str, Any], modules: Sequence[Module]) -> Any:
        """Send an upload's form."""
        boundary = uuid.uuid4().hex
        parts = [("metadata", "", "application/json", json.dumps(metadata).encode())]
        parts += [(module.name, f'; filename="{module.name}"', module.kind, module.content) for module in modules]
        body = b"".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n'
            f"Content-Type: {kind}\r\n\r\n".encode()
            + content
            + b"\r\n"
            for name, file, kind, content in parts
        )
        return self.call(
            method, path, body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
        )


class Probed:
    """One Worker on a gateway: its uploads, its deployments, calls to its objects.

    Args:
        bindings: Of every version, where an upload names no others.
        modules: The code, the main module first.
    """

    def __init__(
        self,
        edge: EdgeProcess,
        name: str,
        *,
        bindings: Sequence[Json] = OBJECTS,
        modules: Sequence[Module] = (),
        **metadata: Any,
    ) -> None:
        self.edge = edge
        self.name = name
        self.api = WorkersApi(edge)
        self.host = f"{name}.localhost"
        self._bindings = bindings
        self._modules = list(modules) or [prober()]
        self._metadata = metadata

    # Uploads and deployments.

    def _form(self, modules: Sequence[Module], more: Mapping[str, Any]) -> tuple[Json, Sequence[Module]]:
        modules = list(modules) or self._modules
        metadata = {
            "main_module": modules[0].name,
            "compatibility_date": COMPATIBILITY_DATE,
            "bindings": list(self._bindings),
            **self._metadata,
            **more,
        }
        return metadata, modules

    def put(self, *modules: Module, **metadata: Any) -> Json:
        """Deploy code, as ``wrangler deploy`` does, and return the answer."""
        answer = self.api.send_form("PUT", self.name, *self._form(modules, metadata))
        return cast("Json", answer)

    def deploy(self, *modules: Module, **metadata: Any) -> str:
        """Deploy code as ``put`` does, and return the version's id."""
        self.put(*modules, **metadata)
        return next(iter(self.active()))

    def deploy_first(self, **metadata: Any) -> str:
        """Deploy the first version, which brings the classes."""
        return self.deploy(migrations=NEW_CLASSES, **metadata)

    def upload(self, *modules: Module, **metadata: Any) -> str:
        """Upload a version that serves nothing yet, and return its id."""
        answer = self.api.send_form("POST", f"{self.name}/versions", *self._form(modules, metadata))
        return str(answer["id"])

    def split(self, *shares: tuple[str, float], **more: Any) -> Json:
        """Make a deployment, as ``wrangler versions deploy`` does; the order counts (R49)."""
        versions = [{"version_id": version, "percentage": percentage} for version, percentage in shares]
        body = {"strategy": "percentage", "versions": versions, **IMMEDIATE, **more}
        return cast("Json", self.api.call("POST", f"{self.name}/deployments", json.dumps(body).encode()))

    def active(self) -> dict[str, float]:
        """Return the versions of the active deployment, with their percentages."""
        newest = self.api.call("GET", f"{self.name}/deployments")["deployments"][0]
        return {share["version_id"]: share["percentage"] for share in newest["versions"]}

    # Requests.

    def through(self, version: str | None) -> dict[str, str]:
        """Return the header that chooses the version of the handler."""
        return {} if version is None else {OVERRIDES: f'{self.name}="{version}"'}

    def get(
        self,
        target: str,
        *,
        through: str | None = None,
        headers: Mapping[str, str] | None = None,
        host: str = "",
        method: str = "GET",
        body: bytes | None = None,
    ) -> Answer:
        """Send a request to the Worker over a connection of its own."""
        with Caller(self.edge, self.host) as caller:
            fields = {**self.through(through), **(headers or {})}
            return caller.call(target, fields, method=method, host=host, body=body)

    def ask(self, target: str, *, through: str | None = None) -> Any:
        """Return ``result`` of a request whose answer must be good, from the version asked for.

        Raises:
            CallFailed: The Worker caught an exception.
        """
        answer = self.get(target, through=through)
        assert answer.status == 200, (answer.status, answer.text)
        assert through in (None, answer.header("handler")), answer
        told = answer.json()
        if "error" in told:
            raise CallFailed(told)
        return told["result"]

    def rpc(self, name: str, method: str, *args: Any, ns: str = "COUNTER", through: str | None = None) -> Any:
        """Call a method of an object; see ``ask``."""
        query = urlencode({"ns": ns, "name": name, "do": method, "args": json.dumps(args)})
        return self.ask(f"/rpc?{query}", through=through)

    def attempt(self, way: str, name: str, *, through: str | None = None, **more: str) -> Any:
        """Use an object in one of the ways that ``prober.js`` lists; see ``ask``."""
        return self.ask(f"/try/{way}?{urlencode({'name': name, **more})}", through=through)

    def counted(self, names: Sequence[str], through: str | None = None) -> dict[str, Json]:
        """Use each object once, and return what it says of itself."""
        return {name: self.rpc(name, "count", through=through) for name in names}

    def versions_of(self, names: Sequence[str]) -> dict[str, str]:
        """Return the version each object runs, in its own words."""
        return {name: str(self.rpc(name, "look")["version"]) for name in names}

    # Processes and files.

    def pid(self, version: str) -> int:
        """Return the process of a version, since the gateway's last start."""
        started = self.edge.log("version.started")
        return [int(line["pid"]) for line in started if line["version"] == version[:8]][-1]

    def resident(self, version: str) -> set[str]:
        """Return the ids of the objects in memory of a version's process: it has their files open."""
        return {one.id.hex() for one in resident(self.pid(version))}

    @property
    def folder(self) -> Path:
        """Where its objects lie: ``<version>/<unique key>/<id>.sqlite``."""
        return self.edge.state / "workerd" / self.name

    def owners_on_disk(self) -> dict[str, list[str]]:
        """Return, for each object's id, the versions in whose folders its database lies."""
        found: dict[str, list[str]] = {}
        for path in sorted(self.folder.glob("*/*/*.sqlite")):
            if path.stem != "metadata":
                found.setdefault(path.stem, []).append(path.parts[-3])
        return found


IMMEDIATE: Final[Json] = {"code_update_strategy": {"mode": "immediate"}}


def deferred(seconds: float) -> Json:
    """Return a deployment's member that lets busy objects keep their version for a while (R60)."""
    return {"code_update_strategy": {"mode": "deferred", "max_delay": seconds}}


def point_of(object_id: str) -> float:
    """Return an object's place on [0, 100) (R48)."""
    return int(object_id[:8], 16) * 100 / 2**32
