"""Cloudflare's HTTP API, as ``wrangler`` and the SDKs speak it."""
