"""Everything that can go wrong, as one tree.

    OrchError                exit 1
    ├── ConfigError          exit 2   a file, an option or the machine does not fit
    ├── StageError           exit 1   a stage did not reach its end
    │   ├── ExportError
    │   ├── OptimizeError
    │   ├── CompileError
    │   └── PreflightError
    ├── ToolchainError       exit 1   `pulsar2` could not be run at all
    │   └── ToolchainMissing exit 2   there is no such image, engine or program
    ├── BoardError           exit 1   one board; the others go on
    │   ├── Unreachable               no connection
    │   ├── HostKeyError              a host key that is unknown or has changed
    │   ├── LoginRefused              the board takes neither the keys nor the password
    │   ├── Refused                   the board cannot take what it was offered
    │   └── AgentError                the agent answered with a typed error (`code`)
    │       ├── Leased                somebody else has the board
    │       └── NoPython              there is no Python on the board for the agent to run in
    ├── DeadlineError        exit 1   something took longer than it may
    └── GateFailed           exit 3   the numbers are there and are not good enough

A message says what failed, on which thing, with which numbers: lower case, no full stop. The hint
says what to try. Arguments are positional with defaults, so that errors survive pickling.
"""

#: The exit code of a command that Ctrl-C ended.
INTERRUPTED = 130


class OrchError(Exception):
    """The root: a message, a hint and the exit code of the command."""

    exit_code = 1

    def __init__(self, message: str = "", hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class ConfigError(OrchError):
    """A file, an option or the machine is not set up for what was asked."""

    exit_code = 2


class StageError(OrchError):
    """A stage did not reach its end."""


class ExportError(StageError):
    """The checkpoint could not be turned into an ONNX file that agrees with it."""


class OptimizeError(StageError):
    """The simplified ONNX file is missing, or does not agree with the exported one."""


class CompileError(StageError):
    """`pulsar2 build` gave no axmodel, or not the one that was asked for.

    `code` is what a machine may match on: COMPILE, or one of the catalogue of failed builds.
    """

    def __init__(self, message: str = "", hint: str = "", code: str = "COMPILE") -> None:
        super().__init__(message, hint)
        self.args = (message, hint, code)
        self.code = code


class PreflightError(StageError):
    """`pulsar2 build` would refuse the model or its calibration, so it was not started."""


class ToolchainError(OrchError):
    """`pulsar2` could not be run at all."""


class ToolchainMissing(ToolchainError):  # noqa: N818 - reads as what it is: something is missing
    """There is no such image, engine or program."""

    exit_code = 2


class BoardError(OrchError):
    """One board failed; `code` is what a machine may match on."""

    code = "BOARD"


class Unreachable(BoardError):  # noqa: N818 - the state of a board
    """No connection to the board could be made or kept."""

    code = "UNREACHABLE"


class HostKeyError(BoardError):
    """The board's host key is unknown, or is not the one that was pinned."""

    code = "HOST_KEY"


class LoginRefused(BoardError):  # noqa: N818 - the state of a board
    """The board let nobody in with the keys and the password that there are."""

    code = "LOGIN"


class Refused(BoardError):  # noqa: N818 - the state of a board
    """The board cannot take what it was offered; nothing was copied."""

    code = "REFUSED"


class AgentError(BoardError):
    """The agent on the board answered with a typed error."""

    def __init__(self, message: str = "", hint: str = "", code: str = "INTERNAL") -> None:
        super().__init__(message, hint)
        self.args = (message, hint, code)
        self.code = code


class Leased(AgentError):  # noqa: N818 - the state of a board
    """Somebody else has the board's lease; unless more is heard of them it ends in `free_in_s`."""

    def __init__(self, message: str = "", hint: str = "", free_in_s: float = 0.0) -> None:
        super().__init__(message, hint, "LEASED")
        self.args = (message, hint, free_in_s)
        self.free_in_s = free_in_s


class NoPython(AgentError):  # noqa: N818 - the state of a board
    """The board has no `python3`: nothing was begun there."""


class DeadlineError(OrchError):
    """Something took longer than it may."""

    code = "DEADLINE"


class GateFailed(OrchError):  # noqa: N818 - the state of a run
    """The numbers are there and are not good enough."""

    exit_code = 3
