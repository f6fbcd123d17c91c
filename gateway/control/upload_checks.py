"""What an upload must hold before anything else is looked at: names, aliases, modules (pure)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from gateway.control.refusals import InvalidUpload
from gateway.model.worker_code import Module, ModuleKind

HOST_LABEL: Final = 63
"""R90: alias, ``-`` and Worker name together are one label of a host name."""

_WORKER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}")
_ALIAS = re.compile(r"[a-z][a-z0-9-]*")


def check_worker_name(name: str) -> None:
    """Check that a Worker can have this name: it becomes a label of host names.

    Raises:
        InvalidUpload: It cannot.
    """
    if not _WORKER_NAME.fullmatch(name):
        raise InvalidUpload(
            f"Worker name {name!r} is not valid",
            remedy="Use 1 to 63 letters, digits, '-' or '_', not beginning with '-'.",
        )


def check_alias(alias: str, worker: str) -> None:
    """Check the alias of a version URL (R90).

    Raises:
        InvalidUpload: It has other characters, or is too long with the Worker's name.
    """
    if not alias:
        return
    if not _ALIAS.fullmatch(alias):
        raise InvalidUpload(
            f"preview alias {alias!r} is not valid",
            remedy="Begin with a lower-case letter; then lower-case letters, digits and '-' (R90).",
        )
    length = len(f"{alias}-{worker}")
    if length > HOST_LABEL:
        raise InvalidUpload(
            f"preview alias {alias!r} and Worker name {worker!r} have {length} characters together",
            remedy=f"At most {HOST_LABEL} with the '-' between them (R90): choose a shorter alias.",
        )


def check_modules(main_module: str, modules: Sequence[Module]) -> None:
    """Check that an upload has its entry module, each name once, and only kinds that run.

    Raises:
        InvalidUpload: 10021.
    """
    names = [module.name for module in modules]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InvalidUpload(f"module {twice[0]!r} was uploaded twice", remedy="Give each module its own name.")
    main = next((module for module in modules if module.name == main_module), None)
    if main is None:
        raise InvalidUpload(
            f"No such module: main_module {main_module!r} was not uploaded ({', '.join(names) or 'nothing'} was)",
            remedy="Name one of the uploaded modules by its file name.",
        )
    if main.kind is not ModuleKind.ES_MODULE:
        raise InvalidUpload(
            f"main_module {main_module!r} is {main.kind}, no ES module",
            remedy="Upload it as application/javascript+module.",
        )
