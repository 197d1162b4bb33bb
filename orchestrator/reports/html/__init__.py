"""A night as one HTML file that opens without a network."""

from orchestrator.reports.html.page import write_html

__all__ = ["write_html"]
