"""Versions on workerd: one process a version, each Durable Object's storage in exactly one version's folder."""
