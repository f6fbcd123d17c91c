"""A real gateway in a process of its own, and what must be true of it in the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, cast
from urllib.parse import urlsplit

import yaml

from gateway.control.client import ControlAddress, GatewayClient, VersionSpec
from tests.integration.processes import kill_processes, marked_processes
from tests.integration.waiting import wait_for

ROOT: Final = Path(__file__).parents[2]
STOP_SECONDS: Final = 30.0
LEFTOVER_SECONDS: Final = 5.0
"""How long what a gateway started may live on after it."""

_NEVER_LOGGED: Final = frozenset({"task.failed", "request.failed"})
_MARK_NAME: Final = "GATEWAY_TEST_MARK"


def program(name: str, *arguments: str) -> list[str]:
    """Return the command of a version program of ``tests/integration/versions/``."""
    return ["python", "-m", f"tests.integration.versions.{name}", *arguments]


def version(tag: str, name: str, *arguments: str, **more: object) -> dict[str, object]:
    """Return a version's definition, run by one of our programs; ``more`` are other keys, such as ``env``."""
    return {"tag": tag, "command": program(name, *arguments), **more}


def spec(**percentages: float) -> list[VersionSpec]:
    """Return a deployment's versions: ``spec(v1=90, v2=10)``."""
    return [VersionSpec(tag, percentage) for tag, percentage in percentages.items()]


