"""Programs of this machine end with orch, and orch does not wait for what they leave behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.backends.local_toolchain import LocalToolchain
from orchestrator.backends.package_toolchain import PackageTree
from orchestrator.errors import DeadlineError, ToolchainMissing

#: argv: a shell script. Runs it as `pulsar2 -c`, and says its lines.
RUN = """\
import sys
from pathlib import Path
from orchestrator.backends.local_toolchain import LocalToolchain
def say(line):
    print(line, flush=True)
LocalToolchain("program", ["/bin/sh"]).run(["pulsar2", "-c", sys.argv[1]], Path.cwd(), say, 600)
"""
#: A grandchild in a session of its own, which holds stdout open and says its process id first.
ESCAPED = "import os, time; os.setsid(); print(os.getpid(), flush=True); time.sleep(600)"
VERSION = "#!/bin/sh\nprintf 'version: 5.2\\ncommit: 0123abcd\\n'\nenv > \"$0.env\"\n"


def runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pid: int) -> bool:
    end = time.monotonic() + 10
    while runs(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not runs(pid)


def test_kill_9_of_orch_takes_the_whole_process_group_with_it(tmp_path: Path) -> None:
    script = "sleep 600 & echo $$ $!; wait"
    with subprocess.Popen(
        [sys.executable, "-c", RUN, script], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as orch:
        assert orch.stdout is not None
        pids = [int(pid) for pid in orch.stdout.readline().split()]
        assert [runs(pid) for pid in pids] == [True, True]
        orch.kill()
    assert [gone(pid) for pid in pids] == [True, True]


@pytest.mark.parametrize("wait", ["", "; sleep 600"], ids=["it has ended", "it goes on"])
def test_a_child_that_left_the_group_and_holds_stdout_is_not_waited_for(
    wait: str, tmp_path: Path
) -> None:
    pids: list[int] = []
    toolchain = LocalToolchain("program", ["/bin/sh"])
    script = f'"{sys.executable}" -c "{ESCAPED}" & until test -e go; do sleep 0.05; done{wait}'

    def escaped(line: str) -> None:
        pids.append(int(line))
        (tmp_path / "go").touch()

    argv = ["pulsar2", "-c", script]
    try:
        if wait:
            with pytest.raises(DeadlineError):
                toolchain.run(argv, tmp_path, escaped, 3)
        else:
            assert toolchain.run(argv, tmp_path, escaped, 600).returncode == 0
        assert runs(pids[0])  # else it would not have been put to the test
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)


def test_a_program_that_closes_its_stdout_is_waited_for(tmp_path: Path) -> None:
    toolchain = LocalToolchain("program", ["/bin/sh"])
    script = "echo last; exec >&- 2>&-; sleep 0.3; touch done; exit 5"
    result = toolchain.run(["pulsar2", "-c", script], tmp_path, lambda _: None, 60)
    assert (result.returncode, result.stdout) == (5, b"last\n")
    assert (tmp_path / "done").exists()


def test_a_program_may_wait_for_all_its_children(tmp_path: Path) -> None:
    script = tmp_path / "waits.py"
    script.write_text(
        "import os\nwhile True:\n    try:\n        os.wait()\n"
        "    except ChildProcessError:\n        break\n"
    )
    toolchain = LocalToolchain("program", [sys.executable])
    result = toolchain.run(["pulsar2", str(script)], tmp_path, lambda _: None, 60)
    assert result.returncode == 0


def tree(root: Path, place: str = "bin/pulsar2") -> Path:
    """Write a package tree whose program keeps its environment beside it."""
    program = root / place
    program.parent.mkdir(parents=True)
    program.write_text(VERSION)
    program.chmod(0o755)
    (root / "install").mkdir(exist_ok=True)
    (root / "install" / "Unlocked.v2c").write_text("key")
    return program


@pytest.mark.parametrize("place", ["bin/pulsar2", "pulsar2", "install/bin/pulsar2"])
def test_the_program_of_a_package_tree_is_found_and_its_environment_set(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/caller")
    root = tmp_path / "pulsar2-5.2"
    program = tree(root, place)
    identity = PackageTree("tree", root).identity()
    assert (identity.version, identity.commit, identity.simulated) == ("5.2", "0123abcd", False)
    seen = dict(
        line.partition("=")[::2] for line in Path(f"{program}.env").read_text().splitlines()
    )
    assert seen["PULSAR2_HOME"] == str(root)
    assert seen["PATH"].split(os.pathsep)[0] == str(program.parent)
    assert seen["HOME"] == "/home/caller"
    assert PackageTree("tree", root).facts()[-1].value == "install/Unlocked.v2c"


def test_a_package_tree_with_a_licence_folder_is_its_own_home(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    program = tree(root)
    (root / "root" / ".hasplm").mkdir(parents=True)
    PackageTree("tree", root).identity()
    assert f"HOME={root / 'root'}\n" in Path(f"{program}.env").read_text()


def test_a_package_tree_is_known_by_its_version_its_program_and_its_files(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    program = tree(root)
    (root / "lib.so").write_text("one")

    def digest() -> str:
        found = PackageTree("tree", root).identity().digest
        Path(f"{program}.env").unlink()
        return found

    first = digest()
    (root / "__pycache__").mkdir()
    (root / "__pycache__" / "made.pyc").write_text("at run time")
    assert digest() == first
    (root / "lib.so").write_text("another")
    second = digest()
    program.write_text(VERSION.replace("0123", "4567"))
    assert len({first, second, digest()}) == 3


def test_a_package_tree_without_the_program_says_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pulsar2").write_text("no program")
    with pytest.raises(ToolchainMissing, match="'tree': no executable pulsar2 in") as caught:
        PackageTree("tree", tmp_path).identity()
    assert "bin/pulsar2, pulsar2, install/bin/pulsar2" in caught.value.message
