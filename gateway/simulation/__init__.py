"""What a plan of deployments would do to sessions, keys and objects: pure, seeded, by the edge's own routing."""
