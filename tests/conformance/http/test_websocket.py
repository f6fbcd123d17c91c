"""RFC 6455 and RFC 9110 section 7.8 through the gateway: the upgrade, and every byte in the tunnel."""

from __future__ import annotations

import asyncio

import pytest

from tests.conformance.http.cases import ProxiedOrigin, RequestCase, ResponseCase
from tests.conformance.http.client import Client
from tests.conformance.http.judge import Word
from tests.conformance.http.run import run_case
from tests.conformance.http.steps import Pause, Reply
from tests.conformance.http.tunnels import TunnelCase
from tests.conformance.http.websocket_cases import ASKING, SWITCHING, TUNNEL_CASES, UPGRADE_CASES, frame


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("case", UPGRADE_CASES, ids=lambda case: case.id)
async def test_what_is_no_upgrade_opens_no_tunnel(
    proxied_origin: ProxiedOrigin, case: RequestCase | ResponseCase
) -> None:
    """RFC 9110 section 7.8, RFC 6455 section 4; each case names its own."""
    verdict = await run_case(proxied_origin, case)

    assert verdict.word is Word.PASS, f"{verdict.word.value}: {verdict.why} [{case.source}]"


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("case", TUNNEL_CASES, ids=lambda case: case.id)
async def test_a_tunnel_carries_every_byte_both_ways(proxied_origin: ProxiedOrigin, case: TunnelCase) -> None:
    """RFC 6455 sections 4 to 7; each case names its own."""
    verdict = await run_case(proxied_origin, case)

    assert verdict.word is Word.PASS, f"{verdict.word.value}: {verdict.why} [{case.source}]"


@pytest.mark.asyncio(loop_scope="session")
async def test_forty_tunnels_at_once_never_mix(proxied_origin: ProxiedOrigin) -> None:
    """RFC 9110 section 7.8: an upgraded connection belongs to one client and one origin connection."""
    origin = proxied_origin.origin
    await origin.begin((Reply((Pause(0),), at_head=True, tunnel=True),))
    clients = [await Client.connect(proxied_origin.host, proxied_origin.port, [b"GET"]) for _ in range(40)]
    try:
        for number, client in enumerate(clients):
            await client.wire.send(ASKING.replace(b"/ws", b"/ws/%d" % number))
        assert await origin.watch.until(lambda: len(origin.requests) == len(clients), 5.0)
        links = {int(request.target.rpartition(b"/")[2]): origin.link_of(request) for request in origin.requests}
        for link in links.values():
            await link.wire.send(SWITCHING)
        for number, client in enumerate(clients):
            assert await client.wire.watch.until(lambda: client.answers().tunnel_at is not None, 5.0), number  # noqa: B023
        for turn in range(5):
            await asyncio.gather(
                *(
                    client.wire.send(frame(1, b"%d/%d" % (number, turn), masked=True))
                    for number, client in enumerate(clients)
                ),
                *(link.wire.send(frame(1, b"%d/%d" % (number, turn))) for number, link in links.items()),
            )
        for number, client in enumerate(clients):
            sent = b"".join(frame(1, b"%d/%d" % (number, turn), masked=True) for turn in range(5))
            told = b"".join(frame(1, b"%d/%d" % (number, turn)) for turn in range(5))
            assert await links[number].wire.watch.until(lambda: links[number].tunnelled == sent, 5.0)  # noqa: B023
            at = client.answers().tunnel_at
            assert await client.wire.watch.until(lambda: client.wire.received[at:] == told, 5.0)  # noqa: B023
    finally:
        for client in clients:
            await client.wire.close()
