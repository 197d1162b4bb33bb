"""Work on many boards at once: errands, plans and rollouts."""
