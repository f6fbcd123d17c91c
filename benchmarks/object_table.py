"""The table of Durable Objects at its stated size: a million sticky objects."""

from benchmarks.figures import ObjectTableFigures

OBJECTS = 1_000_000


class NotAvailable(Exception):
    """The object table cannot be measured yet; the report says so in its place."""


def measure() -> ObjectTableFigures:
    """Return the memory of ``OBJECTS`` sticky objects and the time of an access and of a new deployment.

    What each figure is to be:

    - ``memory_mb``: resident memory after the millionth object less before the first, in millions of bytes
    - ``first_access_us``: wall time of an access that assigns a version, mean over all objects
    - ``later_access_us``: the same of an access to an object that the table knows, in another order
    - ``new_deployment_ms``: wall time until a new deployment is active while the table holds all objects

    Raises:
        NotAvailable: The gateway has no object table yet; the report marks the figures as not measured.
    """
    raise NotAvailable("the object table is not wired to the benchmark yet")
