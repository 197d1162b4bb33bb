from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.bootstrap.wheelhouse import Wheelhouse
from orchestrator.bootstrap.wheels import Platform
from orchestrator.errors import ConfigError

MakeWheel = Callable[..., Path]
BOARD = Platform((sys.version_info.major, sys.version_info.minor), "aarch64", (2, 35))


@pytest.fixture
def house(tmp_path: Path, index: Path) -> Wheelhouse:
    found_in = tmp_path / "index"
    shutil.copytree(index, found_in)
    return Wheelhouse(tmp_path / "wheels", tmp_path / "pins" / "lock.json", found_in)


def test_what_was_fetched_once_is_pinned_and_kept(house: Wheelhouse) -> None:
    first = house.wheels_for(BOARD)
    assert [one.name for one in first] == ["cffi", "ml-dtypes", "numpy", "pycparser"]
    pins = json.loads(house.pins.read_text())
    assert pins == {BOARD.key: {one.path.name: one.sha256 for one in first}}

    assert house.found_in is not None
    shutil.rmtree(house.found_in)
    assert house.wheels_for(BOARD) == first


@pytest.mark.slow
def test_a_lock_brings_the_same_wheels_to_another_host(
    house: Wheelhouse, tmp_path: Path, make_wheel: MakeWheel
) -> None:
    first = house.wheels_for(BOARD)
    assert house.found_in is not None
    newer = make_wheel("numpy", "2.9.9")
    shutil.copy(newer, house.found_in)

    other = Wheelhouse(tmp_path / "other", house.pins, house.found_in)
    assert [one.sha256 for one in other.wheels_for(BOARD)] == [one.sha256 for one in first]


@pytest.mark.slow
def test_a_kept_wheel_that_has_changed_is_fetched_again(house: Wheelhouse) -> None:
    first = house.wheels_for(BOARD)
    first[0].path.write_bytes(b"rotten")
    assert house.wheels_for(BOARD) == first


@pytest.mark.slow
def test_a_wheel_of_the_index_that_is_not_the_pinned_one_is_refused(
    house: Wheelhouse, tmp_path: Path, make_wheel: MakeWheel
) -> None:
    house.wheels_for(BOARD)
    assert house.found_in is not None
    shutil.copy(make_wheel("numpy", "2.0.0", {"numpy/evil.py": ""}), house.found_in)
    other = Wheelhouse(tmp_path / "other", house.pins, house.found_in)
    with pytest.raises(ConfigError, match="pip download ended with"):
        other.wheels_for(BOARD)
    assert not list((tmp_path / "other").glob("*/*.whl"))


def test_a_platform_without_wheels_says_so(house: Wheelhouse) -> None:
    assert house.found_in is not None
    (house.found_in / "numpy-2.0.0-py3-none-any.whl").unlink()
    with pytest.raises(ConfigError, match=f"{BOARD.key}: pip download ended with 1: .*numpy"):
        house.wheels_for(BOARD)
    assert not house.pins.exists()


@pytest.mark.parametrize("text", ["{", '{"a": 3}', '{"a": {"../x.whl": "00"}}', '{"a": {"x": 1}}'])
def test_a_lock_that_is_none_is_refused(house: Wheelhouse, text: str) -> None:
    house.pins.parent.mkdir()
    house.pins.write_text(text)
    with pytest.raises(ConfigError, match=r"lock\.json"):
        house.wheels_for(BOARD)


def test_axengine_is_kept_by_its_hash(house: Wheelhouse, axengine_wheel: Path) -> None:
    sha256 = hashlib.sha256(axengine_wheel.read_bytes()).hexdigest()
    wheel = house.axengine(str(axengine_wheel), sha256)
    axengine_wheel.unlink()
    assert house.axengine(str(axengine_wheel), sha256) == wheel


def test_an_axengine_with_another_hash_is_refused(house: Wheelhouse, axengine_wheel: Path) -> None:
    with pytest.raises(ConfigError, match=r"its sha256 is [0-9a-f]{64}, not 0{64}"):
        house.axengine(str(axengine_wheel), "0" * 64)
    assert not list(house.folder.rglob("*.whl"))


@pytest.mark.parametrize("source", ["http://host/axengine.whl", "ftp://host/a.whl", "missing.whl"])
def test_an_axengine_that_cannot_be_had_names_its_source(house: Wheelhouse, source: str) -> None:
    with pytest.raises(ConfigError, match=f"--axengine {source}: "):
        house.axengine(source, "0" * 64)
