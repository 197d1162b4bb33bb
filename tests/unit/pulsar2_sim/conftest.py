"""A tiny model, its calibration archives, and the stand-in's command line to run on them."""

import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from containers.pulsar2_sim.cli import main
from containers.pulsar2_sim.run import fused_session

ROOT = Path(__file__).parents[3]
MEAN = [123.675, 116.28, 103.53]
STD = [58.395, 57.12, 57.375]
CLASSES = 4
SHAPE = (1, 3, 16, 24)

Config = dict[str, object]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended; `err` is what a driver matches on."""

    code: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        return self.err.replace("\r", "\n").strip().splitlines()[-1]


@dataclass(frozen=True, slots=True)
class Bench:
    """A folder with `model.onnx` and `calibration.tar`, and `pulsar2` to use them with."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    @property
    def axmodel(self) -> Path:
        return self.folder / "out" / "compiled.axmodel"

    def config(self, *, processor: Mapping[str, object] | None = None, **changes: object) -> Config:
        """Give a good config: 8-bit NHWC at run time, Numpy calibration; `changes` at the top."""
        return {
            "input": str(self.folder / "model.onnx"),
            "output_dir": str(self.folder / "out"),
            "quant": {"input_configs": [self.input_config()]},
            "input_processors": [
                {
                    "tensor_name": "pixel_values",
                    "tensor_format": "RGB",
                    "src_format": "RGB",
                    "src_dtype": "U8",
                    "src_layout": "NHWC",
                }
                | dict(processor or {})
            ],
        } | changes

    def input_config(self, **changes: object) -> Config:
        return {
            "tensor_name": "pixel_values",
            "calibration_dataset": str(self.folder / "calibration.tar"),
            "calibration_format": "Numpy",
            "calibration_size": 3,
            "calibration_mean": MEAN,
            "calibration_std": STD,
        } | changes

    def write(self, config: Config | str) -> Path:
        path = self.folder / "build.json"
        path.write_text(config if isinstance(config, str) else json.dumps(config))
        return path

    def pulsar2(self, *argv: str | Path) -> Ended:
        """Run in this process."""
        self.capture.readouterr()
        try:
            code = main([str(word) for word in argv])
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        out, err = self.capture.readouterr()
        return Ended(code, out, err)

    def build(self, config: Config | str | None = None, *options: str) -> Ended:
        path = self.write(self.config() if config is None else config)
        return self.pulsar2("build", "--config", path, *options)

    def built(self, **changes: object) -> None:
        """Build the good config with changes at its top; it must succeed."""
        ended = self.build(self.config() | changes)
        assert ended.code == 0, ended.err

    def refused(self, **changes: object) -> str:
        """Build the good config with changes at its top; it must fail: give the last line."""
        ended = self.build(self.config() | changes)
        assert ended.code == 1
        return ended.last_line

    @property
    def runtime(self) -> bytes:
        """The run-time graph in the axmodel."""
        tensors = onnx.load(self.axmodel).graph.initializer
        return next(bytes(t.raw_data) for t in tensors if t.name == "npu_params")

    def infer(self, feed: NDArray[np.generic]) -> NDArray[np.generic]:
        """Run what was built on its one input; give its first output."""
        session = fused_session(self.runtime)
        found: NDArray[np.generic] = session.run(None, {session.get_inputs()[0].name: feed})[0]
        return found

    def save_model(self, *, batch: int | str = 1, head: str = "ArgMax", opset: int = 11) -> None:
        onnx.save(_tiny_model(batch, head, opset), self.folder / "model.onnx")

    def samples(self, count: int) -> dict[str, bytes]:
        """Give normalised images as .npy files by name."""
        generator = np.random.default_rng(7)
        mean, std = (np.array(v, np.float32).reshape(1, 3, 1, 1) for v in (MEAN, STD))
        arrays = (generator.integers(0, 256, SHAPE).astype(np.float32) for _ in range(count))
        return {
            f"{index:04d}.npy": self.npy((array - mean) / std) for index, array in enumerate(arrays)
        }

    def npy(self, array: NDArray[np.generic]) -> bytes:
        buffer = io.BytesIO()
        np.save(buffer, array)
        return buffer.getvalue()

    def write_tar(self, files: Mapping[str, bytes], name: str = "calibration.tar") -> Path:
        path = self.folder / name
        with tarfile.open(path, "w:gz" if name.endswith("gz") else "w:") as tar:
            for member, data in files.items():
                info = tarfile.TarInfo(member)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        return path

    def write_zip(self, files: Mapping[str, bytes]) -> Path:
        path = self.folder / "calibration.zip"
        with zipfile.ZipFile(path, "w") as bundle:
            for member, data in files.items():
                bundle.writestr(member, data)
        return path

    def start(self, *argv: str | Path, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        """Start in a process of its own, both streams in one pipe."""
        return subprocess.Popen(
            [sys.executable, "-m", "containers.pulsar2_sim", *map(str, argv)],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )


@pytest.fixture
def bench(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Bench:
    made = Bench(tmp_path, capfd)
    made.save_model()
    made.write_tar(made.samples(5))
    return made


def _tiny_model(batch: int | str, head: str, opset: int) -> onnx.ModelProto:
    """Give Conv, Relu, Conv and a head over the classes."""
    generator = np.random.default_rng(3)

    def weight(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(generator.normal(size=shape).astype(np.float32), name)

    shape = [batch, *SHAPE[1:]]
    last = (
        helper.make_node("ArgMax", ["logits"], ["classes"], axis=1, keepdims=0)
        if head == "ArgMax"
        else helper.make_node(head, ["logits"], ["classes"])
    )
    kind = TensorProto.INT64 if head == "ArgMax" else TensorProto.FLOAT
    dims = [batch, *SHAPE[2:]] if head == "ArgMax" else [batch, CLASSES, *SHAPE[2:]]
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["pixel_values", "w1"], ["hidden"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["hidden"], ["active"]),
            helper.make_node("Conv", ["active", "w2", "b2"], ["logits"]),
            last,
        ],
        "tiny",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("classes", kind, dims)],
        [weight("w1", 8, 3, 3, 3), weight("w2", CLASSES, 8, 1, 1), weight("b2", CLASSES)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)
