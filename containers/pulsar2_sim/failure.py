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


def render(error: ToolFailure | CodeException, prefix: str) -> str:
    """Give the text that ends the log of a failed build; `prefix` is where the modules lie."""
    top = _stack(f"{prefix}.main", "pulsar2")
    if isinstance(error, ToolFailure):
        return f"{top}{error.name}: {error.message}"
    chain: list[BaseException] = [error.cause]
    while (before := chain[0].__cause__ or chain[0].__context__) is not None:
        chain.insert(0, before)
    parts = [
        f"{_stack(f'{prefix}.command.build', 'build')}{_name(one)}: {one}\n\n"
        "During handling of the above exception, another exception occurred:\n\n"
        for one in chain
    ]
    return (
        f"{''.join(parts)}{top}{_stack_line(f'{prefix}.common.error', 'error_func')}"
        f"{prefix}.common.error.CodeException: (<ErrorCode.{error.code.name}: {error.code.value}>, "
        f"{error.cause!r})"
    )


def _name(error: BaseException) -> str:
    """Give the name as a traceback has it: with its module, unless it is Python's own."""
    kind = type(error)
    module = getattr(error, "module", "" if kind.__module__ == "builtins" else kind.__module__)
    return f"{module}.{kind.__name__}" if module else kind.__name__


def _stack(module: str, function: str) -> str:
    return f"Traceback (most recent call last):\n{_stack_line(module, function)}"


def _stack_line(module: str, function: str) -> str:
    return f'  File "<frozen {module}>", line 1, in {function}\n'
