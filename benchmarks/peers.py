"""The proxies that are measured: how each is configured for a job, and how it is started.

The peers do the same job and are set up well for it: keep-alive on both sides without a limit of requests, no
access log, one core. nginx streams uploads and spools nothing to disk, since the gateway does neither. Its buffers
are the defaults, as the design's goals mean it; for large bodies a second nginx with large ones stands beside it.
"""

import json
import shutil
import sys
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.figures import AIOHTTP, GATEWAY, HAPROXY, NGINX, NGINX_LARGE_BUFFERS, NotMeasured
from benchmarks.jobs import (
    AFFINITY_HEADER,
    OVERRIDES_HEADER,
    V1_ID,
    V1_PERCENTAGE,
    V2_ID,
    V2_PERCENTAGE,
    WORKER,
    Job,
)
from benchmarks.processes import LOOPBACK, Child, Children, DidNotStart, free_port
from benchmarks.upstreams import Upstreams, nginx_temporary_folders, nginx_user_line


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that listens on a loopback port."""

    child: Child
    port: int


# Several times nginx's defaults; for large bodies twice as fast, which a fair comparison has to show.
_LARGE_BUFFERS = (
    "proxy_buffer_size 64k; proxy_buffers 16 64k; proxy_busy_buffers_size 256k; client_body_buffer_size 256k;"
)


def _nginx_configuration(folder: Path, port: int, upstreams: Upstreams, job: Job, buffers: str) -> str:
    affinity_variable = "$http_" + AFFINITY_HEADER.lower().replace("-", "_")
    overrides_variable = "$http_" + OVERRIDES_HEADER.lower().replace("-", "_")
    point = {Job.AFFINITY: affinity_variable, Job.OBJECT: "$uri"}.get(job, "$request_id")
    chosen = "$split"
    extra = ""
    if job is Job.OVERRIDE:
        extra, chosen = f'  map {overrides_variable} $chosen {{ default $split; "~{V2_ID}" v2; }}', "$chosen"
    connection = '""'
    if job is Job.WEBSOCKET:
        extra = "  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }"
        connection = "$connection_upgrade; proxy_set_header Upgrade $http_upgrade"
    return f"""\
{nginx_user_line()}
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 16384; }}
http {{
{nginx_temporary_folders(folder)}
  access_log off;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  split_clients "{point}" $split {{ {V1_PERCENTAGE}% v1; * v2; }}
{extra}
  upstream v1 {{ server {LOOPBACK}:{upstreams.v1_port}; keepalive 64; keepalive_requests 1000000000; }}
  upstream v2 {{ server {LOOPBACK}:{upstreams.v2_port}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen {LOOPBACK}:{port} backlog=4096;
    location / {{
      proxy_pass http://{chosen};
      proxy_http_version 1.1;
      proxy_set_header Connection {connection};
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
      {buffers}
      proxy_read_timeout 1h;
    }}
  }}
}}
"""


def _start_nginx_with(name: str, buffers: str, children: Children, upstreams: Upstreams, job: Job) -> Proxy:
    folder = children.folder / name
    folder.mkdir()
    port = free_port()
    file = folder / "nginx.conf"
    file.write_text(_nginx_configuration(folder, port, upstreams, job, buffers), encoding="utf-8")
    command = ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(file), "-g", "daemon off;"]
    child = children.start(name, command, children.cores.proxy)
    child.wait_for_port(port)
    return Proxy(child, port)


def _haproxy_configuration(port: int, upstreams: Upstreams, job: Job) -> str:
    balance = {
        Job.AFFINITY: f"balance hdr({AFFINITY_HEADER})\n  hash-type consistent",
        Job.OBJECT: "balance uri\n  hash-type consistent",
        Job.OVERRIDE: f"balance roundrobin\n  use-server v2 if {{ req.hdr({OVERRIDES_HEADER}) -m sub {V2_ID} }}",
    }.get(job, "balance roundrobin")
    return f"""\
global
  nbthread 1
  maxconn 8000
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
  http-reuse always
frontend edge
  bind {LOOPBACK}:{port} backlog 4096
  default_backend split
backend split
  {balance}
  server v1 {LOOPBACK}:{upstreams.v1_port} weight {V1_PERCENTAGE}
  server v2 {LOOPBACK}:{upstreams.v2_port} weight {V2_PERCENTAGE}
