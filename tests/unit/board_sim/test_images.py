from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

from containers.board_sim import start

SCRIPT = Path(__file__).parents[3] / "scripts" / "build-images"


@pytest.fixture
def build_images(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    loader = SourceFileLoader("build_images", str(SCRIPT))
    spec = importlib.util.spec_from_loader("build_images", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "build_images", module)  # dataclasses look it up there
    loader.exec_module(module)
    return module


@pytest.fixture
def context_hash(build_images: ModuleType, tmp_path: Path) -> Callable[..., str]:
    """Assemble a context from a folder with the given code and wheel, give its hash."""

    def assemble(code: str = "print()", wheel: str = "one.whl", *, executable: bool = False) -> str:
        number = len(list(tmp_path.iterdir()))
        folder, wheels = tmp_path / f"{number}-code", tmp_path / f"{number}-wheels"
        (folder / "__pycache__").mkdir(parents=True)
        wheels.mkdir()
        (folder / "main.py").write_text(code)
        (folder / "main.py").chmod(0o755 if executable else 0o644)
        (folder / "__pycache__" / "main.pyc").write_text(f"{number}")
        (wheels / wheel).write_text("wheel")
        image = build_images.Image("x", folder, (("orch/x:1", ""),))
        told: str = build_images.assemble(image, wheels, tmp_path / f"{number}-context")
        return told

    return assemble


def test_the_same_files_make_the_same_context(context_hash: Callable[..., str]) -> None:
    assert context_hash() == context_hash()


def test_code_wheels_and_modes_make_another_context(context_hash: Callable[..., str]) -> None:
    hashes = {
        context_hash(),
        context_hash(code="print(1)"),
        context_hash(wheel="two.whl"),
        context_hash(executable=True),
    }
    assert len(hashes) == 4


@pytest.mark.parametrize(
    ("env", "text"),
    [
        ({}, "AUTHORIZED_KEY is not set"),
        ({"AUTHORIZED_KEY": "k", "PROFILE": "m5"}, "PROFILE 'm5'"),
        ({"AUTHORIZED_KEY": "k", "FAULTS": "vnpu,hang"}, "there are no-sftp, vnpu, old-sdk"),
    ],
)
def test_a_container_that_makes_no_sense_ends_before_it_writes_anything(
    env: dict[str, str], text: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        start.main(env)
    assert text in str(caught.value)


def test_each_image_starts_the_server_that_it_has() -> None:
    assert start.server_argv({"SSH_SERVER": "dropbear"}, ())[0] == "/usr/sbin/dropbear"
    sftp = "Subsystem=sftp internal-sftp"
    assert sftp in start.server_argv({}, ())
    assert sftp not in start.server_argv({}, ("no-sftp",))


def test_every_kind_of_board_is_a_stage_of_the_dockerfile(build_images: ModuleType) -> None:
    text = (SCRIPT.parents[1] / "containers" / "board_sim" / "Dockerfile").read_text()
    stages = [line.split()[-1] for line in text.splitlines() if line.startswith("FROM ")]
    assert stages == ["packages", *build_images.BOARD_KINDS]
