"""Names of what can run a model. A simulated board has the NPU of its own chip only."""

from __future__ import annotations

axengine_provider_name = "AxEngineExecutionProvider"
axclrt_provider_name = "AXCLRTExecutionProvider"


def get_all_providers() -> list[str]:
    """Every provider there may be."""
    return [axengine_provider_name, axclrt_provider_name]


def get_available_providers() -> list[str]:
    """The providers of this board."""
    return [axengine_provider_name]
