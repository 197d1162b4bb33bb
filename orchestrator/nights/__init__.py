"""A night on a fleet: planned, measured in turns, judged, reported, and gone on with."""
