"""The programs of a board whose agent is a shell, and their shims."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

MUTATING = ("cp", "dd", "ln", "mkdir", "mv", "rm", "sync")
PLAIN = (
    "cat",
    "date",
    "grep",
    "gzip",
    "head",
    "ls",
    "readlink",
    "sh",
    "sha256sum",
    "sleep",
    "tail",
    "uname",
)
#: A step: written down before it is made, with what it leaves; the agent is killed where it says.
SHIM = """#!{sh}
read -r n <"$CUTS/n"
n=$((n + 1))
echo "$n" >"$CUTS/n"
if [ "$n $CUT" = "$AT before" ]; then kill -9 0; fi
step=$CUTS/step.$n
for word in "$PWD" {tool} "$@"; do printf '%s\\n' "$word"; done >"$step.argv"
if [ {tool} = rm ]; then {find} "$PWD/$2" -depth 2>/dev/null >"$step.tree"; fi
{real} "$@"
rc=$?
case {tool} in
dd) {cat} "${{1#of=}}" >"$step.data" ;;
cp) {cat} "$2" >"$step.data" ;;
esac
echo "$rc" >"$step.rc"
if [ "$n $CUT" = "$AT after" ]; then kill -9 0; fi
exit "$rc"
"""


def furnish(folder: Path, shell: str) -> None:
    """Give a board its programs in bin/, and those with shims in shims/."""
    for place in ("bin", "shims"):
        (folder / place).mkdir(parents=True)
    for tool in (*PLAIN, *MUTATING):
        (folder / "bin" / tool).symlink_to(program(shell, tool))
        (folder / "shims" / tool).symlink_to(program(shell, tool))
    for tool in MUTATING:
        real = f"{program(shell, tool)} {tool}" if shell == "busybox" else program(shell, tool)
        shim = folder / "shims" / tool
        shim.unlink()
        text = SHIM.format(
            sh=shutil.which("dash"),
            tool=tool,
            real=real,
            find=shutil.which("find"),
            cat="/bin/cat",
        )
        shim.write_text(text)
        shim.chmod(0o755)


def program(shell: str, tool: str) -> str:
    name = "busybox" if shell == "busybox" else {"sh": "dash"}.get(tool, tool)
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"there is no {name} on this machine")
        pytest.skip(f"there is no {name} on this machine")
    return found
