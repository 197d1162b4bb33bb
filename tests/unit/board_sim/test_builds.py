"""The look-alike has the quirks of the published builds of axengine, one by one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from board_agent import builds
from containers.board_sim.axengine import InferenceSession, _axe
from containers.board_sim.axengine._axe_capi import EngineLibrary
from containers.board_sim.axengine._providers import get_available_providers
from containers.board_sim.profiles import AXENGINE_BUILDS, PROFILES, identity_of
from containers.board_sim.root import AXENGINE, make_root

Write = Callable[..., Path]
IMAGE = np.array([[[0, 5, 2], [9, 1, 1]]], dtype=np.uint8)


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_root(tmp_path / "board", PROFILES["m4n-ubuntu22"], identity_of("sim-01"))
    monkeypatch.setenv("ORCH_SYSROOT", str(tmp_path / "board"))
    return tmp_path / "board"


def _session(root: Path, model: Path, build: str) -> InferenceSession:
    profile = PROFILES["m4n-ubuntu22"]._replace(axengine=build)
    make_root(root, profile, identity_of("sim-01"))
    return InferenceSession(str(model))


def _named(outputs: list[Any]) -> list[str]:
    """Which output each array is: a is the image, b its successor, c has another dtype."""
    return [
        "c" if one.dtype == np.int32 else "a" if np.array_equal(one, IMAGE) else "b"
        for one in outputs
    ]


@pytest.mark.parametrize("build", AXENGINE_BUILDS)
def test_only_the_newest_build_minds_the_order_of_names_and_gets_it_wrong(
    root: Path, write_axmodel: Write, build: str
) -> None:
    session = _session(root, write_axmodel(), build)
    assert _named(session.run(None, {"x": IMAGE})) == ["a", "b", "c"]
    asked = _named(session.run(["c", "a", "b"], {"x": IMAGE}))
    if build == "0.1.3.rc3":
        assert asked == ["b", "c", "a"]
        with pytest.raises(ValueError, match=r"^'a' is not in list$"):
            session.run(["b"], {"x": IMAGE})
    else:
        assert asked == ["a", "b", "c"]
        assert _named(session.run(["b"], {"x": IMAGE})) == ["b"]


@pytest.mark.parametrize("build", AXENGINE_BUILDS)
def test_the_oldest_build_gives_views_that_the_next_run_overwrites(
    root: Path, write_axmodel: Write, build: str
) -> None:
    session = _session(root, write_axmodel(), build)
    first = session.run(None, {"x": IMAGE})[0]
    session.run(None, {"x": np.zeros_like(IMAGE)})
    assert np.array_equal(first, IMAGE) == (build != "0.1.3rc0")


def test_the_look_alike_is_none_of_axeras_files() -> None:
    found = builds.installed(AXENGINE)
    assert found is not None
    assert found.name is None


def test_the_c_call_is_looked_up_when_it_is_made(
    write_axmodel: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    class Watched(EngineLibrary):
        def AX_ENGINE_RunSyncV2(self, handle: Any, context: object, io: Any) -> int:  # noqa: N802
            seen.append(handle)
            return super().AX_ENGINE_RunSyncV2(handle, context, io)

    session = InferenceSession(str(write_axmodel()))
    monkeypatch.setattr(_axe, "engine_lib", Watched())
    assert _named(session.run(None, {"x": IMAGE})) == ["a", "b", "c"]
    assert len(seen) == 1


def test_a_c_call_that_fails_has_the_vendors_words(
    write_axmodel: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(EngineLibrary):
        def AX_ENGINE_RunSyncV2(self, handle: object, context: object, io: object) -> int:  # noqa: N802, ARG002
            return -1

    session = InferenceSession(str(write_axmodel()))
    monkeypatch.setattr(_axe, "engine_lib", Broken())
    with pytest.raises(RuntimeError, match=r"^Failed to run model\.$"):
        session.run(None, {"x": IMAGE})


@pytest.mark.parametrize(
    ("left_kb", "text"),
    [(0, "Failed to load model."), (2, "Failed to load model."), (4096, None)],
)
def test_a_model_needs_memory_of_the_npu(
    root: Path, write_axmodel: Write, left_kb: int, text: str | None
) -> None:
    profile = PROFILES["m4n-ubuntu22"]
    full = profile._replace(cmm_used_kb=profile.cmm_total_kb - left_kb)
    model = write_axmodel(network=None)
    if left_kb == 2:
        model.write_bytes(model.read_bytes() + b"\0" * 4096)
    make_root(root, full, identity_of("sim-01"))
    if text is None:
        InferenceSession(str(model))
        return
    with pytest.raises(RuntimeError) as caught:
        InferenceSession(str(model))
    assert str(caught.value) == text


def test_a_library_that_cannot_be_found_is_no_provider(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert get_available_providers() == ["AxEngineExecutionProvider"]
    (root / "soc/lib/libax_engine.so").touch()
    assert get_available_providers() == []
    monkeypatch.setattr("ctypes.util.find_library", lambda name: f"/soc/lib/lib{name}.so")
    assert get_available_providers() == ["AxEngineExecutionProvider"]


def _python(root: Path, code: str, *argv: str) -> subprocess.CompletedProcess[str]:
    packages = next(root.glob("opt/site-packages/local/lib/python3*/dist-packages"))
    environment = {"PYTHONPATH": str(packages), "ORCH_SYSROOT": str(root), "PATH": os.defpath}
    argv = (sys.executable, "-c", code, *argv)
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_without_its_library_the_package_does_not_load(root: Path) -> None:
    (root / "soc/lib/libax_engine.so").touch()
    done = _python(root, "import axengine")
    assert done.returncode == 1
    assert (
        "ImportError: No providers found. Please make sure you have installed one of the "
        "following: ['AxEngineExecutionProvider', 'AXCLRTExecutionProvider']"
    ) in done.stderr


@pytest.mark.slow
def test_a_session_that_lives_at_exit_complains_and_the_process_ends_well(
    root: Path, write_axmodel: Write
) -> None:
    code = "import axengine, sys; session = axengine.InferenceSession(sys.argv[1])"
    model = shutil.copy(write_axmodel(), root / "model.axmodel")
    done = _python(root, code, str(model))
    assert done.returncode == 0
    assert "Exception ignored in: <function AXEngineSession.__del__" in done.stderr
    assert "'NoneType' object has no attribute 'AX_ENGINE_DestroyHandle'" in done.stderr
    calm = _python(root, f"{code}; del session; import gc; gc.collect()", str(model))
    assert (calm.returncode, calm.stderr) == (0, "")
