"""Versions on workerd: requests, calls to Durable Objects, moves, uploads.

==============  =====================================================================================
``edge.py``     a gateway that Workers are uploaded to, and its API
``peers.py``    the same Workers on bare workerd and on ``wrangler dev``
``get.py``      a small GET through the gateway, bare workerd and ``wrangler dev``
``calls.py``    a GET whose handler calls an object, in its own process or in another version's
``moves.py``    deployments that move every object but one
``uploads.py``  an upload, and the first request to it
``report.py``   figures -> Markdown (pure)
==============  =====================================================================================

Nothing is pinned to a core: a gateway and its workerds are several processes, and share the machine as they do
for their user.
"""
