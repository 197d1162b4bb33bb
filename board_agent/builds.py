"""Which release of axengine is installed, and what it gets wrong.

All of 0.1.3rc0 to 0.1.3.rc3 call themselves 0.1.3, so only the hash of a file tells them apart.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from board_agent.places import SIMULATED, Board

#: What is known to be wrong, and what this agent does about it whatever is installed.
AVOIDED = {
    "fortran_order_misread": "every input is made C-contiguous",
    "bytes_not_loaded": "the model is given as a path",
    "checks_vanish_under_O": "inputs are checked by the agent, and -O is never set",
    "outputs_are_views": "outputs are copied before the next run",
    "outputs_out_of_order": "outputs are never asked for by name",
    "wrong_default_provider": "the provider is named",
}
_ALWAYS = ("fortran_order_misread", "checks_vanish_under_O")
#: The first 12 digits of the sha256 of `_axe.py`.
_KNOWN = {
    "e16ce339d3be": ("0.1.2rc0 or 0.1.3rc0", ("outputs_are_views", "wrong_default_provider")),
    "99be3d532898": ("0.1.3.rc1", ("wrong_default_provider",)),
    "173a8339a4ea": ("0.1.3.rc2", ("bytes_not_loaded", "wrong_default_provider")),
    "5bbff3c11ba8": ("0.1.3-frigate", ("bytes_not_loaded", "outputs_out_of_order")),
}
#: Of the same `_axe.py`; the later one asks for this device before it picks a provider.
_LATER = ("0.1.3-frigate", "0.1.3.rc3", "axcl_host")
_SHOWN_DIGITS = 12


class Build(NamedTuple):
    """One installed axengine.

    Attributes:
        sha256: of `_axe.py`, or of `__init__.py` where there is no such file.
        name: the release, or the one that a look-alike imitates; None: not one that is known.
        avoided: keys of AVOIDED that apply to it.
    """

    sha256: str
    name: str | None
    avoided: tuple[str, ...]


def installed(package: Path) -> Build | None:
    """What lies in the folder of the package; None where no file tells."""
    sha256 = digest(package)
    if sha256 is None:
        return None
    known = _KNOWN.get(sha256[:_SHOWN_DIGITS])
    if known is None:
        return Build(sha256, None, tuple(AVOIDED))
    name, bugs = known
    earlier, later, mark = _LATER
    if name == earlier and mark in _text(package / "_providers.py"):
        name = later
    return Build(sha256, name, (*_ALWAYS, *bugs))


def on_board(package: Path, board: Board) -> Build | None:
    """As `installed`; of a look-alike, the release that it imitates, as the board says."""
    found = installed(package)
    if found is None or found.name is not None:
        return found
    imitated = re.search(r"^axengine: (\S+)$", board.read(SIMULATED) or "", re.MULTILINE)
    return found._replace(name="look-alike of " + imitated.group(1)) if imitated else found


def digest(package: Path) -> str | None:
    """The sha256 of the file that tells one release from another."""
    for name in ("_axe.py", "__init__.py"):
        file = package / name
        if file.is_file():
            return hashlib.sha256(file.read_bytes()).hexdigest()
    return None


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""
