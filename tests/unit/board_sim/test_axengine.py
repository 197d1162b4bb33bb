from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from containers.board_sim.axengine import InferenceSession
from containers.board_sim.profiles import PROFILES, Fault, identity_of, with_faults
from containers.board_sim.root import make_root

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_root(tmp_path / "board", PROFILES["m4n-ubuntu22"], identity_of("sim-01"))
    monkeypatch.setenv("ORCH_SYSROOT", str(tmp_path / "board"))
    return tmp_path / "board"


@pytest.fixture
def image() -> NDArray[np.uint8]:
    return np.array([[[0, 5, 2], [9, 1, 1]]], dtype=np.uint8)


def test_a_process_prints_the_seven_lines_in_order(root: Path, write_axmodel: Write) -> None:
    packages = next(root.glob("opt/site-packages/local/lib/python3*/dist-packages"))
    code = "import axengine, sys; axengine.InferenceSession(sys.argv[1], providers=sys.argv[2])"
    done = subprocess.run(
        [sys.executable, "-c", code, str(write_axmodel(npu_mode=2)), "AxEngineExecutionProvider"],
        env={"PYTHONPATH": str(packages), "ORCH_SYSROOT": str(root), "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "[INFO] Available providers:  ['AxEngineExecutionProvider']",
        "[INFO] Using provider: AxEngineExecutionProvider",
        "[INFO] Chip type: ChipType.MC50",
        "[INFO] VNPU type: VNPUType.DISABLED",
        "[INFO] Engine version: 2.12.0s",
        "[INFO] Model type: 2 (triple core)",
        "[INFO] Compiler version: 5.2 fa4e0000",
    ]


def test_inputs_and_outputs_have_the_dtypes_of_the_npu(write_axmodel: Write) -> None:
    session = InferenceSession(str(write_axmodel()))
    (given,) = session.get_inputs()
    assert (given.name, given.dtype, given.shape) == ("x", np.dtype("uint8"), [1, 2, 3])
    assert [(node.name, node.dtype.name) for node in session.get_outputs()] == [
        ("a", "uint8"),
        ("b", "uint8"),
        ("c", "int32"),
    ]
    assert session.get_providers() == "AxEngineExecutionProvider"


def test_a_model_computes_what_its_network_does(
    write_axmodel: Write, image: NDArray[np.uint8]
) -> None:
    a, b, c = InferenceSession(str(write_axmodel())).run(None, {"x": image})
    np.testing.assert_array_equal(a, image)
    np.testing.assert_array_equal(b, image + 1)
    assert c.dtype == np.int32
    assert c.ravel().tolist() == [1, 0]


def test_naming_outputs_permutes_them_the_wrong_way_as_in_rc3(
    write_axmodel: Write, image: NDArray[np.uint8]
) -> None:
    session = InferenceSession(str(write_axmodel()))
    first, second, third = session.run(["c", "a", "b"], {"x": image})
    np.testing.assert_array_equal(first, image + 1)
    assert second.dtype == np.int32
    np.testing.assert_array_equal(third, image)
    with pytest.raises(ValueError, match=r"^'a' is not in list$"):
        session.run(["b"], {"x": image})


def test_an_array_in_fortran_order_is_read_as_its_bytes_lie(write_axmodel: Write) -> None:
    image = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)
    (a, *_) = InferenceSession(str(write_axmodel())).run(None, {"x": np.asfortranarray(image)})
    assert a.ravel().tolist() == [0, 3, 1, 4, 2, 5]


@pytest.mark.parametrize(
    ("names", "feed", "kind", "text"),
    [
        (
            None,
            {},
            ValueError,
            "Required inputs (['x']) are missing from input feed ({}).",
        ),
        (
            ["z"],
            {"x": np.zeros((1, 2, 3), np.uint8)},
            ValueError,
            "Output name 'z' is not in model outputs name list.",
        ),
        (
            None,
            {"x": np.zeros((1, 2, 3), np.float32)},
            AssertionError,
            (
                "model inputs(x) expect shape [1, 2, 3] and dtype uint8, "
                "however gets input with shape (1, 2, 3) and dtype float32"
            ),
        ),
        (
            None,
            {"x": np.zeros((1, 3, 2), np.uint8)},
            AssertionError,
            (
                "model inputs(x) expect shape [1, 2, 3] and dtype uint8, "
                "however gets input with shape (1, 3, 2) and dtype uint8"
            ),
        ),
    ],
)
def test_a_wrong_call_gets_the_vendors_words(
    write_axmodel: Write,
    names: list[str] | None,
    feed: dict[str, NDArray[Any]],
    kind: type[Exception],
    text: str,
) -> None:
    session = InferenceSession(str(write_axmodel()))
    with pytest.raises(kind) as caught:
        session.run(names, feed)
    assert str(caught.value) == text


