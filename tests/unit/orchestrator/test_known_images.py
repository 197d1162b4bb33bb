"""What is remembered of an image is whole or not there, and never more than what was seen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.domain import DOCUMENTED, LEVELS, ToolchainIdentity
from orchestrator.errors import ConfigError
from orchestrator.known_images import KnownImages

DIGEST = "sha256:" + "ab" * 32
IMAGE = ToolchainIdentity("mine", "5.2", "0123abcd", DIGEST, simulated=False)
SEALED = LEVELS[0]


def file_of(home: Path) -> Path:
    return home / "toolchains" / f"{'ab' * 32}.json"


def test_an_image_runs_as_documented_until_it_is_checked(tmp_path: Path) -> None:
    known = KnownImages(tmp_path)
    assert known.isolation_of(DIGEST) == DOCUMENTED
    known.remember(IMAGE)
    assert known.isolation_of(DIGEST) == DOCUMENTED
    known.remember(IMAGE, SEALED, "2026-01-02T03:04:05+00:00")
    assert known.isolation_of(DIGEST) == SEALED
    assert known.isolation_of("sha256:" + "cd" * 32) == DOCUMENTED


def test_what_was_remembered_is_read_back(tmp_path: Path) -> None:
    KnownImages(tmp_path).remember(IMAGE, SEALED, "2026-01-02T03:04:05+00:00")
    found = KnownImages(tmp_path).find(DIGEST)
    assert found is not None
    assert (found.version, found.commit, found.simulated) == ("5.2", "0123abcd", False)
    assert (found.isolation, found.checked_at) == (SEALED, "2026-01-02T03:04:05+00:00")


def test_to_load_an_image_again_keeps_what_its_check_has_found(tmp_path: Path) -> None:
    known = KnownImages(tmp_path)
    known.remember(IMAGE, SEALED, "2026-01-02T03:04:05+00:00")
    known.remember(IMAGE)
    assert known.isolation_of(DIGEST) == SEALED


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 1}', "\xff"])
def test_a_file_that_is_damaged_or_of_another_format_is_as_none(tmp_path: Path, text: str) -> None:
    file_of(tmp_path).parent.mkdir()
    file_of(tmp_path).write_bytes(text.encode("latin-1"))
    assert KnownImages(tmp_path).find(DIGEST) is None
    assert KnownImages(tmp_path).isolation_of(DIGEST) == DOCUMENTED


def test_a_level_that_has_been_defined_anew_counts_as_unchecked(tmp_path: Path) -> None:
    known = KnownImages(tmp_path)
    known.remember(IMAGE, replace(SEALED, pids=7), "2026-01-02T03:04:05+00:00")
    assert json.loads(file_of(tmp_path).read_text())["isolation"]["pids"] == 7
    assert known.isolation_of(DIGEST) == DOCUMENTED


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "toolchains").write_text("in the way")
    with pytest.raises(ConfigError, match="toolchains: what was learned of 'mine' cannot be kept"):
        KnownImages(tmp_path).remember(IMAGE)
    assert [path.name for path in tmp_path.iterdir()] == ["toolchains"]


def test_the_levels_go_from_the_strictest_to_the_vendors_run_line() -> None:
    assert LEVELS[-1] == DOCUMENTED
    assert len({level.name for level in LEVELS}) == len(LEVELS)
    assert (SEALED.network, SEALED.writable_root, SEALED.input_apart) == ("none", False, True)
