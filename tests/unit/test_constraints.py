"""constraints.txt against pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "transformers", "onnxruntime", "dask", "distributed"}


def pins() -> dict[str, Requirement]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): pin for pin in requirements}


def declared() -> dict[str, list[Requirement]]:
    """The direct requirements of pyproject.toml by extra; the base is ``""``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    return {extra: [Requirement(line) for line in lines] for extra, lines in groups.items()}


def test_every_pin_is_exact_and_in_order() -> None:
    for pin in pins().values():
        assert re.fullmatch(r"==[0-9][0-9a-z.]*", str(pin.specifier)), str(pin)
    in_file = [pin.name.lower() for pin in pins().values()]
    assert in_file == sorted(in_file)


def test_every_direct_dependency_is_pinned_where_pyproject_allows() -> None:
    known = pins()
    for requirement in (line for lines in declared().values() for line in lines):
        if requirement.name == "orch":
            continue
        version = str(known[canonicalize_name(requirement.name)].specifier).removeprefix("==")
        assert requirement.specifier.contains(version), f"{requirement} against {version}"


def test_torch_is_the_release_that_is_tested() -> None:
    assert str(pins()["torch"]) == "torch==2.13.0"


def test_a_deploy_host_needs_no_machine_learning_packages() -> None:
    assert HEAVY.isdisjoint(canonicalize_name(line.name) for line in declared()[""])
