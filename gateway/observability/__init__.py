"""Events, metrics and the log."""
