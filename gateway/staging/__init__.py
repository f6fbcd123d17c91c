"""Where declared scenarios are played: the running gateway's deployments, its data plane and what it tells."""
