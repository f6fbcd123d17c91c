"""Logpush: records of invocations, in batches, to folders and HTTP endpoints (R110, R111)."""
