"""Heads seen before, by their exact bytes: what llhttp and our checks made of them once, they would make again.

Clients that keep a connection open send the same few heads over and over, and so do versions within one second.
A hit saves the parsing, the checks and the framing, which is two thirds of the work on a small request; nothing
is ever taken from here that was not read strictly before.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

Head = TypeVar("Head")

MAX_HEAD_BYTES: Final = 2_048
MAX_HEADS: Final = 4_096
"""With ``MAX_HEAD_BYTES``, at most some 10 MiB: clients choose what is remembered."""


class HeadMemo(Generic[Head]):
    """Exact bytes -> the head they are. Begins anew when it is full.

    Attributes:
        heads: Looked up directly on the request path.
    """

    def __init__(self) -> None:
        self.heads: dict[bytes, Head] = {}

    def remember(self, data: bytes, head: Head) -> None:
        """Keep a head; the caller has made sure that these bytes are a whole one and nothing else."""
        if len(data) > MAX_HEAD_BYTES:
            return
        if len(self.heads) >= MAX_HEADS:
            self.heads.clear()
        self.heads[data] = head
