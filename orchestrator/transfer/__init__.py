"""How blobs get to boards: whole, packed, as a delta, or from a relay of their site."""
