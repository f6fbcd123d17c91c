"""The control plane: the HTTP API and its client."""
