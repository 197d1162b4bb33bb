"""Files of a model on the Hugging Face hub."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from orchestrator.errors import ConfigError

#: How a model is named there: its owner and its name.
ID = re.compile(r"[\w.-]+/[\w.-]+")


def fetch(source: str, revision: str | None, patterns: Sequence[str]) -> Path:
    """Give the folder of a model's files, from the hub or from its cache on this machine.

    Its name is the commit.

    Raises:
        ConfigError: they cannot be had.
        ImportError: the hub's client is not installed.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        folder = snapshot_download(source, revision=revision, allow_patterns=list(patterns))
    except (HfHubHTTPError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(
            f"{label(source, revision)}: cannot be had from the hub: {reason}",
            "with no network, give a local copy: --checkpoint DIR",
        ) from error
    return Path(folder)


def label(source: str, revision: str | None) -> str:
    """Name a model on the hub to people."""
    return f"checkpoint {source} (revision {revision or 'main'})"
