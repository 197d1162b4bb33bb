"""Logging in: key files, ssh-agent, the usual keys, a password; in this order."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import paramiko

from orchestrator.backends.known_hosts import parse_key
from orchestrator.backends.ssh_way import Step
from orchestrator.errors import LoginRefused, Refused

_USUAL = ("id_ed25519", "id_ecdsa", "id_rsa")


@dataclass(slots=True)
class Login:
    """What paramiko calls once the host key was accepted; keeps why keys were not offered."""

    step: Step
    secret_of: Callable[[str], str]
    notes: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)

    def authenticate(self, transport: paramiko.Transport) -> None:
        """Log in. Raises LoginRefused; Refused for a key file that is missing; EOFError."""
        accepted, partly = self._offer_keys(transport)
        if accepted:
            return
        if self.step.password is None or not transport.is_active():
            raise self._refused("the key was accepted, a password is wanted too" if partly else "")
        try:
            transport.auth_password(self.step.user, self.secret_of(self.step.password))
        except paramiko.BadAuthenticationType as error:
            self.notes.append(f"no password, for it takes only {', '.join(error.allowed_types)}")
            raise self._refused() from error
        except paramiko.AuthenticationException as error:
            if not transport.is_active():
                raise EOFError from error
            self.hints.insert(0, f"is the password right? it comes from {self.step.password}")
            raise self._refused("the password was not accepted") from error

    def _offer_keys(self, transport: paramiko.Transport) -> tuple[bool, bool]:
        """Say whether a key was enough, and whether one is that wants a password beside it."""
        offered, partly = 0, False
        with closing(self._keys()) as keys:
            for key in keys:
                offered += 1
                try:
                    partly = bool(transport.auth_publickey(self.step.user, key))
                except paramiko.BadAuthenticationType as error:
                    self.notes.append(f"it takes only {', '.join(error.allowed_types)}")
                    break
                except paramiko.AuthenticationException as error:
                    if transport.is_active():
                        continue
                    if offered == 1:  # the line went before anything was said
                        raise EOFError from error
                    self.notes.append("it hung up, as after too many tries")
                    break
                if not partly:
                    return True, False
                break
        self.notes.insert(0, f"{offered} key{'' if offered == 1 else 's'} tried")
        return False, partly

    def _keys(self) -> Generator[paramiko.PKey, None, None]:
        seen: set[bytes] = set()
        for key in self._candidates():
            if key.asbytes() not in seen:
                seen.add(key.asbytes())
                yield key

    def _candidates(self) -> Iterator[paramiko.PKey]:
        named = [Path(file).expanduser() for file in self.step.key_files]
        for file in named:
            if (key := self._load(file, must_exist=self.step.only_these_keys)) is not None:
                yield key
        yield from self._held_by_agent(named)
        if not self.step.only_these_keys:
            for name in _USUAL:
                key = self._load(Path("~/.ssh").expanduser() / name, must_exist=False)
                if key is not None:
                    yield key

    def _held_by_agent(self, named: list[Path]) -> Iterator[paramiko.PKey]:
        """Give the agent's keys; where files are named, those that their .pub says are theirs."""
        public = {_public(file) for file in named} if self.step.only_these_keys else {None}
        try:
            with closing(paramiko.Agent()) as agent:
                for one in agent.get_keys():
                    if None in public or one.asbytes() in public:
                        yield one
        except paramiko.SSHException as error:
            self.notes.append(f"ssh-agent gave no keys: {error}")

    def _load(self, file: Path, *, must_exist: bool) -> paramiko.PKey | None:
        try:
            return _read_key(file, file.stat().st_mtime_ns)
        except FileNotFoundError as error:
            if must_exist:
                hint = "correct identity_file in the inventory"
                message = f"{self.step.label}: there is no identity_file {file}"
                raise Refused(message, hint) from error
        except _Encrypted:
            self.notes.append(f"{file} is encrypted")
            self.hints.append(f"load it into ssh-agent: ssh-add {file}")
        except (OSError, ValueError, paramiko.SSHException) as error:
            reason = getattr(error, "strerror", None) or "it is no private key that is known here"
            self.notes.append(f"{file} was not read: {reason}")
        return None

    def _refused(self, why: str = "") -> LoginRefused:
        notes = "; ".join([why, *self.notes] if why else self.notes)
        usual = "name a key with identity_file, load it into ssh-agent, or copy it to the board"
        return LoginRefused(
            f"{self.step.label}: the login was refused: {notes}",
            "; ".join(self.hints) or usual,
        )


class _Encrypted(Exception):  # noqa: N818 - the state of a key file
    pass


@lru_cache(maxsize=64)  # a fleet uses the same few keys
def _read_key(file: Path, _changed_ns: int) -> paramiko.PKey:
    try:
        return paramiko.PKey.from_path(str(file))
    except (TypeError, paramiko.PasswordRequiredException) as error:
        # cryptography says so of every key that wants a password.
        raise _Encrypted from error


def _public(file: Path) -> bytes | None:
    try:
        return parse_key(Path(f"{file}.pub").read_text()).blob
    except (OSError, ValueError):
        return None
