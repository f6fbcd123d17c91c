"""A mapping that forgets what was not touched longest: nothing the detector keeps grows without end."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Bounded(Generic[Key, Value]):
    """Keeps the ``size`` entries that were put last."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.entries: OrderedDict[Key, Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self.entries)

    def get(self, key: Key) -> Value | None:
        """Return what is kept under a key."""
        return self.entries.get(key)

    def put(self, key: Key, value: Value) -> None:
        """Keep a value, as the youngest."""
        self.entries[key] = value
        self.entries.move_to_end(key)
        if len(self.entries) > self._size:
            self.entries.popitem(last=False)

    def touch(self, key: Key) -> None:
        """Make an entry the youngest, if it is kept."""
        if key in self.entries:
            self.entries.move_to_end(key)

    def drop(self, key: Key) -> None:
        """Forget a key; one that is not kept does not matter."""
        self.entries.pop(key, None)
