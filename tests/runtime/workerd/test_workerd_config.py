"""The configuration of a process: what it says, and that the real workerd reads it as it is meant."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidCode
from gateway.model.version import WorkerName
from gateway.model.worker_code import Binding, ModuleKind
from gateway.runtime.processes import Processes
from gateway.runtime.workerd.config import ForeignNamespace, ProcessPlan, config_text, main_module, quoted
from gateway.runtime.workerd.process import WorkerdProcess
from tests.integration.workers_api import workerd
from tests.runtime.workerd.plans import SIMPLE, namespace, plan

SHOW = b"""
export default {
  async fetch(request, env) {
    const shown = {};
    for (const [name, value] of Object.entries(env)) shown[name] = value;
    return Response.json({ shown, cf: request.cf });
  },
};
"""
AWKWARD = ['"', "\\", "\\x41", "\n\r\t\0", "☃ 🙂", "'; drop", "${x}", "#", ""]


@asynccontextmanager
async def running(plan: ProcessPlan) -> AsyncIterator[WorkerdProcess]:
    """Run a plan on the real workerd as long as the context lasts."""
    processes = Processes()
    process = await WorkerdProcess.start(workerd(), plan, processes, lambda _line: None)
    ended = asyncio.create_task(process.ended())
    try:
        yield process
    finally:
        await process.kill()
        await ended
        await processes.close()


async def ask(plan: ProcessPlan, **headers: str) -> dict[str, Any]:
    """Return what a running process's ``http`` socket answers."""
    connector = aiohttp.UnixConnector(str(plan.sockets["http"]), force_close=True)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get("http://shop.localhost/", headers=headers) as answer,
    ):
        told: dict[str, Any] = await answer.json()
    return told


def unquoted(literal: str) -> str:
    """Read a Cap'n Proto text literal: printable characters, and bytes in hex."""
    assert re.fullmatch(r'"([ !#-\[\]-~]|\\x[0-9a-f]{2})*"', literal)
    plain = re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), literal[1:-1])
    return plain.encode("latin-1").decode("utf-8")


@given(st.text())
def test_any_text_is_quoted_in_printable_ascii(text: str) -> None:
    """Runtime.md 3: every byte outside printable ASCII, quotes and backslashes are escaped."""
    assert unquoted(quoted(text)) == text


async def test_workerd_reads_every_text_as_it_was_meant() -> None:
    """Names and values of bindings, whatever stands in them."""
    bindings = [Binding(f"NAME {text}", "plain_text", {"text": text}) for text in AWKWARD if "\0" not in text] + [
        Binding("JSON", "json", {"json": AWKWARD}),
        Binding("SECRET", "secret_text", secret="\n".join(AWKWARD)),
    ]
    with plan({"index.js": SHOW}, bindings=bindings) as one:
        async with running(one):
            shown = (await ask(one))["shown"]
    assert shown == {
        **{f"NAME {text}": text for text in AWKWARD if "\0" not in text},
        "JSON": AWKWARD,
        "SECRET": "\n".join(AWKWARD),
    }


async def test_the_cf_header_becomes_request_cf() -> None:
    """Runtime.md 6: ``cfBlobHeader``."""
    with plan({"index.js": SHOW}) as one:
        async with running(one):
            told = await ask(one, **{"X-Gateway-Cf": '{"colo": "FRA"}'})
    assert told["cf"] == {"colo": "FRA"}


async def test_workerd_takes_classes_bindings_and_modules_of_all_kinds() -> None:
    """Own classes bound and not bound, another Worker's, services, metadata, modules with folders."""
    code = b"""
import { DurableObject } from "cloudflare:workers";
import words from "./deep/words.txt";
export class Cart extends DurableObject {}
export class Hidden extends DurableObject {}
export default {
  fetch(_request, env) {
    return Response.json({ names: Object.keys(env).sort(), words, id: String(env.OTHER.idFromName("x")) });
  },
};
"""
    bindings = [
        Binding("CART", "durable_object_namespace", {"class_name": "Cart"}),
        Binding("OTHER", "durable_object_namespace", {"class_name": "Tally", "script_name": "api"}),
        Binding("SERVICE", "service", {"service": "api", "entrypoint": "Admin", "props": {"a": 1}}),
        Binding("VERSION", "version_metadata"),
    ]
    with plan(
        {"./src/index.js": code, "src/deep/words.txt": b"words", "index.js.map": b"{}"},
        kinds={"src/deep/words.txt": ModuleKind.TEXT, "index.js.map": ModuleKind.SOURCE_MAP},
        bindings=bindings,
        namespaces=[namespace("Cart"), namespace("Hidden", sqlite=False)],
        foreign={"OTHER": ForeignNamespace(WorkerName("api"), "api-Tally")},
    ) as one:
        async with running(one):
            told = await ask(one)
    assert told["names"] == ["CART", "OTHER", "SERVICE", "VERSION"]
    assert told["words"] == "words"
    assert re.fullmatch(r"[0-9a-f]{64}", told["id"])


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (b"export default {", "SyntaxError"),
        (b'import "./gone.js"; export default {};', 'No such module "gone.js"'),
        (b"throw new Error('at once');", "at once"),
    ],
)
async def test_code_that_does_not_start_ends_the_process_with_workerds_words(code: bytes, words: str) -> None:
    """Runtime.md 3: config errors are fatal, early and clear."""
    with plan({"index.js": code}) as one, pytest.raises(InvalidCode) as refused:
        async with running(one):
            pass
    assert words in refused.value.message


def test_a_binding_that_leads_nowhere_is_told_before_anything_starts() -> None:
    """10021, not a process that does not come up."""
    nothing = Binding("CART", "durable_object_namespace", {"class_name": "Cart"})
    with plan(SIMPLE, bindings=[nothing]) as one, pytest.raises(InvalidCode, match="Cart"):
        config_text(one)


def test_the_main_module_exports_what_the_user_does_with_each_class_wrapped() -> None:
    """Runtime.md 3: "the explicit exports below win"."""
    with plan(namespaces=[namespace("Cart"), namespace("Order")], flags=["enable_version_api"]) as one:
        code = main_module(one)
    assert 'export * from "../index.js";' in code
    assert re.findall(r"export const (\w+) = wrapClass\(\"(\w+)\", \"([\w-]+)\"", code) == [
        ("Cart", "Cart", "shop-Cart"),
        ("Order", "Order", "shop-Order"),
    ]
    assert "withVersion(User.default)" in code


async def test_the_configuration_is_for_its_owner_alone() -> None:
    """It holds secrets."""
    with plan() as one:
        async with running(one):
            folder = one.sockets["http"].parent
            assert (folder / "config.capnp").stat().st_mode & 0o077 == 0


async def test_processes_that_end_close_no_descriptor_but_their_own() -> None:
    """A number that is closed twice may be somebody else's by then: those of threads stay open."""
    stop = False

    def open_and_close() -> int:
        rounds = 0
        with tempfile.TemporaryDirectory() as name:
            while not stop:
                handle = os.open(name, os.O_RDONLY)
                os.fstat(handle)
                os.close(handle)  # raises where somebody closed it before us
                rounds += 1
        return rounds

    threads = [asyncio.create_task(asyncio.to_thread(open_and_close)) for _ in range(4)]
    for _ in range(6):
        with plan() as one:
            async with running(one):
                pass
    stop = True
    assert all(rounds > 0 for rounds in await asyncio.gather(*threads))
