from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from board_agent import builds


def write(package: Path, name: str, text: str) -> str:
    (package / name).write_text(text)
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_release_is_known_by_the_hash_of_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = write(tmp_path, "_axe.py", "an engine")
    monkeypatch.setitem(builds._KNOWN, sha256[:12], ("0.1.2", ("outputs_are_views",)))

    build = builds.installed(tmp_path)

    assert build is not None
    assert (build.sha256, build.name) == (sha256, "0.1.2")
    assert "outputs_are_views" in build.avoided
    assert "outputs_out_of_order" not in build.avoided


@pytest.mark.parametrize(
    ("providers", "name"), [("x", "0.1.3-frigate"), ("'/dev/axcl_host'", "0.1.3.rc3")]
)
def test_two_releases_of_one_file_are_told_apart_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, providers: str, name: str
) -> None:
    sha256 = write(tmp_path, "_axe.py", "an engine")
    write(tmp_path, "_providers.py", providers)
    monkeypatch.setitem(builds._KNOWN, sha256[:12], builds._KNOWN["5bbff3c11ba8"])

    build = builds.installed(tmp_path)

    assert build is not None
    assert build.name == name


def test_one_that_is_not_known_is_trusted_with_nothing(tmp_path: Path) -> None:
    sha256 = write(tmp_path, "__init__.py", "something else")

    assert builds.installed(tmp_path) == (sha256, None, tuple(builds.AVOIDED))


def test_a_folder_without_the_package_is_none(tmp_path: Path) -> None:
    assert builds.installed(tmp_path) is None


def test_every_bug_of_every_release_is_avoided() -> None:
    named = {bug for _, bugs in builds._KNOWN.values() for bug in bugs}

    assert named <= builds.AVOIDED.keys()
