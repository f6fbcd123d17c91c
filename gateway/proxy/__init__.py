"""The data plane: HTTP/1.1 and WebSocket between client and version."""
