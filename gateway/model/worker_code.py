"""The code of a version that runs on workerd: modules, bindings, compatibility (R1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class ModuleKind(StrEnum):
    """What a module is, by the media type it is uploaded with (wrangler-api, section 4)."""

    ES_MODULE = "application/javascript+module"
    COMMON_JS = "application/javascript"
    WASM = "application/wasm"
    DATA = "application/octet-stream"
    TEXT = "text/plain"
    JSON = "application/json"
    SOURCE_MAP = "application/source-map"


@dataclass(frozen=True, slots=True)
class Module:
    """One file of a version, kept by its content.

    Args:
        name: As code imports it; may hold ``/`` and a leading ``./``.
        sha256: Of the content, in hex: the key in the module store.
    """

    name: str
    kind: ModuleKind
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Binding:
    """One name of ``env``.

    Args:
        kind: Cloudflare's ``type``: ``plain_text``, ``json``, ``secret_text``, ``durable_object_namespace``, ...
        options: What else the API says of it, by the API's names; without ``name``, ``type`` and secret texts.
        secret: Text of a ``secret_text``; never shown, logged or answered.
    """

    name: str
    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class WorkerdRuntime:
    """A version that workerd runs.

    Args:
        main_module: Name of the entry module among ``modules``.
        compatibility_date: ``YYYY-MM-DD``, as it was given.
    """

    main_module: str
    modules: tuple[Module, ...]
    bindings: tuple[Binding, ...] = ()
    compatibility_date: str = ""
    compatibility_flags: tuple[str, ...] = ()

    @property
    def durable_object_classes(self) -> tuple[str, ...]:
        """Classes of this Worker itself that its bindings name, each once."""
        own = [
            str(binding.options["class_name"])
            for binding in self.bindings
            if binding.kind == "durable_object_namespace" and not binding.options.get("script_name")
        ]
        return tuple(dict.fromkeys(own))
