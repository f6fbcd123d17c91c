"""The ``metadata`` of an upload, or the body of a beta version -> what the core wants (pure; wrangler-api, 4).

Unknown members are passed over: ``unsafe.metadata`` of a configuration is merged into it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from gateway.control.bindings import SECRET_KINDS
from gateway.control.exports import parse_exports
from gateway.control.migrations import parse_migrations
from gateway.control.refusals import InvalidUpload, NotServed
from gateway.control.uploads import Origin, Upload
from gateway.errors import BadRequest
from gateway.model.deployment import CodeUpdate
from gateway.model.worker_code import Module, ModuleKind

_DATE = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
DEFAULT_DELAY_SECONDS: Final = 300.0

SCRIPT_SETTINGS: Final = ("logpush", "observability", "tail_consumers", "streaming_tail_consumers", "tags")
"""Settings of the whole Worker, not of a version (R6)."""


def parse_upload(metadata: object, modules: Sequence[Module], *, strict_inherit: bool) -> Upload:
    """Read what a version shall be.

    Raises:
        NotServed: Assets, containers, service-worker syntax. InvalidUpload: A member that cannot be.
    """
    if not isinstance(metadata, Mapping):
        raise InvalidUpload(
            "the form has no part `metadata` with a JSON object", remedy='Send {"main_module": "index.js", ...}.'
        )
    _refuse_what_is_not_served(metadata)
    main_module = metadata.get("main_module")
    if not isinstance(main_module, str) or not main_module:
        raise InvalidUpload("metadata.main_module is missing", remedy="Name the entry module by its file name.")
    keep = metadata.get("keep_bindings")
    migrations, exports = metadata.get("migrations"), metadata.get("exports")
    return Upload(
        main_module,
        tuple(_as_main(module) if module.name == main_module else module for module in modules),
        bindings=tuple(_list(metadata, "bindings")),
        keep_bindings=SECRET_KINDS if keep is None else frozenset(map(str, _list(metadata, "keep_bindings"))),
        strict_inherit=strict_inherit,
        compatibility_date=compatibility_date(metadata.get("compatibility_date")),
        compatibility_flags=tuple(map(str, _list(metadata, "compatibility_flags"))),
        migrations=parse_migrations(migrations) if migrations else None,
        exports=parse_exports(exports) if exports is not None else None,
    )


def _refuse_what_is_not_served(metadata: Mapping[str, Any]) -> None:
    if metadata.get("assets"):
        raise NotServed("static assets (metadata.assets)")
    if metadata.get("body_part"):
        raise NotServed(
            "a Worker in service-worker syntax (metadata.body_part)",
            remedy="Write it as an ES module: export default { fetch(request, env, ctx) { ... } }.",
        )
    if metadata.get("containers"):
        raise NotServed("containers (metadata.containers)")


def _as_main(module: Module) -> Module:
    """SDKs send the entry module with the media type that its file name suggests."""
    return replace(module, kind=ModuleKind.ES_MODULE) if module.kind is ModuleKind.COMMON_JS else module


def _list(metadata: Mapping[str, Any], name: str) -> list[Any]:
    value = metadata.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidUpload(f"metadata.{name} is {value!r}, no list", remedy=f'Send "{name}": [...].')
    return value


def compatibility_date(value: object) -> str:
    """Return a compatibility date as it was given; empty where there is none.

    Raises:
        InvalidUpload: It is no date.
    """
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise InvalidUpload(f"compatibility_date {value!r} is no date", remedy="Give YYYY-MM-DD.")
    return value


def annotated(origin: Origin, annotations: object) -> Origin:
    """Return an origin with what its ``annotations`` say; they may be missing, and an empty text means unset."""
    if annotations is None:
        return origin
    if not isinstance(annotations, Mapping):
        raise BadRequest(f"annotations is {annotations!r}", remedy='Send {"workers/message": "..."}.')
    return replace(
        origin,
        message=_annotation(annotations, "workers/message") or origin.message,
        tag=_annotation(annotations, "workers/tag"),
        alias=_annotation(annotations, "workers/alias"),
    )


def _annotation(annotations: Mapping[str, Any], name: str) -> str:
    value = annotations.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRequest(f"annotation {name!r} is {value!r}", remedy="Send a string.")
    return value


def script_settings(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of the whole Worker that stand in metadata or a body.

    Raises:
        BadRequest: One has the wrong shape.
    """
    found = {name: metadata[name] for name in SCRIPT_SETTINGS if name in metadata}
    shapes: Mapping[str, type] = {"logpush": bool, "observability": dict}
    for name, value in found.items():
        shape = shapes.get(name, list)
        if value is not None and not isinstance(value, shape):
            raise BadRequest(f"{name} is {value!r}", remedy=f"Send a JSON {shape.__name__}.")
    return found


def code_update(value: object) -> CodeUpdate | None:
    """Read ``code_update_strategy``: when running objects move to new code (R60).

    Raises:
        BadRequest: It is not understood. DeploymentError: The delay is out of range.
    """
    if value is None:
        return None
    if isinstance(value, Mapping):
        mode, delay = value.get("mode"), value.get("max_delay")
        if mode == "immediate":
            return CodeUpdate("immediate")
        if mode == "deferred" and (
            delay is None or (isinstance(delay, int | float) and not isinstance(delay, bool))
        ):
            return CodeUpdate("deferred", DEFAULT_DELAY_SECONDS if delay is None else float(delay))
    raise BadRequest(
        f"code_update_strategy {value!r} is not understood", remedy='Send {"mode": "deferred", "max_delay": 300}.'
    )
