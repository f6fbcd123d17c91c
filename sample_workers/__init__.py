"""Two Workers to try the gateway with: ``shop`` shows version skew, ``counter`` is a Durable Object.

Each is an ordinary web server that knows nothing of the gateway but its contract: it listens on ``$PORT``
and finds out who it is in ``$CF_VERSION_METADATA`` (R107).
"""
