"""Which axengine a file is: every release calls itself 0.1.3, so the hash of `_axe.py` tells."""

from __future__ import annotations

#: The first 12 digits of the sha256 of `axengine/_axe.py`, computed from the published sources.
BUILDS = {
    "e16ce339d3be": "0.1.2rc0 or 0.1.3rc0",
    "99be3d532898": "0.1.3.rc1",
    "173a8339a4ea": "0.1.3.rc2",
    "5bbff3c11ba8": "0.1.3-frigate or 0.1.3.rc3",
}
_KNOWN_DIGITS = 12


def name_build(sha256: str | None, *, simulated: bool = False) -> str:
    """Give the release in words; one that is not known goes by its hash."""
    if sha256 is None:
        return "none"
    short = sha256[:_KNOWN_DIGITS]
    kind = "look-alike" if simulated else "unknown"
    return BUILDS.get(short, f"{kind} ({short})")
