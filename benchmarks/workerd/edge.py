"""A gateway that Workers are uploaded to, as wrangler does it; it can be started again on its state."""

import http.client
import json
import time
import urllib.parse
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers import gateway_command, port_in_run_file
from benchmarks.processes import LOOPBACK, Child, Children, DidNotStart
from gateway.control.client import ApiError, ControlAddress, GatewayClient
from gateway.model.worker_code import ModuleKind
from gateway.runtime.workerd.binary import this_platform
from gateway.runtime.workerd.places import binaries_below
from gateway.runtime.workerd.upload_form import CodeModule, UploadForm, build_upload_form
from tests.node import tools

WORKERS = Path(__file__).parent / "workers"
COMPATIBILITY_DATE = "2026-04-01"
CLASS = "Counter"
COUNTER_BINDINGS = (
    {"name": "COUNTER", "type": "durable_object_namespace", "class_name": CLASS},
    {"name": "VERSION", "type": "version_metadata"},
)
COUNTER_CLASSES = {"new_tag": "v1", "new_sqlite_classes": [CLASS]}
PATIENCE_SECONDS = 120.0
_HTTP_OK = 200


class Refused(Exception):
    """A request was not answered as it should be."""


def missing_tools() -> str | None:
    """Return how to get what npm installs, None where it is there."""
    if (tools.MODULES / ".stamp").exists():
        return None
    return "workerd and wrangler are not installed: `make tests/node/node_modules/.stamp`"


def workerd_binary() -> Path:
    """Return the workerd that everybody runs."""
    return next(
        path for path in binaries_below(tools.folder_of_newest_workerd(), this_platform()) if path.exists()
    )


def worker_code(name: str) -> bytes:
    """Return the code of one of our Workers."""
    return (WORKERS / name).read_bytes()


def ask(connection: http.client.HTTPConnection, path: str, host: str = "") -> str:
    """Return the body of a good answer.

    Raises:
        Refused: Another status.
        OSError, HTTPException: No answer.
    """
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    body = answer.read().decode("utf-8", "replace")
    if answer.status != _HTTP_OK:
        raise Refused(f"{path} is answered with {answer.status}: {body[:200]}")
    return body


def wait_for_answer(child: Child, port: int, host: str = "", path: str = "/") -> None:
    """Wait for the first good answer.

    Raises:
        DidNotStart: There is none.
    """

    def answers() -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=10)
        try:
            ask(connection, path, host)
        except (OSError, http.client.HTTPException, Refused):
            return False
        finally:
            connection.close()
        return True

    child.wait_for(answers, "answering", PATIENCE_SECONDS)


