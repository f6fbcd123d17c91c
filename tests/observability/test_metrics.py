"""Counters by version, and the events that subscribers get."""

from __future__ import annotations

from itertools import pairwise

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from gateway.model.version import VersionId
from gateway.observability.events import EVENTS_VERSION, RequestEvent
from gateway.observability.metrics import BUCKETS_US, Recorder, Subscription, VersionMetrics, collect
from tests.model.examples import A, B, X, version

EVENT = RequestEvent(
    1.0, "ray", "shop", A, "affinity", "GET", "shop.localhost", "/", 200, "ok", 120, 0, 5, 12.3, "Cart/foo"
)


class Registry:
    """What prometheus-client's writer wants to be handed."""

    def __init__(self, metrics: list[Metric]) -> None:
        self.metrics = metrics

    def collect(self) -> list[Metric]:
        """Return the metrics."""
        return self.metrics


def parsed(text: bytes) -> list[Metric]:
    """Return what a strict parser reads."""
    return list(text_string_to_metric_families(text.decode()))  # type: ignore[no-untyped-call]


def exposed(recorder: Recorder) -> dict[str, Metric]:
    """Write the metrics as OpenMetrics, and return what a strict parser reads of that."""
    registry = Registry(list(collect(recorder, [version(A, 1, tag="v1"), version(B, 2)])))
    text = generate_latest(registry)  # type: ignore[no-untyped-call]
    return {family.name: family for family in parsed(text)}


def value_of(family: Metric, name: str, **labels: str) -> float:
    """Return the value of the only sample of a name with these labels."""
    (found,) = [one.value for one in family.samples if one.name == name and labels.items() <= one.labels.items()]
    return float(found)


def test_requests_are_counted_by_version_reason_status_and_outcome() -> None:
    """Design 3.7, 8: counters by version; as OpenMetrics, which a strict parser reads."""
    recorder = Recorder()
    for reason, status, outcome in (
        ("affinity", 200, "ok"),
        ("affinity", 200, "ok"),
        ("percentage", 502, "upstream_failed"),
    ):
        recorder.metrics_of(A).add(reason, status, outcome, 1_500, 10, 20)
    found = exposed(recorder)
    labels = {"worker": "shop", "version": A, "tag": "v1"}

    requests = found["gateway_requests"]
    assert value_of(requests, "gateway_requests_total", reason="affinity", status="200", **labels) == 2
    assert (
        value_of(requests, "gateway_requests_total", reason="percentage", outcome="upstream_failed", **labels) == 1
    )
    assert value_of(found["gateway_request_bytes"], "gateway_request_bytes_total", **labels) == 30
    assert value_of(found["gateway_response_bytes"], "gateway_response_bytes_total", **labels) == 60
    assert recorder.metrics_of(A).requests == 3


BUCKETS = {
    "0 us": (0, "0.0001"),
    "a bucket's own bound": (100, "0.0001"),
    "just above it": (101, "0.00025"),
    "1 ms": (1_000, "0.001"),
    "2 s": (2_000_000, "2.5"),
    "50 s": (50_000_000, "50.0"),
    "beyond all": (50_000_001, "+Inf"),
}


@pytest.mark.parametrize(("duration_us", "bound"), BUCKETS.values(), ids=BUCKETS)
def test_a_duration_falls_into_the_first_bucket_that_holds_it(duration_us: int, bound: str) -> None:
    """OpenMetrics, "Histogram": buckets are cumulative, their bounds inclusive, the last one is +Inf."""
    recorder = Recorder()
    recorder.metrics_of(A).add("affinity", 200, "ok", duration_us, 0, 0)
    family = exposed(recorder)["gateway_request_duration_seconds"]
    counts = [(one.labels["le"], one.value) for one in family.samples if one.name.endswith("_bucket")]

    assert next(le for le, count in counts if count) == bound
    assert [count for _, count in counts] == sorted(count for _, count in counts)
    assert counts[-1] == ("+Inf", 1.0)
    assert value_of(family, "gateway_request_duration_seconds_sum") == pytest.approx(duration_us / 1e6)


def test_bounds_rise() -> None:
    """OpenMetrics, "Histogram": bounds in rising order, in seconds."""
    assert all(low < high for low, high in pairwise(BUCKETS_US))
    assert (BUCKETS_US[0], BUCKETS_US[-1]) == (100, 50_000_000)


def test_a_version_that_is_gone_is_shown_still() -> None:
    """Design 8: what was counted stays, with the labels that are known."""
    recorder = Recorder()
    recorder.metrics_of(X).add("affinity", 200, "ok", 1, 0, 0)

    assert (
        value_of(exposed(recorder)["gateway_requests"], "gateway_requests_total", version=X, worker="", tag="")
        == 1
    )


def test_labels_of_any_text_are_escaped() -> None:
    """OpenMetrics, "ABNF": quotes, backslashes and line ends in a tag must not break the text."""
    recorder = Recorder()
    recorder.metrics_of(A).add("affinity", 200, "ok", 1, 0, 0)
    registry = Registry(list(collect(recorder, [version(A, 1, tag='a"b\\c\nd')])))

    text = generate_latest(registry)  # type: ignore[no-untyped-call]
    (family,) = [one for one in parsed(text) if one.name == "gateway_requests"]

    assert family.samples[0].labels["tag"] == 'a"b\\c\nd'


def test_the_gateways_own_answers_are_counted_by_status() -> None:
    """Design 3.6: answers without any version are no version's requests."""
    recorder = Recorder()
    recorder.own_answers[404] += 2

    assert value_of(exposed(recorder)["gateway_own_answers"], "gateway_own_answers_total", status="404") == 2


def test_counters_of_a_version_are_made_once() -> None:
    """Design 3.7: whoever holds a version's counters holds the ones that are shown."""
    recorder = Recorder()

    assert recorder.metrics_of(A) is recorder.metrics_of(A)
    assert recorder.metrics_of(A) is not recorder.metrics_of(B)
    assert isinstance(recorder.metrics_of(VersionId(C_ID)), VersionMetrics)


C_ID = "cccccccc-3333-4333-8333-333333333333"


def test_a_slow_subscriber_loses_the_oldest_and_is_told_how_many() -> None:
    """Design 3.7: a bounded queue; a slow one loses events, is told how many, and never slows a request."""
    woken: list[int] = []
    subscription = Subscription(lambda: woken.append(1), size=3)
    for number in range(5):
        subscription.put(EVENT._replace(status=number))

    assert (subscription.missed, len(woken)) == (2, 5)
    assert [event.status for event in subscription.take_all()] == [2, 3, 4]
    assert subscription.take_all() == []
    subscription.put(EVENT)
    assert subscription.missed == 2


def test_every_subscriber_gets_every_event() -> None:
    """Design 3.7: tail, dashboard and the like each read a queue of their own."""
    recorder = Recorder()
    recorder.publish(EVENT)
    both = [Subscription(lambda: None), Subscription(lambda: None)]
    recorder.subscriptions.update(both)
    recorder.publish(EVENT)
    recorder.subscriptions.discard(both[0])
    recorder.publish(EVENT)

    assert [len(one.take_all()) for one in both] == [1, 2]


def test_the_fields_of_an_event_are_a_contract() -> None:
    """``observability/events.py``: a field is never renamed nor given another meaning; new ones come behind."""
    assert EVENTS_VERSION == 1
    assert RequestEvent._fields[:15] == (
        "at", "ray", "worker", "version_id", "reason", "method", "host", "target", "status", "outcome",
        "duration_us", "request_bytes", "response_bytes", "point", "object",
    )  # fmt: skip
