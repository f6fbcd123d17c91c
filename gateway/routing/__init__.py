"""The pure core: values in, decision out; no I/O, clock, randomness or log."""
