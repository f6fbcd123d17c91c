"""Writes the configuration of a version's workerd process, in Cap'n Proto's text format (pure)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from gateway.errors import InvalidCode
from gateway.model.version import Version, WorkerName
from gateway.model.worker import Namespace
from gateway.model.worker_code import Binding, Module, ModuleKind, WorkerdRuntime

SOCKETS: Final = ("http", "control", "objects", "events", "relay", "tail")
"""Sockets of a process, beside the debug port, by name."""

DEBUG: Final = "debug-port"
CF_HEADER: Final = "x-gateway-cf"
HIDDEN: Final = "__GATEWAY_"
"""Begins the names of bindings that are not the user's; ``hide.js`` takes them out of ``env``."""

MAIN: Final = "__gateway/main.js"
VERSION_API_FLAG: Final = "enable_version_api"
_OUR_DATE: Final = "2026-01-01"
_PRINTABLE: Final = range(0x20, 0x7F)
_SCRIPTS: Final = Path(__file__).parent / "js"
_ENTRYPOINTS: Final = {
    "Control": "__GatewayControl",
    "ObjectCalls": "__GatewayObject",
    "ObjectRequests": "__GatewayObjectRequests",
}
_MODULE_FIELDS: Final = {
    ModuleKind.ES_MODULE: "esModule",
    ModuleKind.COMMON_JS: "commonJsModule",
    ModuleKind.WASM: "wasm",
    ModuleKind.DATA: "data",
    ModuleKind.TEXT: "text",
    ModuleKind.JSON: "json",
}


@dataclass(frozen=True, slots=True)
class ForeignNamespace:
    """Another Worker's namespace that a binding names by ``script_name``."""

    worker: WorkerName
    key: str


@dataclass(frozen=True, slots=True)
class ProcessPlan:
    """All that the configuration of one process follows from.

    Args:
        sockets: Path of each unix socket, by the names of ``SOCKETS``.
        storage: Folder of this version's objects.
        gateway_socket: Where the process reaches the gateway.
        content: Module -> path of its content.
        foreign: Binding name -> the namespace it means, for bindings to other Workers' objects.
        tables: Worker -> table of its objects' owners, for this Worker and those it binds.
        services: Worker -> split and addresses, for service bindings.
        edge_address: Host and port of the data plane.
        listening: Whether somebody tails the Worker.
    """

    version: Version
    runtime: WorkerdRuntime
    compatibility_date: str
    compatibility_flags: tuple[str, ...]
    namespaces: tuple[Namespace, ...]
    sockets: Mapping[str, Path]
    storage: Path
    gateway_socket: Path
    content: Callable[[Module], Path]
    foreign: Mapping[str, ForeignNamespace]
    tables: Mapping[str, Any]
    services: Mapping[str, Any]
    edge_address: str
    seed: int | None = None
    listening: bool = False


def quoted(text: str) -> str:
    """Return a Cap'n Proto text literal; every byte outside printable ASCII is escaped."""
    escaped = (
        chr(byte) if byte in _PRINTABLE and byte not in b'"\\' else f"\\x{byte:02x}"
        for byte in text.encode("utf-8")
    )
    return f'"{"".join(escaped)}"'


def module_name(name: str) -> str:
    """Return the name a module is found by: wrangler's leading ``./`` does not count."""
    return str(PurePosixPath(name))


def config_text(plan: ProcessPlan) -> str:
    """Return the whole configuration.

    Raises:
        InvalidCode: The upload cannot be told to workerd.
    """
    services = [
        _service("user", _user_worker(plan)),
        _service("relay", _relay_worker(plan)),
        _service("events", _events_worker()),
        _service("tail", _tail_worker(plan)),
        f'(name = "objects", disk = (path = {quoted(str(plan.storage))}, writable = true))',
        f'(name = "gateway", external = (address = {quoted(f"unix:{plan.gateway_socket}")}, http = ()))',
        f'(name = "edge", external = (address = {quoted(plan.edge_address)}, http = ()))',
        # The default denies private addresses; a Worker on a laptop calls servers on the laptop.
        '(name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true)))',
    ]
    if plan.foreign:
        services.append(_service("foreign", _foreign_worker(plan)))
    entrypoints = {
        "http": 'service = "user"',
        "control": 'service = (name = "user", entrypoint = "__GatewayControl")',
        "objects": 'service = (name = "user", entrypoint = "__GatewayObjectRequests")',
        "events": 'service = "events"',
        "relay": 'service = (name = "relay", entrypoint = "Control")',
        "tail": 'service = (name = "tail", entrypoint = "Control")',
    }
    style = {"http": f'(cfBlobHeader = "{CF_HEADER}")', "objects": f'(cfBlobHeader = "{CF_HEADER}")'}
    sockets = [
        f'(name = "{name}", address = {quoted(f"unix:{plan.sockets[name]}")}, '
        f"http = {style.get(name, '()')}, {entrypoints[name]})"
        for name in SOCKETS
    ]
    return "\n".join(
        [
            'using Workerd = import "/workerd/workerd.capnp";',
            "const config :Workerd.Config = (",
            f"  services = {_list(services)},",
            f"  sockets = {_list(sockets)},",
            f"  extensions = [(modules = {_list(_extensions(plan))})],",
            ");",
            "",
        ]
    )


