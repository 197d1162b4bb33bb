"""The licence: a file that the image puts into root's home, as the vendor's image does.

Where the image names one and it is not found under `$HOME`, a build ends at its last step.
"""

import os
from pathlib import Path

from .failure import ToolFailure
from .faults import licence_text

#: The file below the home folder; empty: this installation asks for none.
VARIABLE = "PULSAR2_SIM_LICENCE"


def check_licence() -> None:
    """Find the licence. Raises ToolFailure."""
    name = os.environ.get(VARIABLE, "")
    if name and not (Path(os.environ.get("HOME", "/nonexistent")) / name).is_file():
        raise ToolFailure("RuntimeError", licence_text())
