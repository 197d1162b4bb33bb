"""Nights compared: what moved, on which board, and whether to believe it. Pure."""
