from __future__ import annotations

import pickle

import pytest

from orchestrator import errors


def every_kind(kind: type[errors.OrchError] = errors.OrchError) -> list[type[errors.OrchError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in every_kind(child))]


@pytest.mark.parametrize("kind", every_kind())
def test_an_error_survives_the_way_to_another_process(kind: type[errors.OrchError]) -> None:
    error = kind("b1: it failed", "try again")

    arrived = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert type(arrived) is kind
    assert (arrived.message, arrived.hint, str(arrived)) == (
        "b1: it failed",
        "try again",
        "b1: it failed",
    )
    assert arrived.exit_code == error.exit_code
    assert getattr(arrived, "code", None) == getattr(error, "code", None)


def test_the_agents_code_survives_too() -> None:
    error = errors.AgentError("m", "h", "CMM_FULL")

    arrived = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert (arrived.message, arrived.hint, arrived.code) == ("m", "h", "CMM_FULL")


@pytest.mark.parametrize("kind", every_kind())
def test_the_tree_in_the_documentation_is_the_tree(kind: type[errors.OrchError]) -> None:
    (line,) = (
        line
        for line in (errors.__doc__ or "").splitlines()
        if line.replace("│", " ").replace("├──", " ").replace("└──", " ").split()[:1]
        == [kind.__name__]
    )

    codes = [
        word
        for before, word in zip(line.split(), line.split()[1:], strict=False)
        if before == "exit"
    ]
    assert codes in ([], [str(kind.exit_code)])
    assert kind.__mro__[1].__name__ in (errors.__doc__ or "") or kind is errors.OrchError
