"""The agent: runs on a board with its own Python (3.8 or newer) and standard library alone."""
