"""Affinity key -> point on [0, 100) (R23, R37-R43).

The hash is ours: MurmurHash3 x64/128 (its first 64 bits), seeded with the Worker's name, so that one key falls on
different points for different Workers. Shares and promises are Cloudflare's; where a single key falls is not.
Changing anything here moves every key of every user: then also change ``HASH_NAME``.
"""

from __future__ import annotations

from typing import Final

import mmh3

from gateway.model.version import WorkerName

HASH_NAME: Final = "mmh3-x64-128/1"

_BITS = 53  # what a float holds exactly, so that a point is never rounded up to 100
_SCALE: Final[float] = 100.0 / 2**_BITS


def worker_seed(worker: WorkerName, *, per_worker: bool = True) -> int:
    """Return the hash seed of a Worker; the same for all when ``per_worker`` is off."""
    return mmh3.hash(worker, signed=False) if per_worker else 0


def point_of_key(key: str, seed: int) -> float:
    """Return where ``key`` lies on [0, 100); depends on key and Worker, never on the deployment (R39)."""
    # As bytes: mmh3 ends the process over half a surrogate pair in a str.
    high: int = mmh3.hash64(key.encode("utf-8", "surrogatepass"), seed, x64arch=True, signed=False)[0]
    return (high >> (64 - _BITS)) * _SCALE
