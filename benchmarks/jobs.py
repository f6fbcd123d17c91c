"""What a proxy is asked to do in a scenario, the same for every proxy, and the values that both sides know."""

import enum

WORKER = "shop"
# Given in the gateway's configuration, so that the override scenario can name a version.
V1_ID = "11111111-1111-4111-8111-111111111111"
V2_ID = "22222222-2222-4222-8222-222222222222"
V1_PERCENTAGE = 90
V2_PERCENTAGE = 10
AFFINITY_HEADER = "Cloudflare-Workers-Version-Key"
OVERRIDES_HEADER = "Cloudflare-Workers-Version-Overrides"
OVERRIDES_VALUE = f'{WORKER}="{V2_ID}"'


class Job(enum.Enum):
    """How a request finds its version.

    Each peer does the same job by its own means, so that no proxy is measured doing less than the others.
    """

    SPLIT = "split"
    """90% to v1, 10% to v2, request by request."""

    AFFINITY = "affinity"
    """By the affinity key header: the same key always reaches the same version."""

    OVERRIDE = "override"
    """The overrides header names v2."""

    OBJECT = "object"
    """By the object in the path, ``/cart/{name}``: the same name always reaches the same version."""

    WEBSOCKET = "websocket"
    """As ``SPLIT``, and the connection becomes a WebSocket."""
