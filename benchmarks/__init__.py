"""What ``make bench`` runs: the gateway and its peers side by side, written to ``benchmarks/RESULTS.md``.

``python -m benchmarks`` measures everything; ``--quick`` is a smoke run, ``--only`` picks scenarios.

How the parts fit:

=====================  ==============================================================================
``__main__.py``        arguments, the order of the scenarios, the report's file
``figures.py``         what a measurement is: frozen values that ``report.py`` turns into text
``processes.py``       child processes: cores, free ports, CPU time, memory, and their sure end
``upstreams.py``       what stands behind every proxy (the same for all)
``peers.py``           nginx, HAProxy, a plain aiohttp proxy and the gateway: configuration and start
``load.py``            wrk, and the check that a proxy does its job before it is measured
``bodies.py``          100 MB down and up
``websockets_idle.py`` thousands of silent WebSockets
``startup.py``         how long until the sample configuration listens
``object_table.py``    a million sticky objects
``workerd/``           versions on workerd beside bare workerd and ``wrangler dev``: requests, calls to
                       objects, moves, uploads
``report.py``          figures -> Markdown (pure); ``tables.py`` holds the parts of it that all sections share
=====================  ==============================================================================

``jobs.py`` and ``machine.py`` hold what is asked of a proxy and what it is asked on. ``aiohttp_proxy.py``,
``body_upstream.py``, ``small_upstream.py`` and ``websocket_echo.py`` are programs of their own, started as
children.
"""
