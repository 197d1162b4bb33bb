from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from board_agent import files


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What reaches the disk, in order: `sync NAME` and `rename NAME`, done for real."""
    seen: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def note_fsync(descriptor: int) -> None:
        fsync(descriptor)
        seen.append("sync " + Path(f"/proc/self/fd/{descriptor}").readlink().name)

    def note_replace(self: Path, target: Path) -> Path:
        seen.append(f"rename {self.name}")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "replace", note_replace)
    return seen


def test_a_file_is_on_the_disk_before_it_gets_its_name_and_the_name_after(
    tmp_path: Path, events: list[str]
) -> None:
    files.write(tmp_path / "a", b"new")

    assert events == ["sync a.tmp", "rename a.tmp", f"sync {tmp_path.name}"]
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_rename_between_folders_is_durable_in_both(tmp_path: Path, events: list[str]) -> None:
    for name in ("from", "to"):
        (tmp_path / name).mkdir()
    (tmp_path / "from/a").touch()

    files.rename(tmp_path / "from/a", tmp_path / "to/a")

    assert events == ["rename a", "sync to", "sync from"]


def test_what_is_hashed_was_synced_first(tmp_path: Path, events: list[str]) -> None:
    (tmp_path / "a").write_bytes(b"x")

    files.sha256(tmp_path / "a")

    assert events == ["sync a"]


def test_a_new_folder_is_durable_in_the_one_above(tmp_path: Path, events: list[str]) -> None:
    files.make_dir(tmp_path / "a/b")

    assert events == [f"sync {tmp_path.name}", "sync a"]


def test_a_link_is_pointed_elsewhere_in_one_step(tmp_path: Path, events: list[str]) -> None:
    link = tmp_path / "link"
    link.symlink_to("old")
    (tmp_path / "link.tmp").symlink_to("left by a crash")

    files.point(link, "new")

    assert link.readlink() == Path("new")
    assert events == ["rename link.tmp", f"sync {tmp_path.name}"]


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "a.tmp").symlink_to("/dev/full")

    with pytest.raises(OSError, match="No space left"):
        files.write(tmp_path / "a", b"new")

    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


SOURCES = sorted(Path(files.__file__).parent.glob("*.py"))
#: What changes a disk, by the name of the call.
CHANGES = {
    *("mkdir", "makedirs", "rmdir", "removedirs", "unlink", "rename", "renames", "symlink_to"),
    *("symlink", "link", "hardlink_to", "link_to", "touch", "write_text", "write_bytes", "chmod"),
    *("chown", "truncate", "ftruncate", "mknod", "mkfifo", "fsync", "fdatasync", "utime"),
    *("rmtree", "copyfile", "copy2", "move", "extract", "extractall", "mkdtemp", "mkstemp"),
}


def changes(source: str) -> list[str]:
    """The calls in a module that may change a disk; those through `files.` do not count."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        call, words = node.func, [ast.unparse(one) for one in node.args]
        name = call.attr if isinstance(call, ast.Attribute) else ast.unparse(call)
        whose = ast.unparse(call.value) if isinstance(call, ast.Attribute) else ""
        modes = [word.strip("'\"") for word in words if word[:1] in "'\""]
        opens = name in {"open", "fdopen"} and any(set(mode) & set("wax+") for mode in modes)
        if whose != "files" and (name in CHANGES or opens or (whose, name) == ("os", "replace")):
            found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize(
    "source", [path for path in SOURCES if path.name != "files.py"], ids=lambda path: path.name
)
def test_nothing_but_the_layer_changes_the_disk(source: Path) -> None:
    assert changes(source.read_text()) == []


def test_a_change_past_the_layer_would_be_seen() -> None:
    assert len(changes(Path(files.__file__).read_text())) > 8
    assert changes("open(p, 'wb'); path.open('r+b'); os.replace(a, b); files.unlink(p)") == [
        "open(p, 'wb')",
        "path.open('r+b')",
        "os.replace(a, b)",
    ]
