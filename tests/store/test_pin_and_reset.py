"""A pin meets an object that is already due to move."""

from __future__ import annotations

from pathlib import Path

from tests.model.examples import A, B
from tests.store.tables import START, keys, opened


async def test_a_pin_leaves_the_reset_that_is_due_to_the_next_request(tmp_path: Path) -> None:
    """R56, design 5: the version that loses an object is told; a pin in between must not swallow that."""
    async with opened(tmp_path) as table:
        (key,) = keys(12)
        await table.deploy((A, 100))
        assert table.use(key).running == A
        await table.deploy((B, 100))

        await table.objects.pin(key, B, START)
        used = table.use(key)

        assert used.reset is not None
        assert (used.reset.from_version, used.reset.to_version) == (A, B)
        assert table.use(key).reset is None
