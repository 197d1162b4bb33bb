"""`orch toolchain list`, `load` and `check`, as a user runs them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Docker = Callable[..., str]
ORCH = Path(sys.executable).with_name("orch")
IMAGE = "orch/pulsar2-sim:5.2"
REST = """
boards:
  sim-01: {simulated: true}
fleets:
  sim: {boards: [sim-01], recipe: segformer-tiny}
"""


def write_inventory(folder: Path, toolchains: str = "{}") -> None:
    (folder / "inventory.yaml").write_text(f"toolchains: {toolchains}\n{REST}")


def orch(
    folder: Path, *argv: str, code: int = 0, host: str = ""
) -> subprocess.CompletedProcess[str]:
    env = os.environ | ({"DOCKER_HOST": host} if host else {})
    done = subprocess.run(
        [str(ORCH), *argv],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


def answer(folder: Path, *argv: str, code: int = 0, host: str = "") -> dict[str, Any]:
    found = json.loads(orch(folder, *argv, "--json", code=code, host=host).stdout)
    assert isinstance(found, dict)
    return found


@pytest.fixture
def tags(docker_engine: Docker) -> Iterator[Callable[[str, str], str]]:
    """Give what tags an image for one test."""
    made = []

    def tag(image: str, name: str) -> str:
        made.append(name)
        docker_engine("tag", image, name)
        return name

    yield tag
    there = docker_engine("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    for name in made:
        if name in there:
            docker_engine("rmi", "--no-prune", name)


@pytest.mark.docker
def test_check_finds_the_strictest_isolation_and_list_shows_it(
    docker_engine: Docker, tmp_path: Path
) -> None:
    digest = docker_engine("image", "inspect", "--format", "{{.Id}}", IMAGE)
    write_inventory(tmp_path, f"{{mine: {{kind: docker, image: '{IMAGE}'}}}}")
    [checked] = answer(tmp_path, "toolchain", "check", "mine")["toolchains"]
    assert (checked["passed"], checked["isolation"]) == (True, "sealed")
    facts = {fact["name"]: fact["value"] for fact in checked["facts"]}
    assert facts["entry point"] == "/bin/bash"
    assert facts["licence"] == "found"
    kept = tmp_path / ".orch" / "toolchains" / f"{digest.removeprefix('sha256:')}.json"
    assert json.loads(kept.read_text())["isolation"]["network"] == "none"
    listed = {one["name"]: one for one in answer(tmp_path, "toolchain", "list")["toolchains"]}
    assert listed["mine"]["isolation"] == "sealed"
    assert (listed["mine"]["digest"], listed["mine"]["version"]) == (digest, "5.2")
    assert listed["sim"]["simulated"] is True


@pytest.mark.docker
@pytest.mark.parametrize(
    ("wish", "level"),
    [("/root/.hasplm-seen", "home"), ("/opt/pulsar2_sim/state", "root"), ("/nowhere/x", None)],
)
def test_a_tool_that_wants_more_gets_no_more_than_it_wants(
    docker_engine: Docker, tmp_path: Path, wish: str, level: str | None
) -> None:
    name = f"orch-test-{os.urandom(4).hex()}:1"
    write_inventory(tmp_path, f"{{mine: {{kind: docker, image: '{name}'}}}}")
    program = tmp_path / "image" / "pulsar2"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\n[ "$1" = version ] || touch {wish} || exit 9\n'
        'PYTHONPATH=/opt/pulsar2_sim python3 -m pulsar2_sim "$@"\nexit $?\n'
    )
    program.chmod(0o755)
    (program.parent / "Dockerfile").write_text(f"FROM {IMAGE}\nCOPY pulsar2 /usr/local/bin/\n")
    build = ["docker", "build", "--quiet", "--tag", name, str(program.parent)]
    env = os.environ | {"DOCKER_BUILDKIT": "0"}
    subprocess.run(build, env=env, check=True, capture_output=True)
    try:
        code = 0 if level else 1
        [checked] = answer(tmp_path, "toolchain", "check", code=code)["toolchains"]
        assert checked["isolation"] == level
        assert checked["levels"][0]["reason"].startswith("exit code 9: touch: cannot touch")
        tried = len(checked["levels"])
        assert tried == {"home": 2, "root": 3, None: 7}[level]
    finally:
        docker_engine("rmi", "--force", name)


@pytest.mark.docker
def test_load_takes_the_tags_from_the_engine_and_remembers_the_images(
    docker_engine: Docker, tags: Callable[[str, str], str], tmp_path: Path
) -> None:
    write_inventory(tmp_path)
    short = f"orch-test-{os.urandom(4).hex()}"
    names = [
        tags(IMAGE, f"{short}/pulsar2:5.1-patch1-lite"),
        tags("orch/base:bookworm", f"{short}:x"),
    ]
    tarball = tmp_path / "ax_pulsar2_9.9_patch1_lite.tar.gz"
    docker_engine("save", "--output", str(tarball), *names)
    docker_engine("rmi", "--no-prune", *names)
    loaded = {
        one["image"]: one for one in answer(tmp_path, "toolchain", "load", str(tarball))["loaded"]
    }
    assert set(loaded) == set(names)
    first, second = (loaded[name] for name in names)
    assert (first["version"], first["name"]) == ("5.2", "pulsar2-5.1-patch1-lite")
    assert second["version"] is None
    assert "`pulsar2 version` ended with 127" in second["problem"]
    text = orch(tmp_path, "toolchain", "load", str(tarball)).stdout
    assert f"  pulsar2-5.1-patch1-lite:\n    kind: docker\n    image: {names[0]}\n" in text
    others = answer(tmp_path, "toolchain", "list")["toolchains"]
    [other] = [one for one in others if one["image"] == names[0]]
    assert (other["name"], other["version"], other["digest"]) == (None, "5.2", first["digest"])


@pytest.mark.docker
@pytest.mark.usefixtures("docker_engine")
def test_a_tarball_that_is_missing_or_damaged_is_an_error_that_says_so(tmp_path: Path) -> None:
    write_inventory(tmp_path)
    no_file = orch(tmp_path, "toolchain", "load", "absent.tar", code=2)
    assert "absent.tar: No such file or directory" in no_file.stderr
    (tmp_path / "text.tar").write_text("no tarball")
    no_tarball = orch(tmp_path, "toolchain", "load", "text.tar", code=2)
    assert "text.tar: 10 bytes, and no tarball" in no_tarball.stderr
    subprocess.run(["tar", "-cf", "other.tar", "inventory.yaml"], cwd=tmp_path, check=True)
    other = orch(tmp_path, "toolchain", "load", "other.tar", code=1)
    assert "other.tar: the engine" in other.stderr


def test_list_does_without_an_engine_and_does_not_hang(tmp_path: Path) -> None:
    write_inventory(tmp_path, "{mine: {kind: docker, image: 'pulsar2:5.2'}}")
    with socket.socket(socket.AF_UNIX) as silent:  # takes connections and never answers
        silent.bind(str(tmp_path / "docker.sock"))
        silent.listen(8)
        for place in ("docker.sock", "nowhere.sock"):
            host = f"unix://{tmp_path}/{place}"
            listed = answer(tmp_path, "toolchain", "list", host=host)["toolchains"]
            found = {one["name"]: (one["version"], one["problem"]) for one in listed}
            assert found == {"sim": ("5.2", None), "mine": (None, "no Docker engine answers")}


def test_the_stand_in_is_checked_without_a_container(tmp_path: Path) -> None:
    write_inventory(tmp_path)
    [checked] = answer(tmp_path, "toolchain", "check")["toolchains"]
    assert (checked["name"], checked["passed"], checked["isolation"]) == ("sim", True, None)
    assert [one["level"] for one in checked["levels"]] == ["no container"]


def test_a_toolchain_that_cannot_be_asked_does_not_keep_the_others_from_being_checked(
    tmp_path: Path,
) -> None:
    gone, mine = (
        "{kind: local, command: [no-such-pulsar2]}",
        f"{{kind: local, command: ['{sys.executable}', -m, containers.pulsar2_sim]}}",
    )
    write_inventory(tmp_path, f"{{gone: {gone}, mine: {mine}}}")
    done = answer(tmp_path, "toolchain", "check", code=1)["toolchains"]
    assert [(one["name"], one["passed"]) for one in done] == [("gone", False), ("mine", True)]
    assert "no-such-pulsar2 cannot be started" in done[0]["problem"]
