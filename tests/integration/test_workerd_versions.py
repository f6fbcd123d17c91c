"""What a version on workerd is given and how it is reached: URLs, bindings, modules, ``request.cf``, errors."""

from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import StartEdge
from tests.integration.edge_process import EdgeProcess, running_edge
from tests.integration.processes import is_alive
from tests.integration.waiting import wait_for
from tests.integration.workers_api import (
    OBJECTS,
    VERSION,
    Module,
    Probed,
    Refused,
    edge_config,
    text,
)

CF: dict[str, Any] = {"country": "DE", "colo": "FRA", "cf": {"tlsVersion": "TLSv1.3", "asn": 64_512}}


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    """One gateway; each test has a Worker of its own."""
    with running_edge(tmp_path_factory.mktemp("edge"), edge_config(**CF)) as edge:
        yield edge


def module(code: str, name: str = "index.js") -> Module:
    """Return code as a main module."""
    return Module(name, code.encode())


# How a version is reached.


def test_a_version_url_wakes_a_version_that_is_not_deployed(edge: EdgeProcess) -> None:
    """R89: ``<first 8>-<worker>``; Workers with Durable Objects have them here (R55 is production's)."""
    worker = Probed(edge, "urls")
    a, b = worker.deploy_first(), worker.upload()
    worker.rpc("x", "count")
    for host in (f"{b[:8]}-urls.localhost", f"{b[:8]}-urls.local.workers.dev"):
        assert worker.get("/version", host=f"{host}:{edge.port}").json()["result"] == b
    assert worker.get("/version", host=f"{a[:8]}-urls.localhost").json()["result"] == a
    met = worker.get("/rpc?name=x&do=count", host=f"{b[:8]}-urls.localhost").json()["result"]
    assert (met["version"], met["storedCount"]) == (a, 2)  # R50: the object's version is its own


def test_an_alias_leads_to_its_version(edge: EdgeProcess) -> None:
    """R89, R90: ``<alias>-<worker>``; a later upload with the same alias takes it over."""
    worker = Probed(edge, "aliases")
    worker.deploy_first()
    for _ in range(2):
        version = worker.upload(annotations={"workers/alias": "staging"})
        assert worker.get("/version", host="staging-aliases.localhost").json()["result"] == version


def test_a_worker_answers_at_its_workers_dev_name(edge: EdgeProcess) -> None:
    """Issue B 6: ``Host: <worker>.<subdomain>.workers.dev`` is accepted too."""
    worker = Probed(edge, "dev-name", bindings=(VERSION,))
    version = worker.deploy()
    assert worker.get("/version", host="dev-name.local.workers.dev").json()["result"] == version


# What a version is given.


def test_vars_json_and_secrets_are_as_they_were_sent(edge: EdgeProcess) -> None:
    """Cloudflare docs, bindings; quotes, line ends and other scripts survive the configuration."""
    awkward = 'a "quoted" \\ text\n\t\0 with snow ☃ and 🙂'
    json_value = {"list": [1, 2.5, None, True], "text": awkward}
    bindings = (
        VERSION,
        text("TEXT", awkward),
        {"name": "JSON", "type": "json", "json": json_value},
        {"name": "SECRET", "type": "secret_text", "text": awkward[::-1]},
    )
    worker = Probed(edge, "vars", bindings=bindings)
    worker.deploy()
    told = worker.get("/facts").json()
    assert (told["TEXT"], told["json"], told["SECRET"]) == (awkward, json_value, awkward[::-1])
    assert told["names"] == ["JSON", "SECRET", "TEXT", "VERSION"]


def test_version_metadata_tells_id_tag_and_moment(edge: EdgeProcess) -> None:
    """R107."""
    worker = Probed(edge, "metadata", bindings=(VERSION,))
    version = worker.deploy(annotations={"workers/tag": "first tag"})
    told = worker.get("/facts").json()["VERSION"]
    assert (told["id"], told["tag"]) == (version, "first tag")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told["timestamp"])


def test_request_cf_url_and_headers_are_what_cloudflare_would_send(edge: EdgeProcess) -> None:
    """Issue B 3: ``request.cf`` is configurable; no header of the gateway's own reaches the Worker."""
    worker = Probed(edge, "facts")
    worker.deploy_first()
    told = worker.get("/facts", headers={"X-Gateway-Cf": '{"country": "XX"}'}).json()
    assert {**told["cf"], "country": "DE", "colo": "FRA", "tlsVersion": "TLSv1.3", "asn": 64_512} == told["cf"]
    assert told["url"] == f"http://facts.localhost:{edge.port}/facts"
    assert [name for name in told["headers"] if name.startswith("x-gateway")] == []
    inside = worker.get("/object/a?name=x").json()
    assert inside["cf"] == told["cf"]


def test_ctx_version_is_there_only_behind_its_flag(edge: EdgeProcess) -> None:
    """R109: ``enable_version_api``."""
    worker = Probed(edge, "version-api", bindings=(VERSION,))
    version = worker.deploy(compatibility_flags=["enable_version_api"])
    told = worker.get("/facts").json()
    assert told["version"]["metadata"]["id"] == version
    assert [name for name in told["headers"] if name.startswith("x-gateway")] == []
    worker.deploy()
    assert "version" not in worker.get("/facts").json()


