"""The ends of a tunnel, one side at a time."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from gateway.model.version import VersionId
from gateway.proxy.tunnel import Tunnel


class Side:
    """Stands for a transport: remembers what became of it."""

    def __init__(self) -> None:
        self.protocol: asyncio.Protocol
        self.write_eofs = 0

    def set_protocol(self, protocol: asyncio.Protocol) -> None:
        self.protocol = protocol

    def write_eof(self) -> None:
        self.write_eofs += 1

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return False

    def resume_reading(self) -> None:
        pass


def opened(*, client_ended: bool) -> tuple[Side, Side]:
    client, upstream = Side(), Side()
    tunnel = Tunnel(
        cast(asyncio.Transport, client),
        cast(asyncio.Transport, upstream),
        VersionId("v"),
        lambda: 1.0,
        lambda _tunnel: None,
    )
    tunnel.open(b"", b"", client_ended=client_ended)
    return client, upstream


@pytest.mark.parametrize("seen_before", [False, True], ids=["seen by the tunnel", "seen before it opened"])
def test_a_client_that_ends_its_side_still_gets_what_the_version_sends(seen_before: bool) -> None:
    """Design 3.5, half-close: an end that was asked for before the tunnel opened shows again when it is read."""
    client, upstream = opened(client_ended=seen_before)

    assert client.protocol.eof_received() is True
    assert upstream.write_eofs == 1


@pytest.mark.parametrize("seen_before", [False, True], ids=["seen by the tunnel", "seen before it opened"])
def test_the_second_side_that_ends_closes(seen_before: bool) -> None:
    """Design 3.5: with both directions over nothing is left to relay."""
    client, upstream = opened(client_ended=seen_before)
    if not seen_before:
        client.protocol.eof_received()

    assert upstream.protocol.eof_received() is False
    assert client.write_eofs == 1
