"""``python -m sample_workers.shop v1``."""

from __future__ import annotations

from sample_workers.runtime import run
from sample_workers.shop.app import build_app

if __name__ == "__main__":
    run("shop", lambda settings, _environ: build_app(settings))