WASM = base64.b64decode("AGFzbQEAAAABBwFgAn9/AX8DAgEABwcBA2FkZAAACgkBBwAgACABags=")
"""A module with ``add(a, b)``."""

MODULES = """
import words from "./lib/words.txt";
import bytes from "./bytes.bin";
import calculator from "./add.wasm";
import settings from "./settings.json";
import old from "./old.cjs";
import { deeper } from "./lib/deeper.js";
const { exports } = await WebAssembly.instantiate(calculator, {});
export default {
  fetch() {
    const sizes = { words: words.length, bytes: bytes.byteLength };
    return Response.json({ words, sizes, sum: exports.add(2, 3), settings, old: old.answer, deeper });
  },
};
"""


def test_modules_of_every_kind_are_imported_by_relative_paths(edge: EdgeProcess) -> None:
    """Wrangler-api, section 4: text, data, WebAssembly, JSON, CommonJS, names with folders and with ``./``."""
    worker = Probed(edge, "modules", bindings=())
    worker.put(
        module(MODULES),
        Module("lib/words.txt", b"some words", "text/plain"),
        Module("./bytes.bin", b"\0\1\2\xff", "application/octet-stream"),
        Module("add.wasm", WASM, "application/wasm"),
        Module("settings.json", b'{"deep": [1]}', "application/json"),
        Module("old.cjs", b"module.exports = { answer: 42 };", "application/javascript"),
        Module("lib/deeper.js", b'import { same } from "../same.js"; export const deeper = same;'),
        Module("same.js", b'export const same = "same";'),
    )
    assert worker.get("/").json() == {
        "words": "some words",
        "sizes": {"words": 10, "bytes": 4},
        "sum": 5,
        "settings": {"deep": [1]},
        "old": 42,
        "deeper": "same",
    }


# What is refused at upload.


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("export default {\n  fetch() { return 1 +; }\n};", ("SyntaxError", "index.js:2")),
        ("export default {};\nnull.x;", ("TypeError", "index.js:2")),
        ('import x from "./nope.js";\nexport default {};', ("nope.js",)),
        ("export const nothing = 1;\nthrow new Error('at start-up');", ("at start-up", "index.js:2")),
    ],
)
def test_code_that_does_not_start_is_refused_with_file_and_line(
    edge: EdgeProcess, code: str, told: tuple[str, ...]
) -> None:
    """R121: 10021, workerd's own words; nothing is stored."""
    worker = Probed(edge, "refused", bindings=(VERSION,))
    for send in (worker.put, worker.upload):
        with pytest.raises(Refused) as refused:
            send(module(code))
        assert refused.value.code == 10_021 or (send == worker.upload and refused.value.code == 10_007)
        if refused.value.code == 10_021:
            for words in told:
                assert words in refused.value.message
            assert "__gateway" not in refused.value.message
    assert worker.get("/").status == 404


def test_a_bad_upload_leaves_the_deployed_version_alone(edge: EdgeProcess) -> None:
    """Issue B 1: an upload is checked away from everything that runs."""
    worker = Probed(edge, "stays-up")
    version = worker.deploy_first()
    before = worker.rpc("x", "count")
    with pytest.raises(Refused):
        worker.deploy(module("export default {"))
    after = worker.rpc("x", "count")
    assert (after["version"], after["memoryCount"]) == (version, before["memoryCount"] + 1)
    assert worker.active() == {version: 100}


def test_a_compatibility_date_too_new_runs_with_the_newest_and_warns(edge: EdgeProcess) -> None:
    """Issue B 1: "compatibility date clamped with a warning"."""
    worker = Probed(edge, "future", bindings=(VERSION,))
    version = worker.deploy(compatibility_date="2999-01-01")
    assert worker.get("/version").json()["result"] == version
    warned = [line for line in edge.log("version.warning") if "2999-01-01" in str(line)]
    assert warned


def test_a_flag_that_became_the_default_is_no_error(edge: EdgeProcess) -> None:
    """Runtime.md 3: workerd refuses such a flag, which still stands in many configurations."""
    worker = Probed(edge, "old-flag", bindings=(VERSION,))
    version = worker.deploy(compatibility_flags=["nodejs_compat", "streams_enable_constructors"])
    assert worker.get("/version").json()["result"] == version


def test_a_gateway_without_workerd_says_how_to_get_one(start_edge: StartEdge, tmp_path: Path) -> None:
    """Issue B 1: "missing: a clear error that says this command"."""
    edge = start_edge({"gateway": {"workerd": str(tmp_path / "nowhere")}, "workers": []})
    with pytest.raises(Refused) as refused:
        Probed(edge, "none", bindings=(VERSION,)).deploy()
    assert "gateway setup workerd" in str(refused.value.errors)
    assert str(tmp_path / "nowhere") in refused.value.message


# What goes wrong while it runs.


