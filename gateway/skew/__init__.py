"""Finds version skew in traffic: facts of requests in, incidents out (pure, but for ``watching``)."""
