"""What scrapers read: OpenMetrics by a strict parser, the older text by promtool."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.exposition import generate_latest as text_format
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from gateway.observability.exposition import Gauges, collect
from gateway.observability.metrics import Recorder
from gateway.observability.process_meter import ProcessFigures
from tests.model.examples import A, B, X, version

LABELS = {"worker": "shop", "version": A, "tag": "v1"}
GAUGES = Gauges(
    {A: 2}, {A: 1}, {A: 90.0, B: 10.0}, {A: ProcessFigures(1.25, 45_000_000)}, {A: "running", B: "crashed"}
)


class Registry:
    """What prometheus-client's writer wants to be handed."""

    def __init__(self, recorder: Recorder, tag: str = "v1") -> None:
        self._recorder = recorder
        self._versions = [version(A, 1, tag=tag), version(B, 2)]

    def collect(self) -> list[Metric]:
        """Return the metrics."""
        return list(collect(self._recorder, self._versions, GAUGES))


def counted() -> Recorder:
    """Return counters of a mix of requests."""
    recorder = Recorder()
    for status, outcome in ((200, "ok"), (200, "ok"), (503, "ok"), (502, "upstream_failed"), (0, "client_gone")):
        recorder.metrics_of(A).add("percentage", status, outcome, 1_500, 10, 20)
    recorder.own.add("", 404, "refused", 10, 0, 5)
    return recorder


def exposed(recorder: Recorder, tag: str = "v1") -> dict[str, Metric]:
    """Write the metrics as OpenMetrics, and return what a strict parser reads of that."""
    text = generate_latest(Registry(recorder, tag))  # type: ignore[no-untyped-call]
    families = text_string_to_metric_families(text.decode())  # type: ignore[no-untyped-call]
    return {family.name: family for family in families}


def value_of(family: Metric, name: str, **labels: str) -> float:
    """Return the value of the only sample of a name with these labels."""
    (found,) = [one.value for one in family.samples if one.name == name and labels.items() <= one.labels.items()]
    return float(found)


def test_counters() -> None:
    """Design 8: by version, reason, status and outcome; errors by cause; clients that left; bytes."""
    found = exposed(counted())

    requests = found["gateway_requests"]
    assert value_of(requests, "gateway_requests_total", status="200", outcome="ok", **LABELS) == 2
    assert value_of(requests, "gateway_requests_total", outcome="upstream_failed", **LABELS) == 1
    errors = {one.labels["cause"]: one.value for one in found["gateway_errors"].samples}
    assert errors == {"worker_5xx": 1, "exception": 0, "unreachable": 1, "timed_out": 0, "cut": 0}
    assert value_of(found["gateway_client_disconnects"], "gateway_client_disconnects_total", **LABELS) == 1
    assert value_of(found["gateway_request_bytes"], "gateway_request_bytes_total", **LABELS) == 50
    assert value_of(found["gateway_response_bytes"], "gateway_response_bytes_total", **LABELS) == 100
    assert value_of(found["gateway_own_answers"], "gateway_own_answers_total", status="404") == 1


GAUGED = {
    "gateway_in_flight_requests": 2,
    "gateway_websockets": 1,
    "gateway_asked_share_ratio": 0.9,
    "gateway_version_memory_bytes": 45_000_000,
    "gateway_version_up": 1,
}


@pytest.mark.parametrize(("name", "value"), GAUGED.items())
def test_gauges(name: str, value: float) -> None:
    """Issue C, metrics: in flight, WebSockets, asked share, and the version's process."""
    assert value_of(exposed(Recorder())[name], name, **LABELS) == value


def test_cpu_time_is_a_counter() -> None:
    """Issue C, metrics: CPU time of the version's process."""
    family = exposed(Recorder())["gateway_version_cpu_seconds"]

    assert (family.type, value_of(family, "gateway_version_cpu_seconds_total", **LABELS)) == ("counter", 1.25)


def test_durations_are_a_cumulative_histogram() -> None:
    """OpenMetrics, "Histogram": cumulative buckets, a sum, a count."""
    family = exposed(counted())["gateway_request_duration_seconds"]
    counts = [(one.labels["le"], one.value) for one in family.samples if one.name.endswith("_bucket")]

    assert next(le for le, count in counts if count) == "0.0025"
    assert [count for _, count in counts] == sorted(count for _, count in counts)
    assert counts[-1] == ("+Inf", 5.0)
    assert value_of(family, "gateway_request_duration_seconds_sum") == pytest.approx(0.0075)


def test_a_version_that_is_gone_is_shown_still() -> None:
    """Design 8: what was counted stays, with the labels that are known."""
    recorder = Recorder()
    recorder.metrics_of(X).add("affinity", 200, "ok", 1, 0, 0)
    requests = exposed(recorder)["gateway_requests"]

    assert value_of(requests, "gateway_requests_total", version=X, worker="", tag="") == 1


def test_labels_of_any_text_are_escaped() -> None:
    """OpenMetrics, "ABNF": quotes, backslashes and line ends in a tag must not break the text."""
    requests = exposed(counted(), tag='a"b\\c\nd')["gateway_requests"]

    assert requests.samples[0].labels["tag"] == 'a"b\\c\nd'


def promtool() -> str:
    """Return the checker's path: that of the machine, or the one that ``make promtool`` put beside our Python."""
    places = os.pathsep.join((os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)))
    found = shutil.which("promtool", path=places)
    assert found, "promtool is not there: run `make promtool`, or install the package prometheus"
    return found


def test_promtool_finds_nothing_to_say() -> None:
    """Issue C, metrics: ``/metrics`` is promtool-clean (``make test`` gets it)."""
    text = text_format(Registry(counted()))
    checked = subprocess.run([promtool(), "check", "metrics"], input=text, capture_output=True, check=False)

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
