"""Paths as people write them where ``*`` stands for anything."""

from __future__ import annotations

import re


def path_fits(pattern: str, path: str) -> bool:
    """Tell whether a path (no query) is one that a pattern means; without ``*`` a last slash does not matter."""
    if "*" not in pattern:
        return path.rstrip("/") == pattern.rstrip("/")
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), path, re.DOTALL) is not None
