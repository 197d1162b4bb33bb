"""What paramiko and the sockets raise while a connection is made, as errors of ours."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import paramiko

from orchestrator.backends.ssh_way import Step
from orchestrator.errors import Unreachable

# What it logs is raised as well; without a handler Python prints its tracebacks on stderr.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


@contextmanager
def translated(step: Step, timeout_s: float) -> Iterator[None]:
    """Raise Unreachable that names the step, in the place of what goes wrong inside."""
    try:
        yield
    except paramiko.ChannelException as error:
        hint = "can the jump host reach it? try: ssh to the jump host, then from there to the board"
        raise Unreachable(
            f"{step.label}: no way through the jump host: {error.text}", hint
        ) from error
    except paramiko.SSHException as error:
        reason = str(error) or f"nothing came within {timeout_s:g} s"
        raise Unreachable(
            f"{step.label}: no SSH answer: {reason}", "is it an SSH server?"
        ) from error
    except TimeoutError as error:
        raise _no_connection(step, f"nothing came within {timeout_s:g} s") from error
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "it hung up"
        raise _no_connection(step, reason) from error


def _no_connection(step: Step, reason: str) -> Unreachable:
    hint = f"is it on and on the net? try: ssh -p {step.port} {step.user}@{step.host}"
    return Unreachable(f"{step.label}: no connection: {reason}", hint)
