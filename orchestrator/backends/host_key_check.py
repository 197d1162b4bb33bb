"""Whether a server may show the host key that it shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko

from orchestrator.backends.known_hosts import HostKey, KnownKeys, known_keys, parse_key
from orchestrator.backends.ssh_way import Step
from orchestrator.errors import HostKeyError

_RSA = ("rsa-sha2-512", "rsa-sha2-256")
#: What `orch fleet trust` asks a server for, one after the other: the types ssh-keygen makes.
KINDS: tuple[tuple[str, ...], ...] = (
    ("ssh-ed25519",),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    _RSA,
)


@dataclass(frozen=True, slots=True)
class HostKeyCheck:
    """Refuses every key but the known ones, as paramiko's policy for keys it does not know.

    paramiko keeps one key of a type for a server, the last; here any number may be known.
    """

    step: Step
    known: KnownKeys

    @classmethod
    def of(cls, step: Step, files: Iterable[Path]) -> HostKeyCheck:
        """Take the keys pinned in the inventory, else those in the files. Raises HostKeyError."""
        known = known_keys(files, step.key_name, step.subject)
        if step.host_keys:
            known = KnownKeys(_pinned(step), known.revoked)
        return cls(step, known)

    def make_transport(self, line: Any, **options: Any) -> paramiko.Transport:
        """Make paramiko's transport ask first for the key types that are known here.

        GCM needs one pass over the bytes where paramiko's usual ciphers need two: half the time.
        """
        transport = paramiko.Transport(line, **options)
        security = transport.get_security_options()
        kinds = [one for key in self.known.trusted for one in _algorithms(key.kind)]
        security.key_types = tuple(sorted(security.key_types, key=lambda one: one not in kinds))
        security.ciphers = tuple(sorted(security.ciphers, key=lambda one: "-gcm@" not in one))
        return transport

    def missing_host_key(self, _: paramiko.SSHClient, __: str, key: paramiko.PKey) -> None:
        """Judge what was shown. Raises HostKeyError."""
        self.judge(HostKey(key.get_name(), key.asbytes()))

    def judge(self, shown: HostKey) -> None:
        """Raise HostKeyError, with the fingerprints, unless the key is a known one."""
        known, where, subject = self.known, self.step.label, self.step.subject
        if shown in known.revoked:
            raise HostKeyError(
                f"{where}: it showed a revoked host key: {shown.kind} {shown.fingerprint}",
                "give the board a new key; somebody else may hold this one",
            )
        if not known.trusted:
            raise HostKeyError(
                f"{where}: its host key is unknown: {shown.kind} {shown.fingerprint}",
                f"look at it and accept it: orch fleet trust {subject}",
            )
        if shown not in known.trusted:
            same = [key for key in known.trusted if key.kind == shown.kind] or known.trusted
            expected = " or ".join(key.fingerprint for key in same)
            raise HostKeyError(
                f"{where}: the host key has changed: expected {expected}, "
                f"was shown {shown.fingerprint} ({shown.kind})",
                f"if it was reinstalled: orch fleet trust {subject}",
            )


def _pinned(step: Step) -> tuple[HostKey, ...]:
    return tuple(_parse_pinned(text, step.subject) for text in step.host_keys)


def _parse_pinned(text: str, subject: str) -> HostKey:
    try:
        return parse_key(text)
    except ValueError as error:
        raise HostKeyError(
            f"{subject}: its pinned host_key is not a public key: {text[:40]!r}",
            "it looks like `ssh-ed25519 AAAA…`: orch fleet trust",
        ) from error


def _algorithms(kind: str) -> Sequence[str]:
    return _RSA if kind == "ssh-rsa" else (kind,)
