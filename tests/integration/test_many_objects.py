"""Twenty thousand objects: used, listed page by page, searched, moved, and found again after a restart."""

from __future__ import annotations

import asyncio

from tests.integration.conftest import StartEdge
from tests.integration.edge_process import EdgeProcess, one_worker, spec, version
from tests.integration.http_client import Connection

OBJECTS = 20_000
CLIENTS = 8
AT_ONCE = 250
STUB = "/cdn-cgi/gateway/do/shop/Cart"
CONFIG = one_worker(
    [version(tag, "objects_version") for tag in ("v1", "v2")],
    {"v1": 70, "v2": 30},
    durable_objects={"bindings": [{"class": "Cart", "object": "path:/cart/{name}"}]},
)


async def use_all(edge: EdgeProcess) -> dict[str, str]:
    """Use every object once, many requests at a time, and return the version that ran each."""
    names = [f"cart-{number}" for number in range(OBJECTS)]
    found: dict[str, str] = {}

    async def use(mine: list[str]) -> None:
        async with await Connection.open(edge) as client:
            for start in range(0, len(mine), AT_ONCE):
                batch = mine[start : start + AT_ONCE]
                client.writer.write(b"".join(client.head(f"{STUB}/{name}/x") for name in batch))
                for name in batch:
                    answer = await client.answer()
                    told = answer.json()
                    assert (answer.status, told["object"]) == (200, f"Cart/{name}")
                    found[name] = told["tag"]

    await asyncio.gather(*(use(names[client::CLIENTS]) for client in range(CLIENTS)))
    return found


def list_all(edge: EdgeProcess) -> dict[str, str]:
    """Read the table page by page; return each object's assigned version."""
    found: dict[str, str] = {}
    last, after = "", None
    while True:
        page = edge.api.objects("shop", limit=1000, after=after)
        assert page["total"] == OBJECTS
        ids = [listed["id"] for listed in page["objects"]]
        assert ids == sorted(set(ids))
        assert not ids or ids[0] > last
        last = ids[-1] if ids else last
        found.update((str(listed["name"]), listed["assigned_tag"]) for listed in page["objects"])
        after = page["next"]
        if after is None:
            return found


async def test_twenty_thousand_objects_are_kept_listed_and_moved(start_edge: StartEdge) -> None:
    """Issue 2, item 5, and design 5: the table agrees with what answered, after a restart and a deployment."""
    edge = start_edge(CONFIG)
    versions = await use_all(edge)
    assert len(versions) == OBJECTS
    share = sum(tag == "v2" for tag in versions.values()) / OBJECTS
    assert abs(share - 0.3) < 0.02  # six deviations of chance

    assert await asyncio.to_thread(list_all, edge) == versions
    found = await asyncio.to_thread(edge.api.objects, "shop", search="cart-1999", limit=1000)
    assert {str(listed["name"]) for listed in found["objects"]} == {
        "cart-1999", *(f"cart-1999{n}" for n in range(10)),
    }  # fmt: skip
    await asyncio.to_thread(edge.stop)
    await asyncio.to_thread(edge.start)
    assert await asyncio.to_thread(list_all, edge) == versions

    await asyncio.to_thread(edge.api.deploy, "shop", spec(v2=100))
    moving = sum(tag == "v1" for tag in versions.values())
    diff = await asyncio.to_thread(edge.api.object_diff, "shop", 1, 2, limit=10)
    assert (diff["total"], len(diff["changes"])) == (moving, 10)
    assert set((await asyncio.to_thread(list_all, edge)).values()) == {"v2"}
    then = await asyncio.to_thread(edge.api.objects, "shop", deployment=1, limit=1000)
    assert {str(one["name"]): one["assigned_tag"] for one in then["objects"]}.items() <= versions.items()
