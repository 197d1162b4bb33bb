from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from board_agent.inner import UNSEEN, Inner


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of the vendor's package that calls its C library."""
    made = ModuleType("axengine._axe")
    monkeypatch.setitem(sys.modules, "axengine._axe", made)
    return made


def test_the_call_that_runs_a_model_is_seen(module: ModuleType) -> None:
    ticks = iter([10, 25])
    library = SimpleNamespace(
        AX_ENGINE_RunSyncV2=lambda *arguments: arguments, AX_ENGINE_SetAffinity=1
    )
    module.__dict__["engine_lib"] = library
    inner = Inner(lambda: next(ticks))

    assert inner.watch()

    watched = module.__dict__["engine_lib"]
    assert (inner.began_ns, inner.ended_ns) == (UNSEEN, UNSEEN)
    assert watched.AX_ENGINE_RunSyncV2("handle", "context", "io") == ("handle", "context", "io")
    assert (inner.began_ns, inner.ended_ns) == (10, 25)


def test_all_else_of_the_library_is_as_it_was(module: ModuleType) -> None:
    module.__dict__["engine_lib"] = SimpleNamespace(AX_ENGINE_RunGroupIOSync=len, other=3)

    Inner(lambda: 0).watch()

    watched = module.__dict__["engine_lib"]
    assert watched.other == 3
    assert not hasattr(watched, "AX_ENGINE_GetTotalOps")  # by which the package tells the chip


@pytest.mark.parametrize("library", [None, SimpleNamespace(other=3)])
def test_a_package_that_lets_nothing_be_seen_is_left_alone(
    module: ModuleType, library: object
) -> None:
    module.__dict__["engine_lib"] = library

    assert not Inner(lambda: 0).watch()
    assert module.__dict__["engine_lib"] is library


def test_other_packages_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    other = ModuleType("axengineer")
    other.__dict__["engine_lib"] = SimpleNamespace(AX_ENGINE_RunSyncV2=len)
    monkeypatch.setitem(sys.modules, "axengineer", other)

    assert not Inner(lambda: 0).watch()
