"""The vocabulary: frozen values that hold their own invariants."""
