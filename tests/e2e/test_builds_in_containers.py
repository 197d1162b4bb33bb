"""Builds through the Docker engine, driven as a user drives them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.desk import Desk

pytestmark = [pytest.mark.slow, pytest.mark.docker]

BUILD = ("build", "--config", "config.json", "--onnx", "model.onnx", "--json")
FAULTS = {
    "oom": "for want of memory",
    "abort": "Negative axis size",
    "licence": "H0007",
    "tile": "TileFailException",
    "quant-execute": "Op Execution Error",
    "no-file": "the axmodel is missing",
    "empty-file": "the axmodel is empty",
}


@pytest.fixture(autouse=True)
def inventory(desk: Desk, docker_engine: Callable[..., str]) -> Path:
    """The inventory, with an image of each version."""
    assert docker_engine("version")
    path = desk.folder / "inventory.yaml"
    images = "".join(
        f'  v{version}: {{kind: docker, image: "orch/pulsar2-sim:{version}"}}\n'
        for version in ("3.3", "4.2", "5.2", "7.0")
    )
    path.write_text(f"toolchains:\n{images}{path.read_text()}")
    return path


@pytest.fixture
def faulty(docker_engine: Callable[..., str]) -> Iterator[Callable[[str], str]]:
    """Gives an image that fails in one way; its layer is gone afterwards."""
    made = []

    def make(fault: str) -> str:
        tag = f"orch-test/faulty:{fault}-{os.getpid()}"
        text = f"FROM orch/pulsar2-sim:5.2\nENV PULSAR2_SIM_FAULT={fault}\n"
        argv = ["docker", "build", "--network", "none", "--tag", tag, "-"]
        env = os.environ | {"DOCKER_BUILDKIT": "0"}
        subprocess.run(argv, input=text.encode(), env=env, capture_output=True, check=True)
        made.append(tag)
        return tag

    yield make
    for tag in made:
        docker_engine("image", "rm", "--force", tag)


@pytest.mark.parametrize("version", ["3.3", "4.2", "5.2", "7.0"])
def test_every_version_is_driven_through_its_image(desk: Desk, version: str) -> None:
    code, out, err = desk.orch(*BUILD, "--toolchain", f"v{version}")

    assert code == 0, err
    facts = json.loads(out)["facts"]
    assert (facts["pulsar2_version"], facts["simulated"]) == (version, True)
    assert facts["macs"] > 0
    assert facts["max_cycle"] > 0
    assert sum(facts["phase_seconds"].values()) > 0


def test_precision_analysis_comes_out_of_the_container(desk: Desk) -> None:
    config = desk.folder / "config.json"
    text = config.read_text()
    config.write_text(text.replace('"quant": {', '"quant": {\n    "precision_analysis": true,'))

    code, out, err = desk.orch(*BUILD, "--toolchain", "v5.2")

    assert code == 0, err
    worst = json.loads(out)["facts"]["worst_layers"]
    assert [one["type"] for one in worst if one["tensor"] == "output"]
    assert all(0.9 < one["cosine"] <= 1 for one in worst)
    assert "Layers least like the float model" in err


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failure_in_a_container_is_told_in_one_line(
    desk: Desk, inventory: Path, faulty: Callable[[str], str], fault: str
) -> None:
    kind = f'{{kind: docker, image: "{faulty(fault)}"}}'
    inventory.write_text(
        inventory.read_text().replace("toolchains:\n", f"toolchains:\n  bad: {kind}\n")
    )

    code, _, err = desk.orch(*BUILD, "--toolchain", "bad")

    (error,) = [line for line in err.splitlines() if line.startswith("error: ")]
    (hint,) = [line for line in err.splitlines() if line.startswith("hint: ")]
    assert code == 1
    assert FAULTS[fault] in error + hint
    assert "compile.log" in hint
    assert not [*(desk.folder / ".orch" / "cas").glob("*/*")]


def test_two_builds_at_once_compile_once(desk: Desk) -> None:
    with ThreadPoolExecutor(2) as pool:
        command = (*BUILD, "--toolchain", "v5.2")
        results = [done.result() for done in [pool.submit(desk.orch, *command) for _ in range(2)]]

    assert [code for code, _, _ in results] == [0, 0], results
    made = [json.loads(out) for _, out, _ in results]
    assert sorted(one["cached"] for one in made) == [False, True]
    assert made[0]["axmodel"] == made[1]["axmodel"]
