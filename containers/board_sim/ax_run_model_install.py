"""Puts the stand-in for `ax_run_model` into a simulated board, where a real one has the tool."""

from __future__ import annotations

import sys
from pathlib import Path

TOOL = "opt/bin/ax_run_model"
_WRAPPER = """\
#!/bin/sh
# A simulation made by orch, not the vendor's tool. Its Python is no part of the board.
export PYTHONPATH='{packages}'
exec '{python}' -m containers.board_sim.ax_run_model "$@"
"""


def install_tool(root: Path) -> None:
    """Write the tool below `root`; it runs on the Python that runs this."""
    file = root / TOOL
    file.parent.mkdir(parents=True, exist_ok=True)
    packages = Path(__file__).resolve().parents[2]
    file.write_text(_WRAPPER.format(packages=packages, python=sys.executable), encoding="utf-8")
    file.chmod(0o755)
