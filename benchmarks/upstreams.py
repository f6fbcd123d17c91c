"""What stands behind every proxy: two ports, v1 and v2, the same program for all proxies of a scenario."""

import os
import pwd
import random
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import LOOPBACK, Child, Children, free_port

SMALL_BODY_BYTES = 150
FILE_NAME = "big.bin"


@dataclass(frozen=True, slots=True)
class Upstreams:
    """The two ports and what serves them."""

    v1_port: int
    v2_port: int
    server: str


def small_body(tag: str) -> str:
    """Return the fixed answer of a version; the tag in front tells which version gave it."""
    return f"{tag} ".ljust(SMALL_BODY_BYTES, "x")


def nginx_user_line() -> str:
    """Return the directive that lets nginx's workers read the temporary folder when root starts it."""
    return f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""


def nginx_temporary_folders(folder: Path) -> str:
    """Return the directives that keep nginx out of the system's folders."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return "\n".join(f"  {kind}_temp_path {folder}/{kind};" for kind in kinds)


def _small_nginx(children: Children, v1_port: int, v2_port: int) -> Child:
    folder = children.folder / "upstream-nginx"
    folder.mkdir()
    servers = "\n".join(
        f"  server {{ listen {LOOPBACK}:{port} backlog=1024; location / {{ return 200 '{small_body(tag)}'; }} }}"
        for tag, port in (("v1", v1_port), ("v2", v2_port))
    )
    (folder / "nginx.conf").write_text(
        f"""\
{nginx_user_line()}
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
{nginx_temporary_folders(folder)}
  access_log off;
  default_type text/plain;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
{servers}
}}
""",
        encoding="utf-8",
    )
    command = ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
    return children.start("upstream", command, children.cores.upstream)


def start_small_upstreams(children: Children) -> Upstreams:
    """Start both versions answering every request with ``small_body``.

    Raises:
        DidNotStart: The upstream does not listen.
    """
    v1_port, v2_port = free_port(), free_port()
    if shutil.which("nginx") is not None:
        child, server = _small_nginx(children, v1_port, v2_port), "nginx, `return 200`"
    else:
        pairs = [str(v1_port), small_body("v1"), str(v2_port), small_body("v2")]
        command = [sys.executable, "-m", "benchmarks.small_upstream", *pairs]
        child = children.start("upstream", command, children.cores.upstream)
        server = "asyncio on uvloop (nginx is not installed)"
    child.wait_for_port(v1_port)
    child.wait_for_port(v2_port)
    return Upstreams(v1_port, v2_port, server)


def write_big_file(folder: Path, size_bytes: int) -> bytes:
    """Write the file that the body upstream sends, and return its content (the same in every run)."""
    content = random.Random(0).randbytes(size_bytes)
    (folder / FILE_NAME).write_bytes(content)
    return content


def start_body_upstreams(children: Children) -> Upstreams:
    """Start both versions sending ``write_big_file``'s file and taking uploads.

    Raises:
        DidNotStart: The upstream does not listen.
    """
    v1_port, v2_port = free_port(), free_port()
    file = str(children.folder / FILE_NAME)
    command = [sys.executable, "-m", "benchmarks.body_upstream", file, str(v1_port), str(v2_port)]
    child = children.start("upstream", command, children.cores.upstream)
    child.wait_for_port(v1_port)
    child.wait_for_port(v2_port)
    return Upstreams(v1_port, v2_port, "blocking sockets, `sendfile`")


def start_echo_upstreams(children: Children) -> Upstreams:
    """Start both versions echoing WebSocket messages.

    Raises:
        DidNotStart: The upstream does not listen.
    """
    v1_port, v2_port = free_port(), free_port()
    command = [sys.executable, "-m", "benchmarks.websocket_echo", str(v1_port), str(v2_port)]
    child = children.start("upstream", command, children.cores.upstream)
    child.wait_for_port(v1_port)
    child.wait_for_port(v2_port)
    return Upstreams(v1_port, v2_port, "asyncio on uvloop")
