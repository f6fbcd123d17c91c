"""The real wrangler against a gateway: by itself as in CI, in the background, and at a terminal."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import termios
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pexpect.fdpexpect

from tests.integration.edge_process import EdgeProcess
from tests.integration.waiting import PATIENCE_SECONDS
from tests.node import tools
from tests.wrangler.api import ACCOUNT, TOKEN, Api

PROJECTS: Final = Path(__file__).parent / "projects"
COMMAND_SECONDS: Final = 120.0
"""Takes about one second; twice a hundred Workers at once on two cores do not take this long."""

TERMINAL_SIZE: Final = (50, 160)
_COLOURS: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Ended:
    """What a command left.

    Args:
        entries: Its lines in the file that scripts read (``WRANGLER_OUTPUT_FILE_PATH``).
    """

    code: int
    out: str
    err: str
    entries: tuple[Mapping[str, Any], ...]

    def entry(self, kind: str) -> Mapping[str, Any]:
        """Return its only line of a kind, such as ``deploy`` or ``version-upload``."""
        found = [entry for entry in self.entries if entry["type"] == kind]
        assert len(found) == 1, self
        return found[0]

    @property
    def json(self) -> Any:
        """What it printed with ``--json``."""
        return json.loads(self.out)


def plain(text: str) -> str:
    """Return text without colours; wrangler's errors have them whatever ``NO_COLOR`` says."""
    return _COLOURS.sub("", text)


class Running:
    """A command that goes on by itself."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path, err: Path) -> None:
        self._process = process
        self._out = out
        self._err = err

    @property
    def out(self) -> str:
        """What it has printed until now."""
        assert self._process.poll() is None, f"it ended by itself: {self.err}"
        return plain(self._out.read_text("utf-8"))

    @property
    def err(self) -> str:
        """What it has complained of until now."""
        return plain(self._err.read_text("utf-8"))

    def interrupt(self) -> int:
        """Press Ctrl-C, and return the exit code."""
        os.killpg(self._process.pid, signal.SIGINT)
        return self._process.wait(PATIENCE_SECONDS)


class Terminal:
    """A command that asks, and somebody at a terminal who answers."""

    def __init__(self, process: subprocess.Popen[bytes], screen: pexpect.fdpexpect.fdspawn[str]) -> None:
        self._process = process
        self.screen = screen

    def sees(self, *texts: str) -> None:
        """Wait for texts, in this order."""
        for text in texts:
            self.screen.expect_exact(text)

    def types(self, keys: str) -> None:
        """Press keys."""
        self.screen.send(keys)

    def ends(self) -> tuple[int, str]:
        """Return its exit code, and what it said since the last text that was waited for."""
        # Linux tells the end of the other side of a terminal as an error of the device.
        self.screen.expect(pexpect.EOF)
        return self._process.wait(PATIENCE_SECONDS), plain(str(self.screen.before))


class Project:
    """A folder with a Worker's sources and its configuration, and a wrangler to run there.

    Args:
        source: Name of a folder in ``projects``; it is copied.
        name: Of the Worker.
        config: Other keys for its ``wrangler.jsonc``.
    """

    def __init__(
        self, folder: Path, edge: EdgeProcess, version: str, source: str, name: str, **config: object
    ) -> None:
        shutil.copytree(PROJECTS / source, folder)
        self.folder = folder
        self.edge = edge
        self.version = version
        self.name = name
        self._home = folder.parent / "home"
        self._output = folder.parent / "output.ndjson"
        self.configure(name=name, **config)

    @property
    def host(self) -> str:
        """The Worker's own host name on the edge."""
        return f"{self.name}.localhost"

    @property
    def api(self) -> Api:
        """The API of its Worker."""
        return Api(self.edge.control, self.name, self.folder, self.version)

    def configure(self, **changes: object) -> None:
        """Change keys of its ``wrangler.jsonc``; ``None`` takes one out."""
        file = self.folder / "wrangler.jsonc"
        config = {**json.loads(file.read_text("utf-8")), **changes}
        file.write_text(json.dumps({key: value for key, value in config.items() if value is not None}), "utf-8")

    def write(self, name: str, content: str) -> Path:
        """Write a file of the project."""
        file = self.folder / name
        file.write_text(content, "utf-8")
        return file

    def environment(self) -> dict[str, str]:
        """Return all that wrangler gets to know; nothing of the user's own, nor of a proxy."""
        return {
            "PATH": f"{tools.node().parent}{os.pathsep}{os.defpath}",
            "HOME": str(self._home),
            "XDG_CONFIG_HOME": str(self._home / "config"),
            "CLOUDFLARE_API_BASE_URL": f"{self.edge.control}/client/v4",
            "CLOUDFLARE_API_TOKEN": TOKEN,
            "CLOUDFLARE_ACCOUNT_ID": ACCOUNT,
            "NO_PROXY": "127.0.0.1,localhost",
            "WRANGLER_OUTPUT_FILE_PATH": str(self._output),
            "WRANGLER_SEND_METRICS": "false",
            "WRANGLER_SEND_ERROR_REPORTS": "false",
            "DO_NOT_TRACK": "1",
            "WRANGLER_HIDE_BANNER": "true",
            "NO_COLOR": "1",
            "TERM": "xterm-256color",
            # Halves the time that wrangler takes to start.
            "NODE_COMPILE_CACHE": str(tools.MODULES / ".compile-cache"),
        }

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [str(tools.node()), str(tools.wrangler(self.version)), *arguments]

    def wrangler(self, *arguments: str, typed: str = "", code: int = 0) -> Ended:
        """Run a command to its end, as CI would: nobody is there to answer questions.

        Args:
            typed: What comes by its stdin.
            code: The exit code it must have.
        """
        self._output.unlink(missing_ok=True)
        ended = subprocess.run(
            self._command(arguments),
            cwd=self.folder,
            env=self.environment(),
            input=typed,
            capture_output=True,
            encoding="utf-8",
            timeout=COMMAND_SECONDS,
            check=False,
        )
        lines = self._output.read_text("utf-8").splitlines() if self._output.exists() else []
        result = Ended(ended.returncode, plain(ended.stdout), plain(ended.stderr), tuple(map(json.loads, lines)))
        said = f"wrangler {' '.join(arguments)}\n{result.out}\n{result.err}"
        assert result.code == code, f"ended with {result.code}, not {code}: {said}"
        return result

    @contextmanager
    def in_background(self, *arguments: str) -> Iterator[Running]:
        """Run a command that goes on until it is told to end."""
        out, err = self.folder.parent / "out.txt", self.folder.parent / "err.txt"
        with out.open("wb") as out_file, err.open("wb") as err_file:
            process = subprocess.Popen(
                self._command(arguments),
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=out_file,
                stderr=err_file,
                start_new_session=True,
            )
        try:
            yield Running(process, out, err)
        finally:
            process.kill()
            process.wait()

    @contextmanager
    def at_terminal(self, *arguments: str) -> Iterator[Terminal]:
        """Run a command with a terminal for stdin and stdout, so that it asks."""
        ours, its = os.openpty()
        termios.tcsetwinsize(its, TERMINAL_SIZE)
        process = subprocess.Popen(
            self._command(arguments),
            cwd=self.folder,
            env=self.environment(),
            stdin=its,
            stdout=its,
            stderr=its,
            start_new_session=True,
        )
        os.close(its)
        screen = pexpect.fdpexpect.fdspawn(ours, timeout=PATIENCE_SECONDS, encoding="utf-8")
        try:
            yield Terminal(process, screen)
        finally:
            process.kill()
            process.wait()
            screen.close()
