"""The control plane at the terminal."""
