"""Archives as archives: how they are packed, what they may hold, how many samples."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest

from orchestrator.domain import Json, TensorSpec
from orchestrator.pulsar2.preflight import check_calibration, check_calibrations
from tests.unit.orchestrator.pulsar2.preflight.archives import (
    INPUT,
    NUMPY,
    TOKENS,
    many,
    normal,
    npy,
    one,
    pack,
    tar,
)


@pytest.mark.parametrize(
    ("count", "size", "level", "message"),
    [
        (0, 32, "refuse", "holds no sample"),
        (1, 1, "warn", "1 sample: "),
        (7, 7, "warn", "7 samples: "),
        (8, 9, "warn", "8 samples; calibration_size is 9"),
    ],
)
def test_too_few_samples_are_spoken_of(
    tmp_path: Path, count: int, size: int, level: str, message: str
) -> None:
    given = NUMPY | {"calibration_size": size}
    found = one(check_calibration(pack(tmp_path / "a.tar", many(count=count)), given, INPUT))
    assert (found.level, found.check) == (level, "count")
    assert message in found.message


@pytest.mark.parametrize("name", ["../out.npy", "/etc/out.npy", "a/../../out.npy", "..\\out.npy"])
@pytest.mark.parametrize("archive", ["a.tar", "a.zip"])
def test_names_outside_of_the_folder_are_refused(tmp_path: Path, archive: str, name: str) -> None:
    found = one(
        check_calibration(pack(tmp_path / archive, many() | {name: normal()}), NUMPY, INPUT)
    )
    assert (found.level, found.check) == ("refuse", "archive")
    assert "outside of its folder" in found.message


def test_links_are_refused(tmp_path: Path) -> None:
    archive = tar(tmp_path / "a.tar", many())
    with tarfile.open(archive, "a") as more:
        link = tarfile.TarInfo("link.npy")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        more.addfile(link)
    found = one(check_calibration(archive, NUMPY, INPUT))
    assert "'link.npy', which is a link or a device" in found.message


def test_what_a_desktop_left_behind_is_warned_of(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.tar", many() | {"._00.npy": b"", "__MACOSX/00.npy": b""})
    found = check_calibration(archive, NUMPY, INPUT)
    assert [(finding.level, finding.where) for finding in found] == [
        ("warn", "._00.npy"),
        ("warn", "__MACOSX/00.npy"),
    ]


@pytest.mark.parametrize("keep", [0, 100, 600])
@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.zip"])
def test_an_archive_that_is_cut_off_is_refused(tmp_path: Path, name: str, keep: int) -> None:
    archive = pack(tmp_path / name, many())
    archive.write_bytes(archive.read_bytes()[:keep])
    levels = [
        one.level for one in check_calibration(archive, NUMPY, INPUT) if "archive" in one.check
    ]
    assert levels == ["refuse"]


def test_another_packer_is_refused_by_its_name(tmp_path: Path) -> None:
    archive = tar(tmp_path / "a.tar.bz2", many(), "w:bz2")
    found = check_calibration(archive, NUMPY, INPUT)[0]
    assert (found.level, found.check) == ("refuse", "archive")
    assert "packed by bzip2" in found.message


def test_a_tar_that_ends_in_a_zip_is_a_tar(tmp_path: Path) -> None:
    inner = pack(tmp_path / "inner.zip", {"a": b"a"}).read_bytes()
    found = one(
        check_calibration(pack(tmp_path / "a.tar", many() | {"z.npy": inner}), NUMPY, INPUT)
    )
    assert (found.check, found.where) == ("sample", "z.npy")


@pytest.mark.parametrize(("make", "message"), [(False, "no such file"), (True, "is a folder")])
def test_what_is_no_file_is_refused(tmp_path: Path, make: bool, message: str) -> None:  # noqa: FBT001 - a case of the table
    archive = tmp_path / "a.tar"
    if make:
        archive.mkdir()
    found = one(check_calibration(archive, NUMPY, INPUT))
    assert (found.level, found.message) == ("refuse", message)


def config_of(**datasets: str) -> dict[str, Json]:
    rows: list[Json] = [
        {"tensor_name": name, "calibration_dataset": dataset, "calibration_format": "Numpy"}
        for name, dataset in datasets.items()
    ]
    return {"quant": {"input_configs": rows}}


def test_samples_of_several_inputs_pair_by_file_name(tmp_path: Path) -> None:
    ids = {name: npy(np.zeros((1, 52), np.int64)) for name in many()}
    files = {
        "x.tar": pack(tmp_path / "x.tar", many()),
        "ids.tar": pack(tmp_path / "ids.tar", ids),
    }
    config = config_of(x="x.tar", ids="ids.tar")
    assert check_calibrations(config, (INPUT, TOKENS), files) == ()

    pack(tmp_path / "ids.tar", {**ids, "99.npy": ids["00.npy"]})
    found = one(check_calibrations(config, (INPUT, TOKENS), files))
    assert (found.level, found.check, found.where) == ("refuse", "count", "input x")
    assert "has no sample 99; ids has" in found.message


def test_default_stands_for_all_inputs(tmp_path: Path) -> None:
    files = {"a.tar": pack(tmp_path / "a.tar", many())}
    other = TensorSpec("z", "float32", (1, 3, 8, 8))
    found = check_calibrations(config_of(DEFAULT="a.tar"), (INPUT, other), files)
    assert {finding.level for finding in found} == {"refuse"}
    assert len(found) == 8
