"""A host's variables → the keys of a board, and notes on all that has no place there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.ansible_inventory.merging import Merged
from orchestrator.ansible_inventory.source import Variable
from orchestrator.ansible_inventory.ssh_args import read_ssh_args
from orchestrator.domain import Json

#: Variables by key; of several the last one that is set holds, as in Ansible's ssh connection.
_PLAIN = {
    "host": ("ansible_host", "ansible_ssh_host"),
    "user": ("ansible_user", "ansible_ssh_user"),
    "identity_file": ("ansible_private_key_file", "ansible_ssh_private_key_file"),
}
_PORT = ("ansible_port", "ansible_ssh_port")
_SECRETS = {
    "password": ("ansible_password", "ansible_ssh_password", "ansible_ssh_pass"),
    "sudo_password": ("ansible_become_password", "ansible_become_pass", "ansible_sudo_pass"),
}
_SSH_ARGS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
_BECOME = ("ansible_become", "ansible_become_method", "ansible_become_user")
#: What orch finds out by itself, or what only orders Ansible's own work.
_NEEDLESS = ("ansible_connection", "ansible_group_priority", "ansible_python_interpreter")
_USED = {
    *(name for names in (*_PLAIN.values(), *_SECRETS.values()) for name in names),
    *(*_PORT, *_SSH_ARGS, *_BECOME, *_NEEDLESS),
}
_SSH = {"ssh", "smart", "paramiko", "paramiko_ssh"}
_TRUE = {"true", "yes", "on", "1", "y", "t"}
_FROM_ENV = re.compile(
    r"\{\{\s*lookup\(\s*['\"](?:ansible\.builtin\.)?env['\"]\s*,\s*['\"](\w+)['\"]\s*\)\s*\}\}"
)
_FITS = {
    "host": re.compile(r"[^\s\[\]@*?/]+"),
    "user": re.compile(r"[^\s@]+"),
    "identity_file": re.compile(r".+"),
    "jump": re.compile(r"(?:[^\s@\[\]]+@)?(?:[^\s@:\[\]]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?"),
}
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Translation:
    """Turns hosts into keys of boards, and remembers what was not taken and which secrets are."""

    notes: dict[str, None] = field(default_factory=dict)
    _secrets: dict[tuple[str, object], str] = field(default_factory=dict)

    def note(self, what: object, text: str) -> None:
        """Keep a note on a place, once."""
        self.notes[f"{what}: {text}"] = None

    def board(self, merged: Merged) -> dict[str, Json] | None:
        """Give the keys of a board; None for a host that is not reached by SSH."""
        given = merged.variables
        connection = given.get("ansible_connection")
        if connection is not None and connection.text.rpartition(".")[2] not in _SSH:
            text = f"left out: host {merged.host.name}: its connection is {connection.text!r}"
            self.note(connection.where, text)
            return None
        keys: dict[str, Json] = {"host": merged.host.name}
        for key, names in _PLAIN.items():
            if (value := self._plain(key, names, given)) is not None:
                keys[key] = value
        if (port := _last(_PORT, given)) is not None:
            self._port(keys, port)
        if jump := self._jump(given):
            keys["jump"] = list(jump)
        self._become(keys, given)
        self._passwords(keys, given)
        for name, variable in given.items():
            if name not in _USED:
                self.note(variable.where, f"not taken: variable {name!r}")
        return keys

    def _plain(self, key: str, names: tuple[str, ...], given: Mapping[str, Variable]) -> str | None:
        found = _last(names, given)
        if found is None:
            return None
        name, variable = found
        text = variable.text.strip()
        if from_env := _FROM_ENV.fullmatch(text):
            return f"env:{from_env[1]}"
        if key == "host" and text.startswith("[") and text.endswith("]"):
            text = text[1:-1]
        if variable.sealed or "{{" in text or not _FITS[key].fullmatch(text):
            why = "is sealed or a template" if variable.sealed or "{{" in text else "does not fit"
            self.note(variable.where, f"not taken: {name} {why}: give {key} by hand")
            return None
        return text

    def _port(self, keys: dict[str, Json], found: tuple[str, Variable]) -> None:
        name, variable = found
        text = variable.text.strip()
        if text.isdecimal() and 1 <= int(text) <= _LAST_PORT:
            keys["port"] = int(text)
        else:
            self.note(variable.where, f"not taken: {name} is no port: give port by hand")

    def _jump(self, given: Mapping[str, Variable]) -> tuple[str, ...]:
        jump: tuple[str, ...] = ()
        for name in _SSH_ARGS:
            variable = given.get(name)
            if variable is None or not variable.text.strip():
                continue
            try:
                args = None if variable.sealed else read_ssh_args(variable.text)
            except ValueError:
                args = None
            if args is None or not all(map(_FITS["jump"].fullmatch, args.jump)):
                self.note(variable.where, f"not taken: {name} cannot be read: give jump by hand")
                continue
            jump = args.jump or jump
            for refused in args.refused:
                self.note(variable.where, f"not taken: {refused}")
        return jump

    def _become(self, keys: dict[str, Json], given: Mapping[str, Variable]) -> None:
        become = given.get("ansible_become")
        if become is None or become.text.lower() not in _TRUE or keys.get("user") == "root":
            return
        method, user = given.get("ansible_become_method"), given.get("ansible_become_user")
        if method is not None and method.text.rpartition(".")[2] != "sudo":
            self.note(method.where, f"not taken: become by {method.text!r}: orch knows sudo")
            return
        if user is not None and user.text != "root":
            text = f"not taken: become the user {user.text!r}: orch becomes root"
            self.note(user.where, text)
            return
        keys["sudo"] = True

    def _passwords(self, keys: dict[str, Json], given: Mapping[str, Variable]) -> None:
        for key, names in _SECRETS.items():
            found = _last(names, given)
            if found is None or (key == "sudo_password" and "sudo" not in keys):
                continue
            name, variable = found
            if from_env := _FROM_ENV.fullmatch(variable.text.strip()):
                keys[key] = f"env:{from_env[1]}"
                continue
            open_value = None if variable.sealed or "{{" in variable.text else variable.text
            secret = (key, open_value if open_value is not None else str(variable.where))
            if secret not in self._secrets:
                number = 1 + sum(kind == key for kind, _ in self._secrets)
                self._secrets[secret] = f"ORCH_{key.upper()}" + (f"_{number}" if number > 1 else "")
            keys[key] = f"env:{self._secrets[secret]}"
            text = f"not copied: {name}: put it into the variable {self._secrets[secret]}"
            self.note(variable.where, text)


def _last(names: tuple[str, ...], given: Mapping[str, Variable]) -> tuple[str, Variable] | None:
    """Give the last of these variables that is set to something."""
    for name in reversed(names):
        if name in given and (given[name].sealed or given[name].value not in (None, "")):
            return name, given[name]
    return None
