"""The implementations of the seams: the only modules that import a vendor's SDK."""
