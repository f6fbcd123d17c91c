"""The counter: a Worker with the Durable Object class ``Counter``, written in Python."""