"""


def _start_haproxy(children: Children, upstreams: Upstreams, job: Job) -> Proxy:
    port = free_port()
    file = children.folder / "haproxy.cfg"
    file.write_text(_haproxy_configuration(port, upstreams, job), encoding="utf-8")
    child = children.start(HAPROXY, ["haproxy", "-db", "-f", str(file)], children.cores.proxy)
    child.wait_for_port(port)
    return Proxy(child, port)


def _start_aiohttp(children: Children, upstreams: Upstreams, job: Job) -> Proxy:
    port = free_port()
    arguments = [str(port), job.value, str(upstreams.v1_port), str(upstreams.v2_port)]
    child = children.start(
        AIOHTTP, [sys.executable, "-m", "benchmarks.aiohttp_proxy", *arguments], children.cores.proxy
    )
    child.wait_for_port(port)
    return Proxy(child, port)


def _gateway_configuration(upstreams: Upstreams, job: Job) -> str:
    objects = ""
    if job is Job.OBJECT:
        objects = """
    durable_objects:
      assignment: sticky
      bindings:
        - {class: Cart, object: "path:/cart/{name}"}"""
    return f"""\
gateway:
  listen: {LOOPBACK}:0
  control: {LOOPBACK}:0
workers:
  - name: {WORKER}
    routes: ["*/*"]
    versions:
      - {{tag: v1, id: {V1_ID}, url: "http://{LOOPBACK}:{upstreams.v1_port}"}}
      - {{tag: v2, id: {V2_ID}, url: "http://{LOOPBACK}:{upstreams.v2_port}"}}
    deployment: {{v1: {V1_PERCENTAGE}, v2: {V2_PERCENTAGE}}}{objects}
"""


def port_in_run_file(state: Path) -> int | None:
    """Return the port a started gateway wrote to ``<state>/run.json``, None while it is not there or not whole."""
    try:
        url = str(json.loads((state / "run.json").read_text(encoding="utf-8"))["url"])
    except (FileNotFoundError, json.JSONDecodeError, KeyError):
        return None
    return urllib.parse.urlsplit(url).port


def gateway_command(configuration: Path, state: Path, *more: str) -> list[str]:
    """Return the command that runs the gateway of this repository."""
    return [sys.executable, "-m", "gateway", "run", "-c", str(configuration), "--state", str(state), *more]


def _start_gateway(children: Children, upstreams: Upstreams, job: Job) -> Proxy:
    file, state = children.folder / "gateway.yaml", children.folder / "state"
    file.write_text(_gateway_configuration(upstreams, job), encoding="utf-8")
    child = children.start(GATEWAY, gateway_command(file, state), children.cores.proxy)
    child.wait_for(lambda: port_in_run_file(state) is not None, "ready (no run.json)")
    port = port_in_run_file(state)
    assert port is not None  # noqa: S101 - just waited for
    child.wait_for_port(port)
    return Proxy(child, port)


_STARTERS: Mapping[str, Callable[[Children, Upstreams, Job], Proxy]] = {
    NGINX: partial(_start_nginx_with, NGINX, ""),
    NGINX_LARGE_BUFFERS: partial(_start_nginx_with, NGINX_LARGE_BUFFERS, _LARGE_BUFFERS),
    HAPROXY: _start_haproxy,
    AIOHTTP: _start_aiohttp,
    GATEWAY: _start_gateway,
}
# Program and Debian package have the same name here.
_PROGRAMS: Mapping[str, str] = {NGINX: "nginx", NGINX_LARGE_BUFFERS: "nginx", HAPROXY: "haproxy", "wrk": "wrk"}


def missing_program(name: str) -> str | None:
    """Return how to get a program that is not installed, None where it is there or comes with the gateway."""
    program = _PROGRAMS.get(name)
    if program is None or shutil.which(program) is not None:
        return None
    return f"`{program}` is not installed (Debian package `{program}`: `apt-get install {program}`)"


def start_proxy(name: str, children: Children, upstreams: Upstreams, job: Job) -> Proxy | NotMeasured:
    """Start one proxy for a job, or tell why it cannot be measured."""
    missing = missing_program(name)
    if missing is not None:
        return NotMeasured(missing)
    try:
        return _STARTERS[name](children, upstreams, job)
    except DidNotStart as error:
        return NotMeasured(f"does not start: {error}", detail=error.tail)
