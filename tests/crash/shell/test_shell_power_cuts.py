"""Cuts before and after every step of the shell agent on the disk, and boots what may be left."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from orchestrator.shell.agent import load_shell_agent

if TYPE_CHECKING:
    from containers.board_sim.platter import Tree
    from tests.conftest import Proof
    from tests.crash.conftest import Disk, Moment, Tools
    from tests.crash.shell.conftest import Bench, ShellTools


class Cuts:
    """Runs nights on a recording disk and judges every disk that a cut may leave."""

    def __init__(self, folder: Path, shell: str, tools: Tools, shells: ShellTools) -> None:
        self.folder, self.shell, self.tools, self.shells = folder, shell, tools, shells
        self.script = load_shell_agent().content
        self.skip: frozenset[str] = frozenset()
        self.variants = self.boots = 0
        shells.furnish(folder, shell)

    def bench(self, home: Path, disk: Disk | None = None) -> Bench:
        self.boots += 1
        (self.folder / "agent.sh").write_bytes(self.script)
        bench = self.shells.bench(self.folder, home, self.shell, self.script, disk, skip=self.skip)
        bench.boot(f"boot-{self.boots}")
        return bench

    def night(self) -> Bench:
        """First deploy, second, third with what gc finds then, back, and a lease taken over."""
        disk = self.tools.disk(self.folder / "home")
        bench = self.bench(disk.root, disk)
        for name in self.shells.releases:
            bench.deploy(name)
        bench.probe()
        bench.switch("rollback", {}, "r2")
        bench.send(b"half of it", pack=False)
        bench.probe()  # who comes next takes over what was sent
        return bench

    def torn(self, moments: list[Moment], boots: int) -> Iterator[str]:
        """What is wrong with any disk that a cut may leave; so many of them are also booted."""
        trees: dict[object, tuple[Moment, Tree]] = {}
        for moment in moments:
            for tree in moment.platter.after_a_cut():
                key = (frozenset(tree.items()), moment.allowed, moment.token)
                trees.setdefault(key, (moment, tree))
        self.variants += len(trees)
        every = max(1, len(trees) // boots)
        for index, (moment, tree) in enumerate(trees.values()):
            said = self.judge(tree, moment, boot=index % every == 0)
            yield from (f"after {moment.after}: {text}" for text in said)

    def judge(self, tree: Tree, moment: Moment, *, boot: bool) -> list[str]:
        home = self.folder / "boot"
        self.tools.build(tree, home)
        found = self.tools.faults(home / ".orch") + self.state_faults(home / ".orch", moment)
        if found or not boot:
            return found
        bench = self.bench(home)
        bench.token = moment.token
        try:
            bench.deploy("r3")
        except AssertionError as error:
            return [f"the next deploy fails: {error}"]
        left = [path.name for path in home.glob(".orch/incoming/*/*")]
        return self.tools.faults(bench.work) + [f"{name} is left" for name in left]

    def state_faults(self, work: Path, moment: Moment) -> list[str]:
        link = work / "current"
        current = link.readlink().name if link.is_symlink() else None
        found = [] if current in moment.allowed else [f"{current} is not one of {moment.allowed}"]
        for release in work.glob("releases/*"):
            names = {path.name for path in release.iterdir()}
            if names != {"manifest.json", "files"}:
                found.append(f"{release.name} has {sorted(names)}")
        return found


@pytest.fixture(params=["dash", pytest.param("busybox", marks=pytest.mark.slow)])
def cuts(request: pytest.FixtureRequest, tools: Tools, shell_tools: ShellTools) -> Iterator[Cuts]:
    # In memory where it can be: thousands of boots ask for their files to be synced.
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Cuts(Path(folder), str(request.param), tools, shell_tools)


@pytest.mark.slow
def test_what_is_written_down_is_what_the_shell_did(cuts: Cuts) -> None:
    bench = cuts.night()

    assert bench.disk is not None
    platter = bench.disk.platter
    assert platter._tree(platter.now(), lambda _synced, written: written) == cuts.shells.tree(
        bench.home
    )


@pytest.mark.slow
def test_no_cut_leaves_anything_but_a_whole_release_by_shell(cuts: Cuts, proof: Proof) -> None:
    bench = cuts.night()
    assert bench.disk is not None

    torn = list(cuts.torn(bench.disk.moments, boots=60))

    points = 2 * bench.disk.steps  # before and after each; the one after is the one before the next
    told = f"sh: cut points = {points}, disks = {cuts.variants}, torn = {len(torn)}"
    proof(told)
    assert torn[:3] == []
    assert points > 300
    assert cuts.variants > points


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cuts", "where"),
    [("dash", "before"), ("dash", "after"), ("busybox", "before")],
    indirect=["cuts"],
)
def test_a_killed_shell_leaves_a_whole_release_and_the_next_deploy_converges(
    cuts: Cuts, where: str, proof: Proof
) -> None:
    disk = cuts.tools.disk(cuts.folder / "home")
    first = cuts.bench(disk.root, disk)
    first.deploy("r1")
    saved, platter, total = cuts.shells.tree(disk.root), disk.platter, 0
    torn: list[str] = []
    while True:
        total += 1
        cuts.tools.build(saved, disk.root)
        disk.platter, disk.allowed = copy.deepcopy(platter), frozenset({"r1"})
        bench = cuts.bench(disk.root, disk)
        bench.token = first.token
        if not bench.dies("r2", total, where):
            break
        found = cuts.tools.faults(bench.work)
        bench.boot("again")
        bench.token = first.token
        bench.deploy("r3")
        disk.note("r3 was acknowledged after a kill")
        torn += found + list(cuts.torn(disk.moments[-1:], boots=1))

    told = f"sh: killed {where} {total - 1} steps, disks = {cuts.variants}, torn = {len(torn)}"
    proof(told)
    assert torn[:3] == []
    assert total > 40


Sabotage = Callable[[Cuts], None]


def _no_file_sync(cuts: Cuts) -> None:
    cuts.skip = frozenset({"files"})


def _no_folder_sync(cuts: Cuts) -> None:
    cuts.skip = frozenset({"folders"})


def _edit(cuts: Cuts, old: bytes, new: bytes) -> None:
    assert old in cuts.script
    cuts.script = cuts.script.replace(old, new)


def _link_in_two_steps(cuts: Cuts) -> None:
    _edit(
        cuts,
        b'op ln -s "$2" "$mine/$1"\n    move_into "$mine/$1" .',
        (b'op rm -f "$1"\n    op ln -s "$2" "$1"\n    sync_path .'),
    )


def _blob_before_sync(cuts: Cuts) -> None:
    _edit(cuts, b'    sync_path "$part"\n', b"")


def _switch_before_stage(cuts: Cuts) -> None:
    _edit(cuts, b"stage() {\n", b'stage() {\n    point current "releases/$release_id"\n')


def _garbage_goes_at_once(cuts: Cuts) -> None:
    _edit(cuts, b'if [ -d "$mine/trash" ]; then sync_dir_of "$1"; fi', b":")


def _numbers_not_kept(cuts: Cuts) -> None:
    _edit(cuts, b"    sync_path lease\n", b"")


@pytest.mark.slow
@pytest.mark.parametrize("cuts", ["dash"], indirect=True)
@pytest.mark.parametrize(
    "sabotage",
    [
        _no_file_sync,
        _no_folder_sync,
        _link_in_two_steps,
        _blob_before_sync,
        _switch_before_stage,
        _garbage_goes_at_once,
        _numbers_not_kept,
    ],
)
def test_a_sabotaged_shell_agent_is_found_out(cuts: Cuts, sabotage: Sabotage) -> None:
    sabotage(cuts)
    try:
        bench = cuts.night()
    except AssertionError:
        return  # so wrong that the agent itself refused to go on
    assert bench.disk is not None

    assert next(cuts.torn(bench.disk.moments, boots=60), None) is not None