class EdgeProcess:
    """A gateway that can be started, ended, killed and started again on one folder.

    Args:
        folder: Holds configuration, state and logs.
        config: What the configuration file says.
        env: Variables added to the environment.
        stderr: Where its log goes instead of a file; then ``log`` stays empty.
        piped_log: Whether the log comes through a pipe, so that no limit on files of the gateway touches it.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, object],
        *,
        seed: int | None = None,
        env: Mapping[str, str] | None = None,
        stderr: IO[bytes] | None = None,
        piped_log: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.state = folder / "state"
        self.config_file = folder / "gateway.yaml"
        self.write_config(config)
        self.mark = uuid.uuid4().hex
        self.pid = 0
        self.url = ""
        self.control = ""
        self._seed = seed
        self._env = dict(env or {})
        self._stderr = stderr
        self._piped_log = piped_log
        self._copier: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0

    # Its life.

    def write_config(self, config: Mapping[str, object]) -> None:
        """Replace the configuration file in one step, as editors do."""
        draft = self.config_file.with_suffix(".new")
        draft.write_text(yaml.safe_dump(dict(config), sort_keys=False), "utf-8")
        draft.replace(self.config_file)

    def command(self) -> list[str]:
        """Return the command that runs it."""
        words = [sys.executable, "-m", "gateway", "run", "-c", str(self.config_file), "--port", "0"]
        words += ["--control-port", "0", "--state", str(self.state)]
        return words if self._seed is None else [*words, "--seed", str(self._seed)]

    def environment(self) -> dict[str, str]:
        """Return the environment it runs in; the mark finds all that it starts."""
        return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **self._env, _MARK_NAME: self.mark}

    def launch(self) -> None:
        """Start its process, and wait for nothing."""
        assert self._process is None
        self._starts += 1
        with self.log_file.open("wb") as log, (self.folder / "stdout.txt").open("wb") as out:
            self._process = subprocess.Popen(
                self.command(),
                cwd=ROOT,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.PIPE if self._piped_log else self._stderr or log,
                start_new_session=True,
            )
        if self._process.stderr is not None:
            self._copier = threading.Thread(target=_copy, args=(self._process.stderr, self.log_file))
            self._copier.start()
        self.pid = self._process.pid

    def start(self) -> EdgeProcess:
        """Start it and return it once it serves."""
        self.launch()
        told = wait_for(self._read_run_file, "run.json of the gateway")
        self.url, self.control = str(told["url"]), str(told["control"])
        return self

    def _read_run_file(self) -> dict[str, object] | None:
        assert self._process is not None
        assert self._process.poll() is None, f"the gateway ended by itself:\n{self.log_file.read_text('utf-8')}"
        try:
            content = cast("dict[str, object]", json.loads((self.state / "run.json").read_bytes()))
        except FileNotFoundError:
            return None
        return content if content["pid"] == self._process.pid else None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> int:
        """Return its exit code once it has ended."""
        assert self._process is not None
        code = self._process.wait(STOP_SECONDS)
        self._process = None
        return code

    def stop(self) -> int:
        """Ask it to end as Ctrl-C does, and return its exit code."""
        self.send(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """End it with no chance to say so."""
        self.send(signal.SIGKILL)
        self.wait()

    def is_running(self) -> bool:
        """Tell whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def close(self) -> None:
        """End it and all that it started.

        Raises:
            AssertionError: It did not end when asked to, left a process behind, or logged what must never be.
        """
        stubborn = False
        if self._process is not None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                stubborn = True
                self.kill()
        try:
            wait_for(lambda: not self.processes(), "the end of its processes", LEFTOVER_SECONDS)
        finally:
            kill_processes(self.processes())
        if self._copier is not None:
            self._copier.join()
        assert not stubborn, f"SIGTERM did not end the gateway in {STOP_SECONDS:g} s"
        for number in range(1, self._starts + 1):
            self._check_log(number)

    def processes(self) -> list[int]:
        """Return the gateway's process and all below it, wherever they went."""
        return marked_processes(self.mark)

    # What it says.

    @property
    def log_file(self) -> Path:
        """The log since the last start."""
        return self.folder / f"gateway-{self._starts}.log"

    def log(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of one event since the last start."""
        return [line for line in _log_lines(self.log_file) if line.get("event") == event]

    def _check_log(self, number: int) -> None:
        for line in _log_lines(self.folder / f"gateway-{number}.log"):
            assert "unreadable" not in line, line
            assert line["event"] not in _NEVER_LOGGED, line

    @property
    def host(self) -> str:
        """Address of the data plane."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """Port of the data plane."""
        return urlsplit(self.url).port or 0

    @property
    def api(self) -> GatewayClient:
        """A client of its API."""
        return GatewayClient(ControlAddress(self.control, "the test"))

    def version_state(self, tag: str, worker: str = "shop") -> Mapping[str, Any]:
        """Return what the API says of a version."""
        return self.api.version(worker, tag)

    def wait_for_state(self, tag: str, state: str, worker: str = "shop") -> Mapping[str, Any]:
        """Return what the API says of a version, once it is in this state."""

        def look() -> Mapping[str, Any] | None:
            found = self.version_state(tag, worker)
            return found if found["state"] == state else None

        return wait_for(look, f"version {tag} to be {state}")

    def wait_for_log(self, event: str, matches: Callable[[dict[str, Any]], bool] = bool) -> dict[str, Any]:
        """Return the first line of an event that matches, once it is there."""
        return wait_for(lambda: next(filter(matches, self.log(event)), None), f"{event} in the log")


@contextmanager
def running_edge(
    folder: Path,
    config: Mapping[str, object],
    *,
    seed: int | None = None,
    env: Mapping[str, str] | None = None,
    stderr: IO[bytes] | None = None,
    piped_log: bool = False,
) -> Iterator[EdgeProcess]:
    """Run a gateway as long as the context lasts; see ``EdgeProcess``."""
    edge = EdgeProcess(folder, config, seed=seed, env=env, stderr=stderr, piped_log=piped_log)
    try:
        yield edge.start()
    finally:
        edge.close()


def one_worker(
    versions: Sequence[Mapping[str, object]],
    deployment: Mapping[str, float],
    *,
    name: str = "shop",
    routes: Sequence[str] = ("*/*",),
    gateway: Mapping[str, object] | None = None,
    **more: object,
) -> dict[str, object]:
    """Return a configuration with one Worker."""
    worker = {"name": name, "routes": list(routes), "versions": list(versions), "deployment": dict(deployment)}
    return {"gateway": dict(gateway or {}), "workers": [{**worker, **more}]}


def _copy(source: IO[bytes], file: Path) -> None:
    """Append what comes to a file, line by line, until the source ends."""
    with source, file.open("ab", buffering=0) as target:
        for line in source:
            target.write(line)


def _log_lines(file: Path) -> list[dict[str, Any]]:
    """Return a log's whole lines; what is no JSON, such as a traceback, comes as ``unreadable``."""
    lines = []
    for line in file.read_text("utf-8").split("\n")[:-1]:
        try:
            lines.append(cast("dict[str, Any]", json.loads(line)))
        except ValueError:
            lines.append({"unreadable": line})
    return lines
