"""``make demo``: a rollout that goes wrong, told in two minutes on a real edge."""
