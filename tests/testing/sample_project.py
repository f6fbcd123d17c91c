"""The project that tests the sample Workers under a version matrix: its text, and the names of the cases."""

from __future__ import annotations

from typing import Final

SAMPLES: Final = """
import re

import pytest
from gateway.testing import *
from sample_workers.counter.app import build_app as build_counter
from sample_workers.runtime import Settings, VersionMetadata
from sample_workers.shop.app import build_app as build_shop
from sample_workers.shop.products import PRICE_FIELD

VERSIONS = ["v1", "v2"]


@pytest.fixture
def shop(edge):
    def made(tag):
        return lambda: build_shop(Settings("shop", tag, 0, VersionMetadata()))

    edge.worker("shop", **{tag: made(tag) for tag in VERSIONS})
    return edge


@pytest.fixture
def counter(edge, tmp_path):
    def made(tag):
        settings = Settings("counter", tag, 0, VersionMetadata(), gateway_url=edge.url)
        return lambda: build_counter(settings, tmp_path / "counter.sqlite")

    classes = {"Counter": "path:/counter/{name}"}
    edge.worker("counter", classes=classes, **{tag: made(tag) for tag in VERSIONS})
    return edge


def buy(visitor, in_between):
    page = visitor.load("/cart")
    in_between()
    for path in ("/cart", "/checkout", "/pay"):
        state = re.search(r'name="state" value="([^"]*)"', page.answer.text)[1].replace("&quot;", '"')
        page = page.follow(path, method="POST", data={"state": state, "Mug": "1", "deliver_to": "Ada"})
        assert page.answer.status == 200
    assert page.answer.url.partition("?")[0].endswith("/receipt")


shop_matrix = pytest.mark.version_matrix("shop", VERSIONS)
counter_matrix = pytest.mark.version_matrix("counter", VERSIONS)
"""
"""Fixtures for the sample Workers, as a user would write them."""

BROKEN: Final = """
@shop_matrix
def test_asset(shop, matrix):
    visitor = shop.client()
    pages = [visitor.load("/") for _ in range(10)]
    scripts = [path for page in pages for path in page.files if path.endswith(".js")]
    matrix.switch()
    answers = [page.get(path) for page, path in zip(pages, scripts, strict=True)]
    assert {answer.status for answer in answers} == {200}


@shop_matrix
def test_asset_in_one_go(shop, matrix):
    visitor = shop.client()
    for _ in range(10):
        visitor.load("/")
    matrix.switch()
    for _ in range(10):
        visitor.load("/")
    assert_no_skew(shop, kinds="asset_skew")


@shop_matrix
def test_api_field(shop, matrix):
    pages = [shop.client().load("/") for _ in range(10)]
    matrix.switch()
    for page in pages:
        field = PRICE_FIELD[page.tag]  # what the page's script reads
        assert all(field in product for product in page.get("/api/products").json()["products"])


@shop_matrix
def test_checkout(shop, matrix):
    buy(shop.client(), matrix.switch)


@counter_matrix
def test_object_protocol(counter, matrix):
    visitor = counter.client()
    names = [f"user-{number}" for number in range(20)]
    counts = [visitor.post(f"/worker/{name}", params={"times": "3"}).status for name in names]
    matrix.switch()
    counts += [visitor.post(f"/worker/{name}", params={"times": "3"}).status for name in names]
    assert set(counts) == {200}


@counter_matrix
def test_object_protocol_with_keys(counter, matrix):
    for number in range(20):
        visitor = counter.client(key=f"key-{number}")
        assert visitor.post(f"/worker/user-{number}", params={"times": "3"}).status == 200
    matrix.switch()
"""
"""What the samples break on purpose, each a test of the kind that would find it."""

WHOLE: Final = """
@shop_matrix
@pytest.mark.parametrize(
    "path", ["/", "/cart", "/version", "/metadata", "/login?user=ada", "/events?n=1", "/healthz", "/style.css"]
)
def test_paths(shop, matrix, path):
    visitor = shop.client()
    for _ in range(5):
        assert visitor.get(path).status == 200
    matrix.switch()
    for _ in range(5):
        answer = visitor.get(path)
        assert (answer.status, answer.tag in matrix.tags("shop")) == (200, True)


@shop_matrix
def test_with_a_key_pages_are_whole_on_either_side_of_a_change(shop, matrix):
    def browse():
        for number in range(10):
            visitor = shop.client(key=f"user-{number}")
            page = visitor.load("/")
            field = PRICE_FIELD[page.tag]
            assert all(field in product for product in page.get("/api/products").json()["products"])
            assert not page.missing
            buy(visitor, lambda: None)

    browse()
    matrix.switch()
    browse()
    assert_no_skew(shop, kinds=["asset_skew", "stale_tab"])


@counter_matrix
def test_calls_that_both_versions_understand(counter, matrix):
    visitor = counter.client()
    for _ in range(2):
        for number in range(10):
            assert visitor.post(f"/worker/user-{number}").status == 200
            assert visitor.get(f"/worker/user-{number}").json()["object"]["object"] == f"user-{number}"
            assert visitor.post(f"/counter/user-{number}/increment").status == 200
        matrix.switch()
    assert visitor.get("/worker/user-1").json()["object"]["stored_count"] == 4
    assert_each_object_reset_at_most(counter, 1)
    assert_no_skew(counter, kinds=["object_skew"])
"""
"""What the samples do not break: the same tests with a key, and all else that they serve."""

FAILING: Final = {
    "test_asset": {"shop=v1->v2", "shop=v2->v1", "shop=v1:50,v2:50"},
    "test_asset_in_one_go": {"shop=v1:50,v2:50"},
    "test_api_field": {"shop=v1->v2", "shop=v2->v1", "shop=v1:50,v2:50"},
    "test_checkout": {"shop=v1->v2", "shop=v2->v1", "shop=v1:50,v2:50"},
    "test_object_protocol": {"counter=v1:50,v2:50"},
    "test_object_protocol_with_keys": {"counter=v1:50,v2:50"},
}
"""Test -> the cases in which it fails, and no others."""
