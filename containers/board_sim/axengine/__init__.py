"""A look-alike of AXERA's `axengine`, for orch's simulated boards. It is not AXERA's package.

It has the public names, messages and quirks of pyaxengine 0.1.3.rc3 and runs the simulated
axmodels of orch's stand-in for Pulsar2 on the CPU. It runs no genuine axmodel.
"""

from ._axe_capi import script as _script
from ._node import NodeArg, SessionOptions
from ._providers import (
    axclrt_provider_name,
    axengine_provider_name,
    get_all_providers,
    get_available_providers,
)
from ._session import InferenceSession

__all__ = [
    "InferenceSession",
    "NodeArg",
    "SessionOptions",
    "axclrt_provider_name",
    "axengine_provider_name",
    "get_all_providers",
    "get_available_providers",
]

if not get_available_providers():
    raise ImportError(
        "No providers found. Please make sure you have installed one of the following: "
        f"{get_all_providers()}"
    )
# The real package prints this on stdout when it is imported, two spaces after the colon.
print("[INFO] Available providers: ", get_available_providers())

if _script is not None:
    # Not of the real package: the agent takes a simulated board's time from here, if there is one.
    simulated_clock_ns = _script.replay.clock_ns
    simulated_sleep = _script.sleep
    simulated_trace = str(_script.script)
