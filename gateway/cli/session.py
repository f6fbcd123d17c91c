"""What every command that calls a running gateway has in common: its options, the client, how it speaks."""

from __future__ import annotations

import functools
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Final, TextIO

import click

from gateway.cli import render
from gateway.cli.text import PLAIN, PLAINER, Style
from gateway.control.client import ClientError, GatewayClient, Status, WorkerStatus, find_gateway
from gateway.errors import GatewayError

CONTEXT_SETTINGS: Final = {"help_option_names": ["-h", "--help"]}


@dataclass(frozen=True, slots=True)
class Terminal:
    """How to speak to the user.

    Args:
        interactive: Somebody is there to answer a question.
        out, err: How text on stdout and stderr may look.
    """

    interactive: bool = False
    out: Style = PLAIN
    err: Style = PLAIN

    @classmethod
    def detect(cls, environment: Mapping[str, str]) -> Terminal:
        """Return what the process's own stdin, stdout and stderr can do."""
        return cls(
            interactive=sys.stdin.isatty() and sys.stdout.isatty(),
            out=_style_of(sys.stdout, environment),
            err=_style_of(sys.stderr, environment),
        )


def _style_of(stream: TextIO, environment: Mapping[str, str]) -> Style:
    if not stream.isatty():
        return PLAIN
    # no-color.org: set, and not empty, whatever its value.
    colour = not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
    return Style(colour=colour, width=shutil.get_terminal_size().columns)


@dataclass(frozen=True, slots=True)
class Start:
    """The options given before the command, and the terminal; click hands it down as ``ctx.obj``."""

    terminal: Terminal
    environment: Mapping[str, str]
    state: Path | None = None
    control: str | None = None

    @classmethod
    def of(cls, ctx: click.Context) -> Start:
        """Return what the group left for its commands, or else what the process starts with."""
        found = ctx.find_object(cls)
        return found if found is not None else cls(Terminal.detect(os.environ), dict(os.environ))

    def located(self, state: Path | None, control: str | None) -> Start:
        """Return it with where the gateway is, where the command itself says so."""
        return self if state is None and control is None else replace(self, state=state, control=control)


class Refused(click.ClickException):
    """Ends the command with exit code 1 and what to do about it on stderr."""

    def __init__(self, message: str, remedy: str, style: Style) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.style = style

    def show(self, file: IO[Any] | None = None) -> None:  # noqa: ARG002 - click's signature
        """Print the error and its remedy on stderr."""
        say(render.error(self.message, self.remedy, self.style), err=True)


class OrderedGroup(click.Group):
    """Lists its commands in the order they were added, which is that of the work, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of the commands."""
        return list(self.commands)


class RootGroup(OrderedGroup):
    """Turns every error a user can meet into an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        Raises:
            Refused: The gateway, or what the command does itself, refused; exit code 1.
            click.exceptions.Exit: Interrupted; exit code 130.
        """
        try:
            return super().invoke(ctx)
        except (GatewayError, ClientError) as error:
            raise Refused(error.message, error.remedy, Start.of(ctx).terminal.err) from error
        except KeyboardInterrupt:
            ctx.exit(130)
        except click.Abort as error:  # at a prompt: Ctrl-C, or the end of the input
            click.echo(err=True)
            ctx.exit(130 if isinstance(error.__context__, KeyboardInterrupt) else 1)


def say(text: str, *, err: bool = False) -> None:
    """Print, replacing what the terminal's encoding lacks rather than fail."""
    encoding = (sys.stderr if err else sys.stdout).encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(PLAINER).encode(encoding, "replace").decode(encoding)
    click.echo(text, err=err)


@dataclass(frozen=True)
class Session:
    """One command's connection to the gateway.

    Args:
        start: Where the gateway is, and the terminal.
        as_json: Whether stdout is for a program.
        named_worker: As the user gave it; ``worker`` fills it in.
    """

    start: Start
    as_json: bool
    named_worker: str | None

    @cached_property
    def client(self) -> GatewayClient:
        """The client of the gateway; found only when first used, so that wrong arguments are told first."""
        start = self.start
        return GatewayClient(find_gateway(start.environment, control=start.control, state=start.state))

    @property
    def terminal(self) -> Terminal:
        """How to speak to the user."""
        return self.start.terminal

    def worker(self) -> str:
        """Return the Worker to act on: the one named, or the only one.

        Raises:
            click.UsageError: There are several; lists them.
            ClientError: There is none.
        """
        return self.named_worker or only_worker(self.client.status())

    def worker_status(self) -> WorkerStatus:
        """Return all about the Worker to act on.

        Raises:
            click.UsageError: There are several; lists them.
            ClientError: There is none, or none of that name.
        """
        status = self.client.status()
        name = self.named_worker or only_worker(status)
        found = next((worker for worker in status["workers"] if worker["name"] == name), None)
        if found is None:
            names = ", ".join(worker["name"] for worker in status["workers"]) or "none"
            raise ClientError(f"there is no Worker {name!r}", remedy=f"There are: {names}.")
        return found

    def answer(self, content: object, text: Callable[[Style], str]) -> None:
        """Print the command's result: the API's own objects with --json, else for people."""
        self.say(json.dumps(content, indent=2) if self.as_json else text(self.terminal.out))

    def note(self, text: str) -> None:
        """Print something beside the result; with --json stdout holds nothing but JSON."""
        self.say(text, err=self.as_json)

    def warn(self, warnings: list[str]) -> None:
        """Print warnings on stderr."""
        for warning in warnings:
            self.say(render.warning(warning, self.terminal.err), err=True)

    def say(self, text: str, *, err: bool = False) -> None:
        """Print one text."""
        say(text, err=err)


def only_worker(status: Status) -> str:
    """Return the name of the only Worker.

    Raises:
        click.UsageError: There are several; lists them.
        ClientError: There is none.
    """
    names = [worker["name"] for worker in status["workers"]]
    if not names:
        raise ClientError("the gateway has no Worker yet", remedy="Add one to its configuration file.")
    if len(names) > 1:
        raise click.UsageError(
            f"There are {len(names)} Workers: {', '.join(names)}. Choose one with --worker NAME."
        )
    return names[0]


_OPTIONS: Final = (
    click.option(
        "--worker", "--name", "worker", metavar="NAME", help="The Worker; needed only where there are several."
    ),
    click.option("--json", "as_json", is_flag=True, help="Print the API's objects."),
    # They stand in the help of `gateway` itself; accepted here as well, for here is where people type them.
    click.option("--state", type=click.Path(path_type=Path), metavar="DIR", hidden=True),
    click.option("--control", metavar="URL", hidden=True),
)


def connected(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options above; it receives them as a ``Session``, before its own parameters."""

    @functools.wraps(command)
    @click.pass_context
    def run(
        ctx: click.Context,
        /,
        *,
        worker: str | None,
        as_json: bool,
        state: Path | None,
        control: str | None,
        **parameters: Any,
    ) -> None:
        command(Session(Start.of(ctx).located(state, control), as_json, worker), **parameters)

    for option in reversed(_OPTIONS):
        run = option(run)
    return run
