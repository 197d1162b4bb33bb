from __future__ import annotations

import pytest

from orchestrator.domain import CommandResult, ToolchainIdentity
from orchestrator.errors import ToolchainError
from orchestrator.pulsar2.identity import parse_version


def said(text: str, returncode: int = 0) -> CommandResult:
    return CommandResult(returncode, text.encode(), b"")


@pytest.mark.parametrize(("commit", "simulated"), [("a8a80616", False), ("fa4e0000", True)])
def test_version_and_commit_make_an_identity(commit: str, *, simulated: bool) -> None:
    result = said(f"a banner\nversion: 3.1-patch1\r\ncommit: {commit}\n")

    assert parse_version("t", result, "sha256:00") == ToolchainIdentity(
        "t", "3.1-patch1", commit, "sha256:00", simulated
    )


@pytest.mark.parametrize(
    ("text", "returncode", "tail"),
    [
        ("version: 3.1\n", 0, "version: 3.1"),
        ("", 0, "nothing"),
        ("version: 3.1\ncommit: x\nlicence expired\n", 3, "licence expired"),
        ("version:\ncommit:\n", 0, "commit:"),
    ],
)
def test_anything_else_is_no_pulsar2(text: str, returncode: int, tail: str) -> None:
    with pytest.raises(ToolchainError) as caught:
        parse_version("t", said(text, returncode), "")

    assert f"ended with {returncode}, saying: {tail}" in caught.value.message
