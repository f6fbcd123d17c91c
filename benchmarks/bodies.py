"""Large bodies through every proxy: throughput, and whether its memory stays flat."""

import contextlib
import http.client
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.body_upstream import STALL_SECONDS
from benchmarks.figures import DIRECT, BodyResult, BodyRound, BodyRow, NotMeasured
from benchmarks.jobs import Job
from benchmarks.peers import start_proxy
from benchmarks.processes import LOOPBACK, Bench, Child, Children
from benchmarks.upstreams import start_body_upstreams, write_big_file

_BUFFER_BYTES = 256 * 1024
_TRANSFERS_PER_ROUND = 3
_MB = 1_000_000
_HTTP_OK = 200


class TransferFailed(Exception):
    """A body did not arrive whole."""


@dataclass(frozen=True, slots=True)
class _Direction:
    """One direction; a transfer takes the query (empty, ``crc`` or ``stall``) and may raise ``TransferFailed``."""

    name: str
    title: str
    transfer: Callable[[http.client.HTTPConnection, bytes, str], None]


def _check_status(response: http.client.HTTPResponse) -> None:
    if response.status != _HTTP_OK:
        raise TransferFailed(f"status {response.status} instead of 200: {response.read(200)!r}")


def _download(connection: http.client.HTTPConnection, content: bytes, query: str) -> None:
    connection.request("GET", f"/big?{query}")
    response = connection.getresponse()
    _check_status(response)
    if query == "stall":
        # A reader that pauses: whatever the proxy takes from the upstream meanwhile, it has to keep.
        time.sleep(STALL_SECONDS)
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    received, crc = 0, 0
    while count := response.readinto(buffer):
        received += count
        if query == "crc":
            crc = zlib.crc32(buffer[:count], crc)
    if received != len(content) or (query == "crc" and crc != zlib.crc32(content)):
        raise TransferFailed(f"{received} bytes came, {len(content)} were sent, or the content differs")


def _upload(connection: http.client.HTTPConnection, content: bytes, query: str) -> None:
    connection.request("POST", f"/upload?{query}", body=content)
    response = connection.getresponse()
    _check_status(response)
    answer = response.read().decode("latin-1")
    expected = f"{len(content)} {zlib.crc32(content)}" if query == "crc" else str(len(content))
    if answer != expected:
        raise TransferFailed(f"the upstream got {answer!r}, sent was {expected!r} (bytes, CRC-32)")


DIRECTIONS = {
    "body-down": _Direction("body-down", "body down", _download),
    "body-up": _Direction("body-up", "body up", _upload),
}


def _connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(LOOPBACK, port, timeout=60)


def _transfers(direction: _Direction, port: int, content: bytes, query: str, times: int) -> float:
    """Return the seconds that the transfers took, over one kept-alive connection.

    Raises:
        TransferFailed: A body did not arrive whole.
    """
    connection = _connect(port)
    with contextlib.closing(connection):
        try:
            began = time.perf_counter()
            for _ in range(times):
                direction.transfer(connection, content, query)
            return time.perf_counter() - began
        except (OSError, http.client.HTTPException) as error:
            raise TransferFailed(f"{error!r}") from error


class _Subject:
    """One proxy, or the upstream itself, and what it did so far."""

    def __init__(self, child: Child | None, port: int) -> None:
        self.child = child
        self.port = port
        self.rounds: list[BodyRound] = []
        self.errors: list[str] = []
        self._memory_before = 0

    def prepare(self, direction: _Direction, content: bytes) -> None:
        """Note its memory, then check one transfer byte by byte and stall in another.

        Raises:
            TransferFailed: It cannot be measured.
        """
        if self.child is not None:
            try:
                with contextlib.closing(_connect(self.port)) as connection:
                    connection.request("GET", "/small")
                    connection.getresponse().read()
            except (OSError, http.client.HTTPException) as error:
                raise TransferFailed(f"{error!r}") from error
            self._memory_before = self.child.memory_bytes()
            self.child.forget_peak_memory()
        _transfers(direction, self.port, content, "crc", 1)
        _transfers(direction, self.port, content, "stall", 1)

    def run_round(self, direction: _Direction, content: bytes) -> str:
        """Measure one round and return how it went, for the one who waits."""
        cpu_before = self.child.cpu_seconds() if self.child is not None else 0.0
        try:
            seconds = _transfers(direction, self.port, content, "", _TRANSFERS_PER_ROUND)
        except TransferFailed as error:
            self.errors.append(str(error))
            return str(error)
        cpu = (self.child.cpu_seconds() - cpu_before) * 1000 if self.child is not None else None
        megabytes = len(content) * _TRANSFERS_PER_ROUND / _MB
        self.rounds.append(BodyRound(megabytes / seconds, None if cpu is None else cpu * 100 / megabytes))
        return f"{megabytes / seconds:,.0f} MB/s"

    def row(self) -> BodyRow:
        """Return what it did."""
        growth = None if self.child is None else max(0, self.child.peak_memory_bytes() - self._memory_before)
        return BodyRow(tuple(self.rounds), growth, tuple(self.errors))


def measure_bodies(name: str, proxies: tuple[str, ...], bench: Bench, rounds: int, body_bytes: int) -> BodyResult:
    """Send bodies one way through every proxy, in alternating rounds.

    Raises:
        DidNotStart: The upstream does not start.
    """
    direction = DIRECTIONS[name]
    content = write_big_file(bench.folder, body_bytes)
    rows: dict[str, BodyRow | NotMeasured] = {}
    subjects: dict[str, _Subject] = {}
    with Children(bench) as children:
        upstreams = start_body_upstreams(children)
        for proxy_name in proxies:
            subject = _Subject(None, upstreams.v1_port)
            if proxy_name != DIRECT:
                proxy = start_proxy(proxy_name, children, upstreams, Job.SPLIT)
                if isinstance(proxy, NotMeasured):
                    rows[proxy_name] = proxy
                    bench.say(f"{name}: {proxy_name} {proxy.why}")
                    continue
                subject = _Subject(proxy.child, proxy.port)
            try:
                subject.prepare(direction, content)
            except TransferFailed as error:
                tail = subject.child.tail() if subject.child is not None else ()
                rows[proxy_name] = NotMeasured(str(error), missing=False, detail=tail)
                bench.say(f"{name}: {proxy_name} {error}")
                continue
            subjects[proxy_name] = subject
        for number in range(1, rounds + 1):
            for proxy_name, subject in subjects.items():
                bench.say(f"{name} {number}/{rounds}: {proxy_name} {subject.run_round(direction, content)}")
        measured = {proxy_name: subject.row() for proxy_name, subject in subjects.items()}
    megabytes = body_bytes / _MB
    return BodyResult(
        name,
        f"{megabytes:g} MB {direction.title}",
        f"{_TRANSFERS_PER_ROUND} transfers of {megabytes:g} MB a round over one connection. Before the rounds"
        f" one transfer is checked byte by byte, and in one the reader pauses for {STALL_SECONDS:g} s: the memory"
        " figure covers it, as only that shows a proxy that takes more than it can pass on."
        f" Upstream: {upstreams.server}.",
        {proxy_name: rows.get(proxy_name) or measured[proxy_name] for proxy_name in proxies},
    )
