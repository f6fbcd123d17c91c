"""The counter: a Worker with the Durable Object class ``Counter``, written in Python.

v2 changed how its Worker calls an object: ``POST /worker/<name>?times=3`` is three calls of ``increment`` in v1,
one of ``add`` in v2. An object that still runs v1 knows no ``add``: 501, and the Worker answers 502. On purpose:
R51 asks for calls that both versions understand. All else they do.
"""
