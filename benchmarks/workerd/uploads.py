"""An upload until it is acknowledged, and the first request to the new version, which sleeps until then."""

import time

from benchmarks.figures import UploadResult
from benchmarks.processes import Bench, Children
from benchmarks.workerd.edge import Edge, ask, version_host, worker_code

WORKER = "ok"
UPLOADS = 10


def measure_uploads(bench: Bench, rounds: int) -> UploadResult:
    """Upload versions that differ in a comment, one after the other.

    Raises:
        DidNotStart, Refused: It cannot be measured.
    """
    acknowledged, answered = [], []
    with Children(bench) as children:
        edge = Edge(children, bench.folder / "edge", [])
        edge.start()
        edge.deploy_first(WORKER, "ok.js")
        uploads = UPLOADS if rounds > 1 else 3
        for number in range(uploads):
            code = worker_code("ok.js") + f"// {number}\n".encode()
            began = time.perf_counter()
            version = edge.upload(WORKER, "ok.js", code)
            acknowledged.append((time.perf_counter() - began) * 1e3)
            connection = edge.connection()
            began = time.perf_counter()
            ask(connection, "/", version_host(WORKER, version))
            answered.append((time.perf_counter() - began) * 1e3)
            connection.close()
            told = f"acknowledged after {acknowledged[-1]:.0f} ms, first answer after {answered[-1]:.0f} ms"
            bench.say(f"workerd-uploads {number + 1}/{uploads}: {told}")
    return UploadResult(tuple(acknowledged), tuple(answered))
