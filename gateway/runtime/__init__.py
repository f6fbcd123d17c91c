"""What makes a version reachable."""
