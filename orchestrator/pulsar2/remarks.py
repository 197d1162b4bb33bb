"""Which lines of a log are worth a reader's time though the build goes on. Pure."""

from __future__ import annotations

import re

_LONGEST = 400
_LOGURU = re.compile(r"^[\d :.,-]{19,32}\| ?([A-Z]{3,10}) {0,9}\| ?.{0,200}? - (.*)$")
_LOUD = ("ERROR", "CRITICAL")
#: What the toolchain warns of in every build.
_ROUTINE = re.compile(
    r"apply default (?:in|out)put processor|ignore input csc config|"
    r"(?:pre|post)process tensor \[|graph \[[^\]]*\] batchs? \["
)
_WORTH = re.compile(
    r"very big range|NON-QUANTIZED automatically|has already exist|^\[?Warning\b|low precision"
)


def message_of(line: str) -> tuple[str, str]:
    """Give the level and the message of a line; the level is empty for plain prints."""
    found = _LOGURU.match(line)
    return (found[1], found[2].strip()) if found else ("", line.strip())


def remark(line: str) -> str | None:
    """Give what is worth reading of a line: no stamp, no level; None for all routine."""
    level, message = message_of(line)
    unusual = level == "WARNING" and _ROUTINE.search(message) is None
    worth = unusual or level in _LOUD or _WORTH.search(message) is not None
    return message[:_LONGEST] if worth else None
