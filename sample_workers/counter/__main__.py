"""``python -m sample_workers.counter v1``."""

from __future__ import annotations

from sample_workers.counter.app import build_app, storage_path
from sample_workers.runtime import run

if __name__ == "__main__":
    run("counter", lambda settings, environ: build_app(settings, storage_path(environ)))
