"""Declared scenarios: what they say, how they are played, what came of them; no socket, file or clock."""