def main_module(plan: ProcessPlan) -> str:
    """Return the module that stands before the user's: their exports, with the classes and the default wrapped."""
    user = json.dumps(f"../{module_name(plan.runtime.main_module)}")
    lines = [
        'import "./hide.js";',  # before the user's modules see env
        f"import * as User from {user};",
        'import { wrapClass } from "./objects.js";',
        'import { Control, ObjectCalls, ObjectRequests } from "./entrypoints.js";',
        f"export * from {user};",
        *(
            f"export const {one.class_name} = wrapClass({json.dumps(one.class_name)}, "
            f"{json.dumps(one.unique_key)}, User.{one.class_name});"
            for one in plan.namespaces
        ),
        f"export {{ {', '.join(f'{ours} as {theirs}' for ours, theirs in _ENTRYPOINTS.items())} }};",
    ]
    if VERSION_API_FLAG in plan.compatibility_flags:
        lines.append('import { withVersion } from "./version_api.js";')
        lines.append("export default withVersion(User.default);")
    else:
        lines.append("export default User.default;")
    return "\n".join(lines) + "\n"


def _user_worker(plan: ProcessPlan) -> str:
    ours = ["hide.js", "objects.js", "entrypoints.js", "version_api.js"]
    modules = [
        f'(name = "{MAIN}", esModule = {quoted(main_module(plan))})',
        *(f'(name = "__gateway/{name}", esModule = {_embedded(_SCRIPTS / name)})' for name in ours),
        *(
            _module(module, plan.content(module))
            for module in plan.runtime.modules
            if module.kind in _MODULE_FIELDS
        ),
    ]
    bindings = [
        *(text for binding in plan.runtime.bindings for text in [_binding(binding, plan)] if text),
        *_hidden_namespaces(plan),
    ]
    namespaces = [
        f"(className = {quoted(one.class_name)}, uniqueKey = {quoted(one.unique_key)}, "
        f"enableSql = {'true' if one.sqlite else 'false'})"
        for one in plan.namespaces
    ]
    return ", ".join(
        [
            f"modules = {_list(modules)}",
            f"compatibilityDate = {quoted(plan.compatibility_date)}",
            f"compatibilityFlags = {_list(map(quoted, plan.compatibility_flags))}",
            f"bindings = {_list(bindings)}",
            f"durableObjectNamespaces = {_list(namespaces)}",
            'durableObjectStorage = (localDisk = "objects")',
            'tails = ["tail"]',
        ]
    )


def _hidden_namespaces(plan: ProcessPlan) -> Iterable[str]:
    """Yield a binding for each class that the version itself does not bind: the gateway moves its objects too."""
    bound = {
        binding.options.get("class_name")
        for binding in plan.runtime.bindings
        if binding.kind == "durable_object_namespace" and binding.name not in plan.foreign
    }
    for one in plan.namespaces:
        if one.class_name not in bound:
            yield _namespace_binding(
                f"{HIDDEN}{one.class_name}", plan.version.worker, one.unique_key, one.class_name
            )


def _binding(binding: Binding, plan: ProcessPlan) -> str:  # noqa: PLR0911 - one line a kind
    name, options = binding.name, binding.options
    match binding.kind:
        case "plain_text":
            return _bound(name, f"text = {quoted(str(options.get('text', '')))}")
        case "secret_text":
            return _bound(name, f"text = {quoted(binding.secret)}")
        case "json":
            return _bound(name, f"json = {quoted(json.dumps(options.get('json')))}")
        case "version_metadata":
            return _bound(name, f"json = {quoted(json.dumps(version_metadata(plan.version)))}")
        case "wasm_module" | "text_blob" | "data_blob":
            field = {"wasm_module": "wasmModule", "text_blob": "text", "data_blob": "data"}[binding.kind]
            return _bound(name, f"{field} = {_embedded(_part(plan, str(options.get('part', name))))}")
        case "durable_object_namespace":
            return _object_binding(binding, plan)
        case "service":
            return _service_binding(name, options)
    raise InvalidCode(f"binding {name} is of kind {binding.kind}, which this gateway does not serve")


def version_metadata(version: Version) -> dict[str, str]:
    """Return what a ``version_metadata`` binding holds (R107)."""
    stamp = version.created_on.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"id": version.id, "tag": version.tag, "timestamp": stamp}


def _part(plan: ProcessPlan, name: str) -> Path:
    for module in plan.runtime.modules:
        if module.name == name:
            return plan.content(module)
    raise InvalidCode(f'No such module "{name}".')


