"""`ansible_ssh_common_args` → jump hosts, and the options that have no place here. Pure."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

#: Options of ssh and of its -o that orch has its own way for; nothing is lost with them.
_NEEDLESS = {"controlmaster", "controlpersist", "controlpath", "serveraliveinterval"}
_NEEDLESS |= {"serveralivecountmax", "connecttimeout", "batchmode", "loglevel"}
_STRICT = {"stricthostkeychecking", "userknownhostsfile", "globalknownhostsfile"}
#: Options of ssh that are followed by a word.
_WITH_WORD = "bcDEeFIiJLlmoOpQRSwW"


@dataclass(frozen=True, slots=True)
class SshArgs:
    """What is taken of an ssh command line, and why the rest is not."""

    jump: tuple[str, ...]
    refused: tuple[str, ...]


def read_ssh_args(text: str) -> SshArgs:
    """Find the jump hosts. Raises ValueError for a text that is no command line."""
    jump: tuple[str, ...] = ()
    refused: list[str] = []
    for letter, word in _options(shlex.split(text)):
        name, value = letter, word
        if letter == "o":
            name, _, value = word.replace("=", " ", 1).strip().partition(" ")
            name, value = name.lower(), value.strip()
        if name in {"J", "proxyjump"}:
            jump = () if value == "none" else tuple(hop.strip() for hop in value.split(","))
        elif name == "proxycommand":
            hop = _hop_of(value)
            if hop is None:
                refused.append("a ProxyCommand that is not `ssh -W %h:%p HOST`")
            else:
                jump = (hop,)
        elif name in _STRICT:
            refused.append(f"{name}: host keys are always checked: orch fleet trust")
        elif name not in _NEEDLESS and letter not in "Cq":
            refused.append(f"the SSH option -{letter} {word}".rstrip())
    return SshArgs(jump, tuple(refused))


def _options(words: list[str]) -> list[tuple[str, str]]:
    """Split words into options and their values; what is no option has the letter ''."""
    found = []
    rest = iter(words)
    for word in rest:
        letter = word[1:2]
        if not word.startswith("-") or not letter:
            found.append(("", word))
        elif letter in _WITH_WORD:
            found.append((letter, word[2:] or next(rest, "")))
        else:
            found.append((letter, ""))
    return found


def _hop_of(command: str) -> str | None:
    """Give the jump host of `ssh -W %h:%p -q -p 2222 user@gate`."""
    try:
        program, *words = shlex.split(command)
    except ValueError:
        return None
    options = _options(words)
    hosts = [word for letter, word in options if not letter]
    given = {letter: word for letter, word in options if letter}
    if program.rpartition("/")[2] != "ssh" or given.get("W") != "%h:%p" or len(hosts) != 1:
        return None
    user = f"{given['l']}@" if "l" in given and "@" not in hosts[0] else ""
    return user + hosts[0] + (f":{given['p']}" if "p" in given else "")
