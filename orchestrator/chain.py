"""A hash chain over what is written down: a changed row is found, and named. Pure."""
