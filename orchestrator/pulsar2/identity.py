"""`pulsar2 version` → who compiles. Pure."""

from __future__ import annotations

import re

from orchestrator.domain import CommandResult, ToolchainIdentity
from orchestrator.errors import ToolchainError
from orchestrator.pulsar2.header import SIMULATED_COMMIT


def parse_version(name: str, result: CommandResult, digest: str) -> ToolchainIdentity:
    """Read the two lines `version: …` and `commit: …`. Raises ToolchainError without them."""
    text = result.stdout.decode(errors="replace")
    version = re.search(r"^version:\s*(\S+)", text, re.MULTILINE)
    commit = re.search(r"^commit:\s*(\S+)", text, re.MULTILINE)
    if result.returncode != 0 or version is None or commit is None:
        tail = text.strip().splitlines()[-1:] or ["nothing"]
        raise ToolchainError(
            f"toolchain {name!r}: `pulsar2 version` ended with {result.returncode}, saying: "
            f"{tail[0]}",
            "is this the vendor's image, or its program?",
        )
    return ToolchainIdentity(
        name=name,
        version=version.group(1),
        commit=commit.group(1),
        digest=digest,
        simulated=commit.group(1) == SIMULATED_COMMIT,
    )