def test_a_shape_group_that_is_not_there_is_refused(
    write_axmodel: Write, image: NDArray[np.uint8]
) -> None:
    session = InferenceSession(str(write_axmodel()))
    with pytest.raises(ValueError, match=r"^Invalid shape group: 1$"):
        session.run(None, {"x": image}, shape_group=1)
    with pytest.raises(ValueError, match=r"^Shape group '2' is out of range, total 1\.$"):
        session.get_inputs(2)
    with pytest.raises(IndexError, match=r"^list index out of range$"):
        session.get_inputs(1)


@pytest.mark.parametrize(
    "change",
    [
        {"note": ""},
        {"commit": "76f70fdc"},
        {"hardware": 1},
        {"npu_mode": 3},
        {"version": "9.0"},
        {"network": b"\x08\x0a no network"},
    ],
    ids=["unmarked", "genuine commit", "AX620E", "no such mode", "too new", "broken network"],
)
def test_a_file_that_cannot_run_here_fails_to_load(
    write_axmodel: Write, change: dict[str, Any]
) -> None:
    with pytest.raises(RuntimeError, match=r"^Failed to load model\.$"):
        InferenceSession(str(write_axmodel(**change)))


def test_what_is_no_protobuf_fails_to_load(tmp_path: Path) -> None:
    path = tmp_path / "junk.axmodel"
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(RuntimeError, match=r"^Failed to load model\.$"):
        InferenceSession(str(path))


def test_an_old_runtime_fails_to_load_a_new_model(root: Path, write_axmodel: Write) -> None:
    faults: tuple[Fault, ...] = ("old-sdk",)
    make_root(root, with_faults(PROFILES["m4n-ubuntu22"], faults), identity_of("sim-01"))
    with pytest.raises(RuntimeError, match=r"^Failed to load model\.$"):
        InferenceSession(str(write_axmodel()))


def test_a_split_npu_takes_models_for_one_core_only(root: Path, write_axmodel: Write) -> None:
    (root / "proc/ax_proc/npu/vnpu").write_text("enable\n")
    InferenceSession(str(write_axmodel(npu_mode=0)))
    with pytest.raises(ValueError, match=r"is not allowed") as caught:
        InferenceSession(str(write_axmodel(npu_mode=2)))
    assert str(caught.value) == (
        "Model type 'ModelType.TRIPLE' is not allowed when vnpu is inited as VNPUType.ENABLED."
    )


def test_files_and_types_that_are_no_model_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    wrong: Any = 5
    with pytest.raises(FileNotFoundError):
        InferenceSession(str(tmp_path / "missing"))
    with pytest.raises(ValueError, match=r"^cannot mmap an empty file$"):
        InferenceSession(str(tmp_path / "empty"))
    with pytest.raises(TypeError, match=r"^Unable to load model from type '<class 'int'>'$"):
        InferenceSession(wrong)
    with pytest.raises(AttributeError, match=r"has no attribute '_model_name'$"):
        InferenceSession(b"bytes")


@pytest.mark.parametrize(
    ("providers", "kind", "text"),
    [
        ("X", ValueError, "Selected provider: 'X' is not available."),
        (["X", "Y"], ValueError, "Selected provider(s): ['X', 'Y'] is(are) not available."),
        (
            ("AxEngineExecutionProvider",),
            ValueError,
            "No available provider found in ('AxEngineExecutionProvider',).",
        ),
        ([7], AssertionError, "Invalid provider type: <class 'int'>"),
    ],
)
def test_a_provider_that_is_not_there_is_refused(
    write_axmodel: Write, providers: Any, kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind) as caught:
        InferenceSession(str(write_axmodel()), providers=providers)
    assert str(caught.value) == text


def test_one_of_two_providers_is_enough(
    write_axmodel: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    InferenceSession(str(write_axmodel()), providers=["X", ("AxEngineExecutionProvider", {})])
    assert "[WARNING] Selected provider(s): ['X'] is(are) not available." in capsys.readouterr().out
