"""What the programs of a shell did to a disk, done to the model of one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.crash.conftest import Disk


def put(disk: Disk, path: Path, data: bytes) -> None:
    folder, name = disk.at(path)
    number = disk.platter.now()[folder].get(name)
    if number is None:
        number = disk.platter.new()
        disk.platter.pending.append([(folder, name, number)])
        disk.platter.written[number] = b""
        disk.note(f"create {path.name}")
    disk.platter.written[number] = data
    disk.note(f"write {path.name}")


def play(disk: Disk, cuts: Path, made: int, skip: frozenset[str]) -> None:
    """Do to the model what the programs did to the disk, step by step."""
    for n in range(1, made + 1):
        argv = cuts / f"step.{n}.argv"
        done = cuts / f"step.{n}.rc"
        if not done.exists() or done.read_text().strip() != "0":
            continue
        place, tool, *words = argv.read_text().splitlines()
        plain = [word.removeprefix("of=") for word in words if word[0] != "-"]
        paths = [Path(os.path.normpath(Path(place, word))) for word in plain]
        step(disk, tool, paths, words, cuts / f"step.{n}", skip)
        disk.steps += 1
        disk.note(" ".join([tool, *words]))


def step(
    disk: Disk, tool: str, paths: list[Path], words: list[str], kept: Path, skip: frozenset[str]
) -> None:
    match tool:
        case "mkdir":
            disk._mkdir(paths[0], None)
        case "mv":
            target = paths[1] / paths[0].name if words[-1].endswith("/") else paths[1]
            disk._replace(paths[0], target, None)
        case "ln":  # -s target link
            disk._symlink(paths[1], words[1], None)
        case "rm":
            for line in kept.with_name(kept.name + ".tree").read_text().splitlines():
                disk._unlink(Path(os.path.normpath(line)), None)
        case "cp":
            put(disk, paths[1], kept.with_name(kept.name + ".data").read_bytes())
        case "dd":
            put(disk, paths[0], kept.with_name(kept.name + ".data").read_bytes())
        case "sync":
            sync(disk, paths[0], skip)


def sync(disk: Disk, path: Path, skip: frozenset[str]) -> None:
    platter = disk.platter
    number = platter.find(path.relative_to(disk.root))
    if number in platter.names and "folders" not in skip:
        platter.sync_names(number)
    elif number in platter.written and "files" not in skip:
        platter.synced[number] = platter.written[number]
