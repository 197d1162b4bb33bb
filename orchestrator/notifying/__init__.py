"""Telling somebody how a night ended."""