class Edge:
    """A gateway on a folder of its own.

    Args:
        workers: Their entries in the configuration.
    """

    def __init__(self, children: Children, folder: Path, workers: Sequence[Mapping[str, Any]]) -> None:
        folder.mkdir()
        self.state = folder / "state"
        self._children = children
        self._configuration = folder / "gateway.yaml"
        here = f"{LOOPBACK}:0"
        configuration = {
            "gateway": {"workerd": str(workerd_binary()), "listen": here, "control": here},
            "workers": list(workers),
        }
        self._configuration.write_text(json.dumps(configuration), encoding="utf-8")
        self.child: Child
        self.port = 0
        self.api: GatewayClient
        self._control = http.client.HTTPConnection(LOOPBACK)

    def start(self) -> None:
        """Start it, and return once it listens.

        Raises:
            DidNotStart: It does not.
        """
        run_file = self.state / "run.json"
        # A run that was ended may leave its file behind, and with it ports that are no longer the gateway's.
        run_file.unlink(missing_ok=True)
        self.child = self._children.start("gateway", gateway_command(self._configuration, self.state), None)
        self.child.wait_for(
            lambda: port_in_run_file(self.state) is not None, "ready (no run.json)", PATIENCE_SECONDS
        )
        told = json.loads(run_file.read_text(encoding="utf-8"))
        self.port = urllib.parse.urlsplit(told["url"]).port or 0
        control = urllib.parse.urlsplit(told["control"])
        self._control = http.client.HTTPConnection(LOOPBACK, control.port, timeout=PATIENCE_SECONDS)
        self.api = GatewayClient(ControlAddress(told["control"], "the benchmark"))

    def stop(self) -> None:
        """End it; its state stays."""
        self._control.close()
        self.child.stop()

    def connection(self) -> http.client.HTTPConnection:
        """Return a connection for requests to its Workers."""
        return http.client.HTTPConnection(LOOPBACK, self.port, timeout=PATIENCE_SECONDS)

    # wrangler's API.

    def call(self, method: str, path: str, body: bytes | None, content_type: str = "application/json") -> Any:
        """Return ``result`` of an answer; ``path`` begins behind ``scripts/``.

        Raises:
            Refused: It is an error.
        """
        headers = {"Authorization": "Bearer bench", "Content-Type": content_type}
        self._control.request(method, f"/client/v4/accounts/local/workers/scripts/{path}", body, headers)
        answer = self._control.getresponse()
        content = answer.read()
        if answer.status != _HTTP_OK:
            raise Refused(f"{method} {path} is answered with {answer.status}: {content[:300]!r}")
        return json.loads(content)["result"]

    def _upload(self, method: str, path: str, file: str, code: bytes, metadata: Mapping[str, Any]) -> Any:
        whole = {"main_module": file, "compatibility_date": COMPATIBILITY_DATE, **metadata}
        form = UploadForm(whole, (CodeModule(file, ModuleKind.ES_MODULE, code),))
        return self.call(method, path, *build_upload_form(form, uuid.uuid4().hex))

    def deploy_first(self, worker: str, file: str, **metadata: Any) -> str:
        """Make a Worker with its first version, deployed, and return the version's id."""
        self._upload("PUT", worker, file, worker_code(file), metadata)
        newest = self.call("GET", f"{worker}/deployments", None)["deployments"][0]
        return str(newest["versions"][0]["version_id"])

    def upload(self, worker: str, file: str, code: bytes, **metadata: Any) -> str:
        """Upload a version that serves nothing yet, and return its id."""
        return str(self._upload("POST", f"{worker}/versions", file, code, metadata)["id"])

    def deploy(self, worker: str, shares: Mapping[str, float]) -> None:
        """Make a deployment; the order of its versions counts."""
        versions = [{"version_id": version, "percentage": share} for version, share in shares.items()]
        body = json.dumps({"strategy": "percentage", "versions": versions})
        self.call("POST", f"{worker}/deployments", body.encode("ascii"))

    def deploy_two(self, worker: str) -> tuple[str, str]:
        """Make a Worker with two versions and objects; the first version has all of the traffic."""
        first = self.deploy_first(worker, "counter.js", bindings=COUNTER_BINDINGS, migrations=COUNTER_CLASSES)
        # Two versions with the same code are two versions all the same.
        second = self.upload(worker, "counter.js", worker_code("counter.js"), bindings=COUNTER_BINDINGS)
        return first, second

    def object_folder(self, worker: str, version: str) -> Path:
        """Return where the objects of a version lie, once there are any."""
        (folder,) = (path for path in (self.state / "workerd" / worker / version).iterdir() if path.is_dir())
        return folder

    def wait_for_object(self, worker: str, name: str) -> str:
        """Return the version an object runs, once the object table knows it.

        Raises:
            DidNotStart: It does not come to know it.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self.api.object(worker, CLASS, name)["object"]["running"]
            except ApiError:
                if time.monotonic() > deadline:
                    raise DidNotStart(f"the object table does not know {name}", self.child.tail()) from None
            time.sleep(0.1)


def version_host(worker: str, version: str) -> str:
    """Return the host name of a version's own URL."""
    return f"{version[:8]}-{worker}.localhost"
