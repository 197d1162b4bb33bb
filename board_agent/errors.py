"""The one error of the agent: everything the host can be told about, by code."""

from __future__ import annotations

from typing import Any


class AgentError(Exception):
    """A request that cannot be carried out; `code` is one of protocol.ERRORS."""

    def __init__(
        self, code: str = "INTERNAL", message: str = "", details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(code, message, details)
        self.code = code
        self.message = message
        self.details = details or {}

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
