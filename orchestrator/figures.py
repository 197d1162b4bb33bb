"""A board's outcome in a run → its figures in short, for history. Pure."""
