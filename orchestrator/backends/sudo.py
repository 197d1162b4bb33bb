"""Command lines for boards where orch logs in as somebody who may use sudo.

The password goes to sudo's stdin (`-S`), never into a command line, and only once it is known that
sudo wants one: what sudo does not read would be read by the command. Cached permission is not used
(`-k`), so that it wants one every time or never.
"""

from __future__ import annotations

import shlex

#: What the checks end with when sudo wants a password, when it took it, and without sudo.
WANTED, TAKEN, NO_SUDO = 90, 91, 127
#: The line between the password and the command's own input.
_BEGIN = "orch-input-begins"
#: Its messages are read, so they must be in English.
_SUDO = "LC_ALL=C sudo -k"

_HINTS = (
    ("tty", "let sudo work without a terminal: `Defaults:USER !requiretty` in its sudoers"),
    ("sudoers", "let the user use sudo: `USER ALL=(root) NOPASSWD: ALL` in its sudoers"),
    ("not allowed", "let the user use sudo: `USER ALL=(root) NOPASSWD: ALL` in its sudoers"),
    ("incorrect password", "is sudo_password right?"),
    ("password", "say where its password comes from: sudo_password: env:NAME"),
)


def without_password() -> str:
    """Find out whether sudo wants a password: 0 no, WANTED, NO_SUDO, else it says why not."""
    return (
        "command -v sudo >/dev/null 2>&1 || exit 127; "
        f"said=$({_SUDO} -n sh -c : 2>&1) && exit 0; "
        'printf "%s\\n" "$said" >&2; '
        f'case $said in *"password is required"*) exit {WANTED};; esac; exit 1'
    )


def with_password() -> str:
    """Try the password that comes on stdin, once: TAKEN, or it says why not."""
    return f"{_SUDO} -S -p '' sh -c : && exit {TAKEN}; exit 1"


def as_root(command: str, *, asks: bool) -> str:
    """Wrap a shell command, which begins in root's home; with `asks`, stdin begins with `key`."""
    if not asks:
        return f"{_SUDO} -n -H sh -c {shlex.quote(f'cd && {command}')}"
    skip = f'while IFS= read -r line; do [ "$line" = {_BEGIN} ] && break; done'
    script = f"{skip}; cd && {command}"
    return f"{_SUDO} -S -p '' -H sh -c {shlex.quote(script)}"


def key(password: str) -> bytes:
    """Give what stdin begins with; a password that sudo did not ask for is skipped."""
    return f"{password}\n{_BEGIN}\n".encode()


def why_not(said: str) -> tuple[str, str]:
    """Give what sudo said, and what to try."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    reason = lines[-1].removeprefix("sudo: ")[:200] if lines else "it said nothing"
    return reason, next((hint for word, hint in _HINTS if word in reason), "try it there by hand")
