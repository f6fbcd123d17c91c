"""Durable Objects: ids that follow from names alone."""

from __future__ import annotations

import pytest

from gateway.model.durable_object import ObjectKey
from gateway.model.version import WorkerName


def key(worker: str = "shop", class_name: str = "Cart", name: str = "foo") -> ObjectKey:
    """Return an object's key."""
    return ObjectKey(WorkerName(worker), class_name, name)


def test_an_id_has_32_bytes_and_follows_from_worker_class_and_name() -> None:
    """R48, design 5: an object is (worker, class, id), the id is the same in every run; pinned for old state."""
    assert key().id.hex() == "1c8b7da67371dcebbfd10f9ec79929f6b2deb8e01c37c23a8e8d5818cbcd41d9"


def test_other_worker_class_or_name_is_another_object() -> None:
    """Design 5: an object is ``(worker, class, id)``; no part may run into the next."""
    keys = [
        key(),
        key(worker="shop2"),
        key(class_name="Carts"),
        key(name="fo"),
        key(class_name="Cart\nf", name="oo"),
    ]

    assert len({found.id for found in keys}) == len(keys)


NAMES = {
    "plain": ("foo", "Cart/foo"),
    "slash": ("a/b", "Cart/a%2Fb"),
    "space": ("a b", "Cart/a%20b"),
    "percent": ("100%", "Cart/100%25"),
    "umlaut": ("\u00fc", "Cart/%C3%BC"),
    "line end": ("a\r\nX: 1", "Cart/a%0D%0AX%3A%201"),
}


@pytest.mark.parametrize(("name", "header"), NAMES.values(), ids=NAMES)
def test_the_header_of_an_object_cannot_be_broken_by_its_name(name: str, header: str) -> None:
    """Design 5: ``Gateway-Object: <class>/<name>``; a name must not end the header line."""
    assert key(name=name).header_value == header


def test_a_name_of_bytes_that_are_no_utf_8_has_an_id_and_a_header() -> None:
    """Design 3: a target is forwarded byte for byte, so a name may hold any byte (``/cart/%FF``)."""
    odd = key(name="\udcff")

    assert len(odd.id) == 32
    assert odd.header_value == "Cart/%FF"
