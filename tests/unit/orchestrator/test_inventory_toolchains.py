"""The toolchains of an inventory: each kind has its own keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.backends.package_toolchain import PackageTree
from orchestrator.domain import ToolchainSpec
from orchestrator.errors import ConfigError
from orchestrator.inventory import load_inventory
from orchestrator.wiring import make_toolchain, package_root

REST = """
boards:
  sim-01: {simulated: true}
fleets:
  sim: {boards: [sim-01]}
"""


def load(folder: Path, toolchain: str) -> ToolchainSpec:
    path = folder / "inventory.yaml"
    path.write_text(f"toolchains:\n  mine: {toolchain}\n{REST}")
    return load_inventory(path).toolchain("mine")


def test_a_package_tree_lies_relative_to_the_inventory(tmp_path: Path) -> None:
    spec = load(tmp_path, "{kind: package, path: trees/pulsar2-5.2, max_builds: 2}")
    assert (spec.kind, spec.path) == ("package", str(tmp_path / "trees" / "pulsar2-5.2"))
    assert spec.max_builds == 2
    assert isinstance(make_toolchain(spec), PackageTree)


def test_a_package_tree_without_a_path_is_where_pulsar2_home_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = load(tmp_path, "{kind: package}")
    monkeypatch.delenv("PULSAR2_HOME", raising=False)
    with pytest.raises(ConfigError, match="'mine': no path, and PULSAR2_HOME is not set"):
        package_root(spec)
    monkeypatch.setenv("PULSAR2_HOME", "/opt/pulsar2-5.2")
    assert package_root(spec) == Path("/opt/pulsar2-5.2")


@pytest.mark.parametrize(
    ("toolchain", "problem"),
    [
        ("{kind: docker, image: a, path: b}", "path is for kind package, and this is docker"),
        ("{kind: package, image: a}", "image is for kind docker, and this is package"),
        ("{kind: package, command: [a]}", "command is for kind local, and this is package"),
        ("{kind: docker, image: a, max_builds: 0}", "max_builds"),
    ],
)
def test_a_key_of_another_kind_is_an_error(tmp_path: Path, toolchain: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, toolchain)
    assert problem in str(caught.value)
