"""Files that the vendor's own toolchain made; they cannot be given away, so they are not here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.pulsar2.header import read_header

DEFAULT = Path(__file__).parents[3] / "shared" / "fixtures" / "axmodel"
FOLDER = Path(os.environ.get("ORCH_FIXTURES") or DEFAULT)

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"no genuine axmodels at {FOLDER}: set ORCH_FIXTURES"
)

#: File, target, version and commit as `pulsar2 version` of their maker says them.
GENUINE = [
    ("ax620e_pulsar2-3.3", "AX620E/NPU1", "3.3", "3cdead5e"),
    ("ax620e_pulsar2-3.4", "AX620E/NPU1", "3.4", "3dfd5692"),
    ("ax650_npu1_pulsar2-1.9", "AX650/NPU1", "1.9-beta1-dirty", None),
    ("ax650_npu3_pulsar2-3.1", "AX650/NPU3", "3.1", "a8a80616"),
]


@pytest.mark.parametrize(("name", "target", "version", "commit"), GENUINE)
def test_the_header_of_a_genuine_file_is_read(
    name: str, target: str, version: str, commit: str | None
) -> None:
    header = read_header(FOLDER / f"{name}.axmodel")

    assert (str(header.target), header.pulsar2_version) == (target, version)
    assert commit is None or header.pulsar2_commit == commit
    assert not header.simulated


@pytest.mark.parametrize("name", [row[0] for row in GENUINE])
def test_a_genuine_file_names_its_tensors(name: str) -> None:
    header = read_header(FOLDER / f"{name}.axmodel")

    assert header.subgraphs
    assert header.inputs
    assert header.outputs
    for tensor in (*header.inputs, *header.outputs):
        assert tensor.name
        assert tensor.shape
        assert all(axis > 0 for axis in tensor.shape)
    assert set(header.layouts) <= {tensor.name for tensor in (*header.inputs, *header.outputs)}
