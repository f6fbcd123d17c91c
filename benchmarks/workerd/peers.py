"""What the gateway is measured beside: the same Worker on workerd by hand, and on ``wrangler dev``."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import BARE_WORKERD, GATEWAY, WRANGLER_DEV
from benchmarks.processes import LOOPBACK, Child, Children, free_port
from benchmarks.workerd.edge import COMPATIBILITY_DATE, WORKERS, Edge, wait_for_answer, workerd_binary
from tests.node import tools

WORKERD = "workerd"
"""Name of its processes."""

_OBJECTS = """
        bindings = [(name = "COUNTER", durableObjectNamespace = "Counter")],
        durableObjectNamespaces = [(className = "Counter", uniqueKey = "counter", enableSql = true)],
        durableObjectStorage = (localDisk = "objects"),"""


@dataclass(frozen=True, slots=True)
class Running:
    """One way to run a Worker, up and answering."""

    child: Child
    port: int
    startup_seconds: tuple[float, ...] = ()


def _bare_configuration(folder: Path, port: int, file: str, *, objects: bool) -> str:
    disk = f'(name = "objects", disk = (path = "{folder / "objects"}", writable = true)),'
    return f"""\
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    {disk if objects else ""}
    (name = "main", worker = (
        modules = [(name = "{file}", esModule = embed "{WORKERS / file}")],{_OBJECTS if objects else ""}
        compatibilityDate = "{COMPATIBILITY_DATE}")),
  ],
  sockets = [(name = "http", address = "{LOOPBACK}:{port}", http = (), service = "main")],
);
"""


def start_bare(children: Children, name: str, file: str, path: str = "/", *, objects: bool = False) -> Running:
    """Start workerd itself with a configuration as one writes it by hand.

    Raises:
        DidNotStart: It does not answer.
    """
    folder = children.folder / name
    (folder / "objects").mkdir(parents=True)
    port = free_port()
    configuration = folder / "config.capnp"
    configuration.write_text(_bare_configuration(folder, port, file, objects=objects), encoding="utf-8")
    child = children.start(BARE_WORKERD, [str(workerd_binary()), "serve", "-I/", str(configuration)], None)
    wait_for_answer(child, port, path=path)
    return Running(child, port)


def start_wrangler_dev(children: Children, name: str, file: str) -> Running:
    """Start ``wrangler dev`` in its local mode, with nothing that it can do without.

    Raises:
        DidNotStart: It does not answer.
    """
    folder = children.folder / name
    folder.mkdir()
    port = free_port()
    (folder / file).write_bytes((WORKERS / file).read_bytes())
    configuration = folder / "wrangler.json"
    told = {"name": "ok", "main": file, "compatibility_date": COMPATIBILITY_DATE, "send_metrics": False}
    configuration.write_text(json.dumps(told), encoding="utf-8")
    arguments = ["dev", "--config", str(configuration), "--local", "--ip", LOOPBACK, "--port", str(port)]
    # There is no way to do without the inspector; nobody connects to it.
    arguments += ["--inspector-port", str(free_port()), "--show-interactive-dev-session=false"]
    arguments += ["--log-level", "error"]
    environment = {
        "PATH": f"{tools.node().parent}{os.pathsep}{os.defpath}",
        "HOME": str(children.folder),
        "CI": "1",
        "CLOUDFLARE_CF_FETCH_ENABLED": "false",
        "WRANGLER_SEND_METRICS": "false",
        "WRANGLER_SEND_ERROR_REPORTS": "false",
        "NODE_COMPILE_CACHE": str(tools.MODULES / ".compile-cache"),
    }
    command = [str(tools.node()), str(tools.wrangler("4.164.0")), *arguments]
    child = children.start(WRANGLER_DEV, command, None, environment)
    wait_for_answer(child, port)
    return Running(child, port)


def start_often(start: Callable[[str], Running], times: int) -> Running:
    """Start something again and again, and let the last one run; each start gets a name of its own."""
    seconds: list[float] = []
    while True:
        began = time.perf_counter()
        running = start(f"start-{len(seconds)}")
        seconds.append(time.perf_counter() - began)
        if len(seconds) == times:
            return Running(running.child, running.port, tuple(seconds))
        running.child.stop()


def start_each(children: Children, times: int) -> dict[str, Callable[[], Running]]:
    """Return, for each way to run the Worker that answers "ok", what starts it."""
    worker = {"name": "ok", "routes": ["*/*"]}
    edge = Edge(children, children.folder / GATEWAY, [worker])

    def gateway(_name: str) -> Running:
        edge.start()
        wait_for_answer(edge.child, edge.port)
        return Running(edge.child, edge.port)

    def uploaded() -> Running:
        # A user's gateway knows the Worker from the last time; this is no part of the figures.
        edge.start()
        edge.deploy_first("ok", "ok.js")
        edge.stop()
        return start_often(gateway, times)

    return {
        BARE_WORKERD: lambda: start_often(lambda name: start_bare(children, f"bare-{name}", "ok.js"), times),
        WRANGLER_DEV: lambda: start_often(
            lambda name: start_wrangler_dev(children, f"wrangler-{name}", "ok.js"), times
        ),
        GATEWAY: uploaded,
    }
