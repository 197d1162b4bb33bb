"""Turns whatever work ends in into a reply: the host must always get an answer."""

from __future__ import annotations

import errno
from typing import Any, Callable, TypeVar

from board_agent import protocol
from board_agent.errors import AgentError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
#: What is on the board is not as the agent has left it.
_IN_THE_WAY = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR)
_TAIL_LINES = 20

_Reply = TypeVar("_Reply")


def answer(work: Callable[[], _Reply]) -> _Reply | dict[str, Any]:
    """The reply that `work` gives, or the failure that stands for its exception."""
    try:
        return work()
    except AgentError as error:
        return protocol.failure(error.code, error.message, error.details)
    except Exception as error:  # noqa: BLE001 - the one place: a bug must reach the host too
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return protocol.failure(
                "DISK_FULL", f"{error.filename or 'work_dir'}: {error.strerror}"
            )
        if isinstance(error, OSError) and error.errno in _IN_THE_WAY:
            path = error.filename2 or error.filename or "work_dir"
            return protocol.failure("NOT_WRITABLE", f"{path}: {error.strerror}")
        import traceback  # dear, and rarely needed

        tail = traceback.format_exc().splitlines()[-_TAIL_LINES:]
        message = f"{type(error).__name__}: {error}"
        return protocol.failure("INTERNAL", message, {"traceback": "\n".join(tail)})
