"""Asks the Docker engine, by its command line."""

from __future__ import annotations

import subprocess


class EngineError(Exception):
    """A `docker` command failed: which, and what it said."""


def docker(*argv: str, timeout_s: float = 60.0) -> str:
    """Run `docker …` and give its stdout. Raises EngineError."""
    return docker_bytes(*argv, timeout_s=timeout_s).decode().strip()


def docker_bytes(*argv: str, timeout_s: float = 60.0, codes: tuple[int, ...] = (0,)) -> bytes:
    """Run `docker …` and give its stdout as it is. Raises EngineError on other exit codes."""
    done = subprocess.run(["docker", *argv], capture_output=True, timeout=timeout_s, check=False)
    if done.returncode not in codes:
        said = done.stderr.decode(errors="replace").strip()
        raise EngineError(f"docker {' '.join(argv[:3])}: exited with {done.returncode}: {said}")
    return done.stdout
