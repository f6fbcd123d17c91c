"""Plans of workerd processes for tests: code, bindings and classes in, a whole ``ProcessPlan`` out."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from gateway.model.version import WorkerName
from gateway.model.worker import Namespace
from gateway.model.worker_code import Binding, Module, ModuleKind, WorkerdRuntime
from gateway.routing.percentages import Placed, Split
from gateway.runtime.workerd.config import DEBUG, SOCKETS, ForeignNamespace, ProcessPlan
from gateway.runtime.workerd.tables import OwnerTable
from tests.model.examples import A, version

SIMPLE = {"index.js": b'export default { fetch: () => new Response("hello") };'}


def namespace(class_name: str, *, sqlite: bool = True) -> Namespace:
    """Return a namespace of Worker ``shop``."""
    return Namespace(hashlib.md5(class_name.encode()).hexdigest(), class_name, f"shop-{class_name}", sqlite=sqlite)  # noqa: S324


@contextmanager
def plan(
    modules: Mapping[str, bytes] = SIMPLE,
    *,
    bindings: Sequence[Binding] = (),
    namespaces: Sequence[Namespace] = (),
    foreign: Mapping[str, ForeignNamespace] | None = None,
    flags: Sequence[str] = (),
    kinds: Mapping[str, ModuleKind] | None = None,
) -> Iterator[ProcessPlan]:
    """Yield the plan of a process in a folder of its own, which is short enough for sockets.

    Args:
        modules: The main module first; ES modules where ``kinds`` says nothing else.
    """
    with tempfile.TemporaryDirectory(prefix="plan-") as name:
        folder = Path(name)
        content = {}
        listed = []
        for number, (module_name, code) in enumerate(modules.items()):
            kind = (kinds or {}).get(module_name, ModuleKind.ES_MODULE)
            module = Module(module_name, kind, hashlib.sha256(code).hexdigest(), len(code))
            content[module] = folder / f"module-{number}"
            content[module].write_bytes(code)
            listed.append(module)
        runtime = WorkerdRuntime(listed[0].name, tuple(listed), tuple(bindings), "2026-04-01", tuple(flags))
        sockets = {socket: folder / f"{socket}.sock" for socket in (*SOCKETS, DEBUG)}
        storage = folder / "objects"
        storage.mkdir()
        table = OwnerTable(Split((Placed(A, 0.0, 100.0),)))
        tables = {WorkerName("shop"): table, **{one.worker: table for one in (foreign or {}).values()}}
        yield ProcessPlan(
            version=replace(version(A, tag="v1"), runtime=runtime),
            runtime=runtime,
            compatibility_date="2026-04-01",
            compatibility_flags=tuple(flags),
            namespaces=tuple(namespaces),
            sockets=sockets,
            storage=storage,
            gateway_socket=folder / "gateway.sock",
            content=lambda module: content[module],
            foreign=foreign or {},
            tables={name: one.to_json({A: f"unix:{sockets[DEBUG]}"}) for name, one in tables.items()},
            services={},
            edge_address="127.0.0.1:1",
        )
