"""Bring a bare board to where the agent can run a model."""
