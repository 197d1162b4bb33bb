"""What a night came to, in every format: screen, HTML, JSON, JUnit, CSV, Markdown, OpenMetrics."""