def _object_binding(binding: Binding, plan: ProcessPlan) -> str:
    class_name = str(binding.options["class_name"])
    foreign = plan.foreign.get(binding.name)
    if foreign is not None:
        return _namespace_binding(
            binding.name, foreign.worker, foreign.key, _foreign_class(foreign), service="foreign"
        )
    for one in plan.namespaces:
        if one.class_name == class_name:
            return _namespace_binding(binding.name, plan.version.worker, one.unique_key, class_name)
    raise InvalidCode(f"binding {binding.name} names class {class_name!r}, which has no namespace")


def _namespace_binding(name: str, worker: str, key: str, class_name: str, service: str = "") -> str:
    target = f"className = {quoted(class_name)}"
    if service:
        target += f", serviceName = {quoted(service)}"
    inner = [
        f'(name = "namespace", durableObjectNamespace = ({target}))',
        f'(name = "worker", text = {quoted(worker)})',
        f'(name = "key", text = {quoted(key)})',
        '(name = "debug", workerdDebugPort = void)',
    ]
    return _bound(name, f'wrapped = (moduleName = "gateway:namespace", innerBindings = {_list(inner)})')


def _service_binding(name: str, options: Mapping[str, Any]) -> str:
    props = {
        "worker": options["service"],
        "entrypoint": options.get("entrypoint") or None,
        "props": options.get("props") or {},
    }
    return _bound(
        name, f'service = (name = "relay", entrypoint = "Service", props = (json = {quoted(json.dumps(props))}))'
    )


def _foreign_class(foreign: ForeignNamespace) -> str:
    return f"Foreign_{foreign.key.encode().hex()}"


def _foreign_worker(plan: ProcessPlan) -> str:
    """Return a Worker whose namespaces make ids as the other Workers' do; no object ever runs in it."""
    namespaces = list(dict.fromkeys(plan.foreign.values()))
    code = 'import { DurableObject } from "cloudflare:workers";\n' + "".join(
        f"export class {_foreign_class(one)} extends DurableObject {{}}\n" for one in namespaces
    )
    return ", ".join(
        [
            f'modules = [(name = "foreign.js", esModule = {quoted(code)})]',
            f'compatibilityDate = "{_OUR_DATE}"',
            "durableObjectNamespaces = "
            + _list(
                f"(className = {quoted(_foreign_class(one))}, uniqueKey = {quoted(one.key)}, enableSql = true)"
                for one in namespaces
            ),
            "durableObjectStorage = (inMemory = void)",
        ]
    )


def _relay_worker(plan: ProcessPlan) -> str:
    bindings = [
        '(name = "DEBUG", workerdDebugPort = void)',
        '(name = "GATEWAY", service = "gateway")',
        '(name = "EDGE", service = "edge")',
        _bound("SERVICES", f"json = {quoted(json.dumps(plan.services))}"),
        _bound("SEED", f"json = {quoted(json.dumps(plan.seed))}"),
    ]
    return _our_worker("relay.js", bindings, ("experimental",))


def _events_worker() -> str:
    flags = ("experimental", "service_binding_extra_handlers")
    return _our_worker("events.js", ['(name = "USER", service = "user")'], flags)


def _tail_worker(plan: ProcessPlan) -> str:
    bindings = [
        '(name = "GATEWAY", service = "gateway")',
        _bound("VERSION", f"text = {quoted(plan.version.id)}"),
        _bound("LISTENING", f"json = {quoted(json.dumps(plan.listening))}"),
    ]
    return _our_worker("tail.js", bindings)


def _our_worker(script: str, bindings: Sequence[str], flags: Sequence[str] = ()) -> str:
    return ", ".join(
        [
            f'modules = [(name = "{script}", esModule = {_embedded(_SCRIPTS / script)})]',
            f'compatibilityDate = "{_OUR_DATE}"',
            f"compatibilityFlags = {_list(map(quoted, flags))}",
            f"bindings = {_list(bindings)}",
        ]
    )


def _extensions(plan: ProcessPlan) -> list[str]:
    initial = {
        "worker": plan.version.worker,
        "version": plan.version.id,
        "address": f"unix:{plan.sockets[DEBUG]}",
        "tables": plan.tables,
    }
    code = f"export default {json.dumps(initial)};"
    scripts = {"ownership": None, "state": None, "namespace": None}
    return [
        f'(name = "gateway:initial", internal = true, esModule = {quoted(code)})',
        *(
            f'(name = "gateway:{name}", internal = true, esModule = {_embedded(_SCRIPTS / f"{name}.js")})'
            for name in scripts
        ),
    ]


def _module(module: Module, path: Path) -> str:
    return f"(name = {quoted(module_name(module.name))}, {_MODULE_FIELDS[module.kind]} = {_embedded(path)})"


def _service(name: str, worker: str) -> str:
    return f'(name = "{name}", worker = ({worker}))'


def _bound(name: str, what: str) -> str:
    return f"(name = {quoted(name)}, {what})"


def _embedded(path: Path) -> str:
    # `workerd serve -I/` lets an absolute path be embedded.
    return f"embed {quoted(str(path.absolute()))}"


def _list(items: Iterable[str]) -> str:
    return f"[{', '.join(items)}]"
