"""``/metrics`` says what was sent, to whoever reads OpenMetrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from urllib.request import urlopen

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.integration.conftest import StartEdge
from tests.integration.edge_process import EdgeProcess, one_worker, spec, version
from tests.integration.http_client import KEY, OVERRIDES, Caller, call

Sample = tuple[tuple[str, str], ...]


def samples(edge: EdgeProcess) -> Mapping[str, Mapping[Sample, float]]:
    """Return all samples by name and labels, as a scraper reads them."""
    with urlopen(f"{edge.control}/metrics") as answer:  # noqa: S310 - our own gateway
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        text = answer.read().decode("utf-8")
    found: dict[str, dict[Sample, float]] = {}
    for family in text_string_to_metric_families(text):  # type: ignore[no-untyped-call]
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def summed(found: Mapping[Sample, float], *names: str) -> dict[tuple[str, ...], float]:
    """Return the samples' sums by some of their labels."""
    sums: Counter[tuple[str, ...]] = Counter()
    for labels, value in found.items():
        sums[tuple(dict(labels)[name] for name in names)] += value  # type: ignore[assignment]
    return dict(sums)


def test_counts_agree_with_the_requests_sent(start_edge: StartEdge) -> None:
    """Design 3.7 and 8: requests by version, reason, status and outcome; bytes; durations; own answers."""
    versions = [version("v1", "facts_version"), version("v2", "unsteady_version", "dies")]
    edge = start_edge(one_worker(versions, {"v1": 60, "v2": 40}, routes=[]), seed=3)
    edge.wait_for_state("v2", "crashed")
    ids = {found["tag"]: found["id"] for found in edge.api.versions("shop")}
    expected: Counter[tuple[str, ...]] = Counter()
    request_bytes = response_bytes = 0
    with Caller(edge) as caller:
        for number in range(200):
            headers: dict[str, str] = {}
            reason = "percentage"
            if number % 4 == 1:
                headers, reason = {KEY: str(number)}, "affinity"
            elif number % 4 == 2:
                headers, reason = {OVERRIDES: f'shop="{ids["v1" if number % 8 == 2 else "v2"]}"'}, "override"
            body = b"x" * number if number % 3 == 0 else None
            answer = caller.call("/facts", headers, method="POST" if body is not None else "GET", body=body)
            tag = "v1" if answer.status == 200 else "v2"
            expected[tag, reason, str(answer.status), "ok" if tag == "v1" else "upstream_failed"] += 1
            if tag == "v1":
                request_bytes += len(body or b"")
                response_bytes += len(answer.body)
    own = Counter({"404": 7, "200": 0})
    for _ in range(own["404"]):
        assert call(edge, host="nowhere.test").status == 404

    found = samples(edge)

    assert summed(found["gateway_requests_total"], "tag", "reason", "status", "outcome") == dict(expected)
    assert {key[1] for key in expected} == {"percentage", "affinity", "override"}
    assert {key[2] for key in expected} == {"200", "502"}
    assert summed(found["gateway_requests_total"], "worker", "version", "tag").keys() == {
        ("shop", ids[tag], tag) for tag in ("v1", "v2")
    }
    assert summed(found["gateway_request_bytes_total"], "tag")["v1",] == request_bytes
    assert summed(found["gateway_response_bytes_total"], "tag")["v1",] == response_bytes
    assert summed(found["gateway_own_answers_total"], "status")["404",] == own["404"]
    counted = summed(found["gateway_request_duration_seconds_count"], "tag")
    assert counted == summed(found["gateway_requests_total"], "tag")
    buckets = found["gateway_request_duration_seconds_bucket"]
    for tag in ("v1", "v2"):
        bounds = [(dict(labels)["le"], value) for labels, value in buckets.items() if dict(labels)["tag"] == tag]
        values = [value for _, value in sorted(bounds, key=lambda bound: float(bound[0]))]
        assert values == sorted(values)
        assert values[-1] == counted[tag,]


def test_counts_of_a_version_go_on_over_a_deployment_and_tags_need_no_care(start_edge: StartEdge) -> None:
    """Design 3.7: counters belong to the version, not to a deployment; labels are escaped whatever they hold."""
    odd = 'a "b" \\ c'
    edge = start_edge(one_worker([version("v1", "facts_version"), version(odd, "facts_version")], {"v1": 100}))
    call(edge)
    edge.api.deploy("shop", spec(v1=100, **{odd: 0}))
    call(edge)
    call(edge, headers={OVERRIDES: f'shop="{edge.version_state(odd)["id"]}"'})

    found = samples(edge)

    assert summed(found["gateway_requests_total"], "tag") == {("v1",): 2, (odd,): 1}
