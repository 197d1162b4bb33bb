"""`pulsar2 run`: files in, files out, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.pulsar2_sim.conftest import Bench, Ended


def _two_inputs(path: Path) -> Path:
    """Write c = a * 2 + b, with names that cannot stand in a file name."""
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["in/a:0", "two"], ["twice/a"]),
            helper.make_node("Add", ["twice/a", "b-1"], ["out/c"]),
        ],
        "two",
        [
            helper.make_tensor_value_info("in/a:0", TensorProto.FLOAT, [2, 3]),
            helper.make_tensor_value_info("b-1", TensorProto.FLOAT, [3]),
        ],
        [helper.make_tensor_value_info("out/c", TensorProto.FLOAT, [2, 3])],
        [helper.make_tensor("two", TensorProto.FLOAT, [], [2.0])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def _run(bench: Bench, model: Path, *options: str | Path) -> Ended:
    where = ("--input_dir", bench.folder / "in", "--output_dir", bench.folder / "result")
    return bench.pulsar2("run", "--model", model, *where, *options)


def _lines(bench: Bench, text: str) -> tuple[str, Path]:
    path = bench.folder / "list.txt"
    path.write_text(text)
    return ("--list", path)


def test_two_inputs_in_two_folders_are_as_many_simulations(bench: Bench) -> None:
    model = _two_inputs(bench.folder / "two.onnx")
    for name, value in (("0", 1), ("day/1", 5)):
        folder = bench.folder / "in" / name
        folder.mkdir(parents=True)
        np.full((2, 3), value, "<f4").tofile(folder / "in_a_0.bin")
        np.arange(3, dtype="<f4").tofile(folder / "b-1.bin")

    ended = _run(bench, model, *_lines(bench, "0\n\n  day/1\n"))

    assert ended.code == 0, ended.err
    result = bench.folder / "result"
    assert ended.out.splitlines() == [
        f"Building native {'━' * 40} 100% 0:00:00",
        ">>> [0] start",
        f"write [out/c] to [{result}/0/out_c.bin] successfully",
        ">>> [0] finish",
        ">>> [day/1] start",
        f"write [out/c] to [{result}/day/1/out_c.bin] successfully",
        ">>> [day/1] finish",
    ]
    assert np.fromfile(result / "0" / "out_c.bin", "<f4").tolist() == [2, 3, 4, 2, 3, 4]
    assert np.fromfile(result / "day/1" / "out_c.bin", "<f4").tolist() == [10, 11, 12] * 2


@pytest.mark.parametrize("line", ["../0", "/tmp", "a/../../b", ".."])
def test_a_line_that_leaves_the_folder_is_refused_before_anything_runs(
    bench: Bench, line: str
) -> None:
    model = _two_inputs(bench.folder / "two.onnx")

    ended = _run(bench, model, "--random_input", *_lines(bench, f"0\n{line}\n"))

    assert ended.code == 1
    assert f"list.txt: {line!r} leaves {bench.folder}/in" in ended.last_line
    assert not (bench.folder / "in").exists()


def test_random_inputs_are_written_where_they_are_read(bench: Bench) -> None:
    model = _two_inputs(bench.folder / "two.onnx")

    ended = _run(bench, model, "--random_input", *_lines(bench, "0\n1\n"))

    assert ended.code == 0, ended.err
    first, second = (
        np.fromfile(bench.folder / "in" / name / "in_a_0.bin", "<f4") for name in ("0", "1")
    )
    b = np.fromfile(bench.folder / "in" / "1" / "b-1.bin", "<f4")
    found = np.fromfile(bench.folder / "result" / "1" / "out_c.bin", "<f4")
    assert first.tolist() != second.tolist()
    assert np.array_equal(found.reshape(2, 3), second.reshape(2, 3) * 2 + b)


def test_the_layers_in_between_are_dumped(bench: Bench) -> None:
    model = _two_inputs(bench.folder / "two.onnx")

    ended = _run(bench, model, "--random_input", "--enable_perlayer_output")

    assert ended.code == 0, ended.err
    assert sorted(path.name for path in (bench.folder / "result").iterdir()) == [
        "out_c.bin", "twice_a.bin",
    ]  # fmt: skip
    a = np.fromfile(bench.folder / "in" / "in_a_0.bin", "<f4")
    assert np.array_equal(np.fromfile(bench.folder / "result" / "twice_a.bin", "<f4"), a * 2)


def test_the_layers_of_an_axmodel_are_its_quantized_tensors(bench: Bench) -> None:
    assert bench.build().code == 0

    ended = _run(bench, bench.axmodel, "--random_input", "--enable_perlayer_output")

    assert ended.code == 0, ended.err
    result = bench.folder / "result"
    dumped = np.fromfile(result / "logits_QuantizeLinear_Output.bin", np.uint8).astype(int)
    classes = np.fromfile(result / "classes.bin", np.int32)
    logits = dumped.reshape(4, -1)
    # A kernel may round to one step away from the arithmetic that is written down; one that sums
    # in 16 bits is fifty away.
    assert np.all(logits.max(axis=0) - np.take_along_axis(logits, classes[None], 0)[0] <= 1)
    assert not list(result.glob("w1_*"))


def test_a_batch_is_run_one_sample_after_the_other(bench: Bench) -> None:
    assert bench.build().code == 0
    images = np.random.default_rng(6).integers(0, 256, (3, 16, 24, 3), dtype=np.uint8)
    (bench.folder / "in").mkdir()
    images.tofile(bench.folder / "in" / "pixel_values.bin")

    ended = _run(bench, bench.axmodel, "--batch_size", "3")

    assert ended.code == 0, ended.err
    found = np.fromfile(bench.folder / "result" / "classes.bin", np.int32).reshape(3, -1)
    for image, classes in zip(images, found, strict=True):
        image.tofile(bench.folder / "in" / "pixel_values.bin")
        assert _run(bench, bench.axmodel).code == 0
        one = np.fromfile(bench.folder / "result" / "classes.bin", np.int32)
        assert np.array_equal(one, classes)


def test_a_batch_size_means_nothing_to_an_onnx_file(bench: Bench) -> None:
    model = _two_inputs(bench.folder / "two.onnx")

    ended = _run(bench, model, "--random_input", "--batch_size", "7")

    assert ended.code == 0, ended.err
    assert (bench.folder / "result" / "out_c.bin").stat().st_size == 24


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (None, "No such file or directory"),
        (20, "in_a_0.bin has 20 bytes, [in/a:0] takes 24: float32 (2, 3)"),
    ],
)
def test_an_input_that_is_missing_or_of_the_wrong_size_is_refused(
    bench: Bench, size: int | None, message: str
) -> None:
    model = _two_inputs(bench.folder / "two.onnx")
    (bench.folder / "in").mkdir()
    if size is not None:
        (bench.folder / "in" / "in_a_0.bin").write_bytes(bytes(size))

    ended = _run(bench, model)

    assert ended.code == 1
    assert message in ended.last_line
    assert not (bench.folder / "result").exists()


def test_the_vendors_quantized_operators_are_refused_by_name(bench: Bench) -> None:
    model = onnx.load(_two_inputs(bench.folder / "two.onnx"))
    model.graph.node[0].op_type = "AxQuantizedMul"
    onnx.save(model, bench.folder / "quant_axmodel.onnx")

    ended = _run(bench, bench.folder / "quant_axmodel.onnx")

    assert ended.code == 1
    assert "a QuantAxModel with AxQuantizedMul: the stand-in cannot run" in ended.last_line


def test_a_genuine_axmodel_is_refused(bench: Bench) -> None:
    assert bench.build().code == 0
    model = onnx.load(bench.axmodel)
    model.doc_string = "Pulsar2 Version:  5.2\nPulsar2 Commit: 3cdead5e"
    onnx.save(model, bench.axmodel)

    ended = _run(bench, bench.axmodel)

    assert ended.code == 1
    assert "a genuine axmodel: the stand-in cannot run it" in ended.last_line


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_list_without_a_folder_is_refused(bench: Bench, text: str) -> None:
    ended = _run(bench, _two_inputs(bench.folder / "two.onnx"), *_lines(bench, text))

    assert ended.code == 1
    assert ended.last_line.endswith("list.txt names no folder")


def test_names_that_would_share_a_file_are_refused(bench: Bench) -> None:
    model = onnx.load(_two_inputs(bench.folder / "two.onnx"))
    model.graph.input[1].name = model.graph.node[1].input[1] = "in_a:0"
    onnx.save(model, bench.folder / "two.onnx")

    ended = _run(bench, bench.folder / "two.onnx", "--random_input")

    assert ended.code == 1
    assert "tensors ['in/a:0', 'in_a:0'] would share in_a_0.bin" in ended.last_line


def test_an_onnx_file_gives_what_onnxruntime_gives(bench: Bench) -> None:
    ended = _run(bench, bench.folder / "model.onnx", "--random_input")

    assert ended.code == 0, ended.err
    session = onnxruntime.InferenceSession(
        bench.folder / "model.onnx", providers=["CPUExecutionProvider"]
    )
    feed = np.fromfile(bench.folder / "in" / "pixel_values.bin", "<f4").reshape(1, 3, 16, 24)
    (wanted,) = session.run(None, {"pixel_values": feed})
    found = np.fromfile(bench.folder / "result" / "classes.bin", np.int64)
    assert np.array_equal(found, wanted.reshape(-1))
