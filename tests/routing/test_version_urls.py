"""Hosts that name a Worker or a version."""

from __future__ import annotations

import pytest

from gateway.model.version import WorkerName
from gateway.routing.version_urls import parse_version_host, version_host, worker_host
from tests.model.examples import SHOP, A

VERSION_HOSTS = {
    "plain": ("aaaaaaaa-shop.localhost", ("aaaaaaaa", "shop")),
    "digits": ("01234567-shop.localhost", ("01234567", "shop")),
    "worker with dashes": ("aaaaaaaa-my-shop-2.localhost", ("aaaaaaaa", "my-shop-2")),
    "worker like a prefix": ("aaaaaaaa-bbbbbbbb-shop.localhost", ("aaaaaaaa", "bbbbbbbb-shop")),
    "worker of one letter": ("aaaaaaaa-s.localhost", ("aaaaaaaa", "s")),
}


@pytest.mark.parametrize(("host", "parts"), VERSION_HOSTS.values(), ids=VERSION_HOSTS)
def test_a_version_url_is_prefix_dash_worker(host: str, parts: tuple[str, str]) -> None:
    """R89, R20: ``<prefix>-<worker>``, the prefix being the first 8 characters of the version id."""
    assert parse_version_host(host) == parts


OTHER_HOSTS = {
    "worker": "shop.localhost",
    "7 characters": "aaaaaaa-shop.localhost",
    "9 characters": "aaaaaaaaa-shop.localhost",
    "not hex": "gaaaaaaa-shop.localhost",
    "no worker": "aaaaaaaa-.localhost",
    "no dash": "aaaaaaaashop.localhost",
    "other domain": "aaaaaaaa-shop.example.com",
    "domain only as suffix": "aaaaaaaa-shop.notlocalhost",
    "localhost in the middle": "aaaaaaaa-shop.localhost.example.com",
    "newline behind": "aaaaaaaa-shop.localhost\n",
    "empty": "",
    "IPv6": "[::1]",
}


@pytest.mark.parametrize("host", OTHER_HOSTS.values(), ids=OTHER_HOSTS)
def test_other_hosts_are_no_version_url(host: str) -> None:
    """R89: only the whole host counts, parsed and not by prefix or suffix."""
    assert parse_version_host(host) is None


def test_hosts_are_read_as_they_are_written() -> None:
    """Design 3.2: ``<worker>.localhost`` and ``<prefix>-<worker>.localhost``."""
    assert worker_host(SHOP) == "shop.localhost"
    assert parse_version_host(version_host(WorkerName("my-shop"), A)) == ("aaaaaaaa", "my-shop")
