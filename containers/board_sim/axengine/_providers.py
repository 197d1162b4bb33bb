"""Names of what can run a model. A simulated board has the NPU of its own chip only."""

from __future__ import annotations

import ctypes.util

from ._axmodel import board_root

axengine_provider_name = "AxEngineExecutionProvider"
axclrt_provider_name = "AXCLRTExecutionProvider"


def get_all_providers() -> list[str]:
    """Every provider there may be."""
    return [axengine_provider_name, axclrt_provider_name]


def get_available_providers() -> list[str]:
    """The providers of this board.

    The real package looks for the vendor's library by `find_library`, as this does on a board that
    has a file of its name; most simulated boards have none and need none.
    """
    vendors = board_root() / "soc/lib/libax_engine.so"
    if vendors.exists() and ctypes.util.find_library("ax_engine") is None:
        return []
    return [axengine_provider_name]