def test_an_exception_gives_error_1101_and_the_log_has_its_stack(edge: EdgeProcess) -> None:
    """R119: status 500 with a Ray ID, by which the log's line is found."""
    worker = Probed(edge, "throws", bindings=(VERSION,))
    version = worker.deploy()
    answer = worker.get("/throw")
    assert answer.status == 500
    ray = str(answer.header("cf-ray")).partition("-")[0]
    assert "1101" in answer.text
    assert ray in answer.text
    line = edge.wait_for_log("worker.exception", lambda line: line["worker"] == "throws")
    assert line["message"] == "thrown by the handler"
    assert line["version_id"] == version
    assert line["ray"].partition("-")[0] == ray
    assert "prober.js:" in line["stack"]
    assert "__gateway" not in line["stack"]


def test_an_exception_in_an_objects_method_is_in_the_log_with_its_stack(edge: EdgeProcess) -> None:
    """Issue B 5: "exceptions — also those thrown inside an object's RPC method"."""
    worker = Probed(edge, "object-throws")
    worker.deploy_first()
    worker.attempt("exception", "x")
    line = edge.wait_for_log("worker.exception", lambda line: line["worker"] == "object-throws")
    assert (line["name"], line["message"]) == ("RangeError", "told so")
    assert "prober.js:" in line["stack"]


def test_a_version_in_an_endless_loop_is_killed_and_started_again_and_no_other_notices(edge: EdgeProcess) -> None:
    """Issue B 8, R120: "a hung version is cut by a time-out, killed and restarted without touching the others"."""
    worker = Probed(edge, "hangs")
    a, b = worker.deploy_first(), worker.upload()
    worker.split((a, 100), (b, 0))
    hung, other = worker.pid(b), worker.pid(a)
    counts = []

    def has_ended() -> bool:
        counts.append(worker.rpc("x", "count", through=a)["memoryCount"])
        return not is_alive(hung)

    with ThreadPoolExecutor(1) as pool:
        spinning = pool.submit(worker.get, "/spin", through=b)
        wait_for(has_ended, "the end of the hung process")
        assert spinning.result().status >= 500
    wait_for(lambda: worker.get("/version", through=b).status == 200, "version B again")
    assert worker.pid(a) == other
    assert counts == list(range(1, len(counts) + 1))


def test_a_deployment_that_takes_a_version_away_lets_its_requests_finish(edge: EdgeProcess) -> None:
    """R58: "in-flight HTTP requests may finish for up to 30 seconds"; then the process ends."""
    worker = Probed(edge, "retires", bindings=(VERSION,))
    a, b = worker.deploy(), worker.upload()
    process = worker.pid(a)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(worker.get, "/slow?ms=1500")
        wait_for(slow.running, "the request")
        worker.get("/version")
        worker.split((b, 100))
        answer = slow.result()
    assert (answer.status, answer.text) == (200, a)
    wait_for(lambda: not is_alive(process), "the end of the old version")


def test_many_objects_are_open_at_once_though_the_shell_allows_few_files(tmp_path: Path) -> None:
    """Issue B 1: "Raise the file limit (three descriptors per resident object)"."""
    edge = EdgeProcess(tmp_path, edge_config())
    limited = ["sh", "-c", 'ulimit -Sn 128; exec "$@"', "sh", *edge.command()]
    edge.command = lambda: limited  # type: ignore[method-assign]
    with_edge = edge.start()
    try:
        worker = Probed(with_edge, "many", bindings=OBJECTS)
        version = worker.deploy_first()
        told = worker.attempt("useMany", "many", count="100")
        assert told == 100
        assert len(worker.resident(version)) == 100
    finally:
        edge.close()


def test_nothing_of_a_killed_gateway_is_left(start_edge: StartEdge) -> None:
    """Issue B 1: "no orphan after kill -9 of the gateway", nor a socket or a configuration with secrets."""
    edge = start_edge(edge_config())
    worker = Probed(edge, "orphan", bindings=(VERSION, {"name": "SECRET", "type": "secret_text", "text": "hush"}))
    a, b = worker.deploy(), worker.upload()
    worker.split((a, 50), (b, 50))
    versions = [worker.pid(a), worker.pid(b)]
    folder = process_folder(versions[0])
    assert folder.exists()

    edge.kill()

    wait_for(lambda: not any(map(is_alive, versions)), "the end of the processes")
    edge.start()
    edge.stop()
    assert not folder.exists()


def process_folder(pid: int) -> Path:
    """Return the folder of sockets and configurations of a version's gateway."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return Path(words[-2].decode()).parents[1]


def test_the_gateway_lets_others_see_neither_sockets_nor_secrets(edge: EdgeProcess) -> None:
    """Runtime.md 3: "the debug port gives full access to the process": only the owner may enter its folder."""
    worker = Probed(edge, "private", bindings=(VERSION,))
    folder = process_folder(worker.pid(worker.deploy()))
    assert folder.stat().st_mode & 0o077 == 0
    listed = subprocess.run(
        ["find", folder, "-name", "config.capnp", "-perm", "/077"], capture_output=True, check=True
    )
    assert listed.stdout == b""
