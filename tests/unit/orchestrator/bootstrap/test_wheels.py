from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.bootstrap.axengine_builds import name_build
from orchestrator.bootstrap.wheels import (
    Platform,
    check_axengine,
    pip_download,
    read_wheel,
    set_name,
)
from orchestrator.errors import ConfigError

MakeWheel = Callable[..., Path]
BOARD = Platform((3, 10), "aarch64", (2, 35))


def test_a_platform_takes_wheels_of_its_own_glibc_and_older_ones() -> None:
    tags = BOARD.platform_tags()
    assert tags[0] == "manylinux_2_35_aarch64"
    assert "manylinux_2_28_aarch64" in tags
    assert "manylinux_2_17_aarch64" in tags
    assert "manylinux2014_aarch64" in tags
    assert "manylinux_2_36_aarch64" not in tags
    assert BOARD.key == "cp310-aarch64-glibc2.35"


def test_pip_is_asked_for_binaries_of_the_boards_python_and_not_of_ours() -> None:
    argv = pip_download("python", BOARD, ("numpy",), Path("/w"), None)
    text = " ".join(argv)
    assert "--only-binary=:all:" in argv
    assert "--python-version 3.10 --abi cp310" in text
    assert "--platform manylinux2014_aarch64" in text
    assert "--no-index" not in argv
    assert argv[-1] == "numpy"


def test_a_folder_takes_the_place_of_the_index() -> None:
    argv = pip_download("python", BOARD, ("numpy",), Path("/w"), Path("/wheels"))
    assert argv[-4:] == ["--no-index", "--find-links", "/wheels", "numpy"]


def test_a_wheel_tells_its_name_version_and_sizes(make_wheel: MakeWheel) -> None:
    path = make_wheel("ml_dtypes", "0.5.0", {"ml_dtypes/__init__.py": "x" * 1000})
    wheel = read_wheel(path)
    assert (wheel.name, wheel.version) == ("ml-dtypes", "0.5.0")
    assert wheel.size_bytes == path.stat().st_size
    assert wheel.unpacked_bytes >= 1000


@pytest.mark.parametrize("member", ["../evil.py", "/etc/evil.py", "a/../../evil.py", "a\\evil.py"])
def test_a_wheel_whose_files_lead_out_of_it_is_refused(make_wheel: MakeWheel, member: str) -> None:
    path = make_wheel("numpy", files={member: ""})
    with pytest.raises(ConfigError, match="leads out of the wheel"):
        read_wheel(path)


def test_a_wheel_with_a_symlink_is_refused(make_wheel: MakeWheel) -> None:
    path = make_wheel("numpy")
    link = zipfile.ZipInfo("numpy/link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(ConfigError, match="'numpy/link' leads out"):
        read_wheel(path)


def test_a_file_that_is_no_wheel_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "numpy-1.0-py3-none-any.whl"
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(ConfigError, match="no sound wheel"):
        read_wheel(path)


def test_a_wheel_under_another_packages_name_is_refused(make_wheel: MakeWheel) -> None:
    path = make_wheel("other", "1.0")
    renamed = path.rename(path.with_name("numpy-1.0-py3-none-any.whl"))
    with pytest.raises(ConfigError, match=r"its metadata is that of other 1\.0"):
        read_wheel(renamed)


def test_only_axengines_own_wheel_passes_for_it(make_wheel: MakeWheel) -> None:
    with pytest.raises(ConfigError, match="it is numpy, not axengine"):
        check_axengine(read_wheel(make_wheel("numpy")), BOARD)


def test_a_wheel_for_another_python_is_refused(make_wheel: MakeWheel) -> None:
    path = make_wheel("axengine", tag="cp312-cp312-manylinux2014_aarch64")
    with pytest.raises(ConfigError, match="do not fit cp310-aarch64-glibc2"):
        check_axengine(read_wheel(path), BOARD)


def test_what_an_axengine_needs_beside_the_known_is_named(make_wheel: MakeWheel) -> None:
    path = make_wheel("axengine", needs=["numpy>=1.22", "torch (>=2.0)", "cffi"])
    with pytest.raises(ConfigError, match="it needs torch"):
        check_axengine(read_wheel(path), BOARD)


def test_a_set_is_named_by_what_is_in_it(make_wheel: MakeWheel) -> None:
    first, second = (read_wheel(make_wheel(name)) for name in ("numpy", "cffi"))
    assert set_name(BOARD, (first, second)) == set_name(BOARD, (second, first))
    assert set_name(BOARD, (first,)) != set_name(BOARD, (first, second))
    assert set_name(BOARD, (first,)).startswith("cp310-")


@pytest.mark.parametrize(
    ("sha256", "name"),
    [
        (None, "none"),
        ("5bbff3c11ba8" + "0" * 52, "0.1.3-frigate or 0.1.3.rc3"),
        ("99be3d532898" + "f" * 52, "0.1.3.rc1"),
        ("0123456789ab" + "f" * 52, "unknown (0123456789ab)"),
    ],
)
def test_a_build_of_axengine_is_known_by_its_hash(sha256: str | None, name: str) -> None:
    assert name_build(sha256) == name
