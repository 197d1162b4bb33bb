"""How the tool fails: a text like Python's traceback, whose last line a driver can read."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum


class ErrorCode(Enum):
    """The vendor's classes of failure that are known."""

    QuantError = 3
    FrontendError = 6
    NPUBackendError = 8
    OnnxOptimizationError = 13


class ToolFailure(Exception):  # noqa: N818 - what it is called in a log is `name`
    """A failure that the vendor's tool lets through as it is."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(name, message)
        self.name = name
        self.message = message


class CodeException(Exception):  # noqa: N818 - the vendor's name
    """A failure that the vendor's tool puts into one of its classes."""

    def __init__(self, code: ErrorCode, cause: Exception) -> None:
        super().__init__(code, cause)
        self.code = code
        self.cause = cause


@contextmanager
def failing_as(code: ErrorCode) -> Iterator[None]:
    """Turn whatever goes wrong inside into a CodeException of this class."""
    try:
        yield
    except (CodeException, ToolFailure):
        raise
    except Exception as error:
        raise CodeException(code, error) from error


def render(error: ToolFailure | CodeException) -> str:
    """Give the text that ends the log of a failed build."""
    if isinstance(error, ToolFailure):
        return f"{_stack('yamain.main', 'pulsar2')}{error.name}: {error.message}"
    cause = error.cause
    return (
        f"{_stack('yamain.command.build', 'build')}{type(cause).__name__}: {cause}\n\n"
        "During handling of the above exception, another exception occurred:\n\n"
        f"{_stack('yamain.main', 'pulsar2')}{_stack_line('yamain.common.error', 'error_func')}"
        f"yamain.common.error.CodeException: (<ErrorCode.{error.code.name}: {error.code.value}>, "
        f"{cause!r})"
    )


def _stack(module: str, function: str) -> str:
    return f"Traceback (most recent call last):\n{_stack_line(module, function)}"


def _stack_line(module: str, function: str) -> str:
    return f'  File "<frozen {module}>", line 1, in {function}\n'
