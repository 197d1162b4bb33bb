"""Deploying, ours beside the peers in one run: whole processes on boards that are containers.

    python -m benchmarks.deploy_vs_peers [--rounds 5] [--boards 16] [--many 50] [--only first,…]

first   15 MB to boards that have nothing, and one command
repeat  the same again with nothing changed; fabric and parallel-ssh, which would send the file
        again, only connect and run the command
change  1 % of 100 MB changed, one board: bytes on its network device
hole    50 boards of which one takes the connection and never answers: when the others are done
product `orch deploy` itself with a cached build: what the others do, and inference and measuring on
        each board, by the CPU of this machine; it has no counterpart in the peers

`orch` in all others is benchmarks/orch_release.py: the product's deploy stage on a release of one
file, with lease, verification from the board's disk, fsync and switch. Needs a Docker engine with
the image of scripts/build-images, and pip to give the peers an environment of their own.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.container_fleet import Fleet, Host, container_fleet, docker, received_bytes
from benchmarks.peer_tools import (
    TOOLS,
    Task,
    command_of,
    environment_of,
    install_peers,
    write_inventory,
)
from benchmarks.processes import Took, run

SCENARIOS = ("first", "repeat", "change", "hole", "product")
FILE_BYTES, LARGE_BYTES = 15_000_000, 100_000_000
CHANGED_PLACES = 25
#: These know nothing of what is there already.
_ALWAYS_SEND = ("fabric", "fabric + sha256sum", "parallel-ssh")
_RESET = "rm -rf /root/bench /root/.orch && mkdir /root/bench && sync"


def each(tool: str, task: Task) -> Took:
    return run(command_of(tool, task), environment_of(tool, task), task.fleet.folder)


def reset(hosts: Iterable[Host]) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda host: docker("exec", host.name, "sh", "-c", _RESET), hosts))


def table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    print(f"\n{title}\n\n| {' | '.join(header)} |")
    print("|" + " --- |" + " ---: |" * (len(header) - 1))
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def figures(tool: str, runs: Sequence[Took], boards: int) -> list[str]:
    good = [one for one in runs if one.code == 0]
    if not good:
        tail = runs[-1].said.decode(errors="replace").strip().splitlines()[-1:] if runs else []
        return [tool, f"failed: {' '.join(tail)[:80]}", "", "", "", ""]
    walls = [one.wall_s for one in good]
    return [
        tool,
        f"{statistics.median(walls):.2f}",
        f"{min(walls):.2f} to {max(walls):.2f}",
        f"{statistics.median(one.cpu_s for one in good) / boards * 1000:.0f}",
        f"{max(one.peak_mb for one in good):.0f}",
        f"{len(good)}/{len(runs)}",
    ]


_HEADER = ("tool", "median s", "range s", "client CPU ms per board", "peak MB", "runs good")


def deploy_and_repeat(fleet: Fleet, rounds: int, tools: Sequence[str], wanted: set[str]) -> None:
    """15 MB to all, each tool in turn, so many rounds; a repeat after every first."""
    file = fleet.folder / "model.axmodel"
    firsts: dict[str, list[Took]] = {tool: [] for tool in tools}
    repeats: dict[str, list[Took]] = {tool: [] for tool in tools}
    for _ in range(rounds):
        for tool in tools:
            file.write_bytes(os.urandom(FILE_BYTES))
            reset(fleet.hosts)
            firsts[tool].append(each(tool, Task(fleet, fleet.hosts, file)))
            if "repeat" in wanted:
                again = None if tool in _ALWAYS_SEND else file
                repeats[tool].append(each(tool, Task(fleet, fleet.hosts, again)))
    boards = len(fleet.hosts)
    rows = [figures(_named(tool), firsts[tool], boards) for tool in tools]
    table(f"First: 15 MB to {boards} boards, and one command", _HEADER, rows)
    if "repeat" in wanted:
        rows = [
            figures(f"{tool}, command only" if tool in _ALWAYS_SEND else tool, runs, boards)
            for tool, runs in repeats.items()
        ]
        table(f"Repeat: nothing changed on {boards} boards", _HEADER, rows)


def change(fleet: Fleet, rounds: int, tools: Sequence[str]) -> None:
    """Bytes on the board's device for a new version that shares 99 % with the old one."""
    host, file = fleet.hosts[0], fleet.folder / "large.axmodel"
    measured: dict[str, list[int]] = {}
    for number in range(rounds):
        chance = random.Random(number)  # noqa: S311 - data, not secrets
        old = bytearray(chance.randbytes(LARGE_BYTES))
        new = bytearray(old)
        size = LARGE_BYTES // 100 // CHANGED_PLACES
        for _ in range(CHANGED_PLACES):
            at = chance.randrange(LARGE_BYTES - size)
            new[at : at + size] = chance.randbytes(size)
        for tool in (name for name in ("rsync", "fabric", "orch") if name in tools):
            reset([host])
            file.write_bytes(old)
            first = each(tool, Task(fleet, [host], file, ("--stats",)))
            before = received_bytes(host)
            file.write_bytes(new)
            again = each(tool, Task(fleet, [host], file, ("--stats",)))
            if first.code == again.code == 0:
                measured.setdefault(tool, []).append(received_bytes(host) - before)
            else:
                print(again.said.decode(errors="replace")[-300:], file=sys.stderr)
    base = statistics.median(measured["rsync"]) if measured.get("rsync") else None
    rows = [
        [tool, f"{statistics.median(sizes):,.0f}", f"{statistics.median(sizes) / base:.2f}"]
        if base
        else [tool, f"{statistics.median(sizes):,.0f}", "-"]
        for tool, sizes in measured.items()
    ]
    header = ("tool", "bytes on the wire, both ways, median", "of rsync's")
    table("Change: 1 % of 100 MB in 25 places", header, rows)


def hole(fleet: Fleet, rounds: int, tools: Sequence[str]) -> None:
    """How long until all but the hung board have their results, with and without it."""
    *others, victim = fleet.hosts
    reset(fleet.hosts)
    file = fleet.folder / "model.axmodel"
    file.write_bytes(os.urandom(100_000))
    rows = []
    for tool in tools:
        task = Task(fleet, others, None if tool in _ALWAYS_SEND else file)
        each(tool, task)  # what is sent is there from now on
        without, with_it, ended = [], [], []
        for _ in range(rounds):
            without.append(each(tool, task).until(len(others)))
            docker("pause", victim.name)
            try:
                took = each(tool, Task(fleet, fleet.hosts, task.file))
            finally:
                docker("unpause", victim.name)
            with_it.append(took.until(len(others)))
            ended.append(took.wall_s)
        rows.append(_compared(tool, without, with_it, ended))
    header = ("tool", "others done without it s", "with it s", "ratio", "all ended s")
    table(f"Hole: {len(others)} boards and one that never answers", header, rows)


def product(fleet: Fleet, rounds: int) -> None:
    """`orch deploy` on all boards: the first time and again, the build being cached."""
    inventory = write_inventory(Task(fleet, fleet.hosts, None))
    orch = str(Path(sys.executable).with_name("orch"))
    chosen = ["--fleet", "bench", "--inventory", str(inventory), "--recipe", "segformer-tiny"]
    env = environment_of("orch", Task(fleet, fleet.hosts, None))
    build = run([orch, "build", *chosen], env, fleet.folder)
    if build.code != 0:
        print(build.said.decode(errors="replace")[-500:], file=sys.stderr)
        return
    argv = [orch, "deploy", *chosen, "--iterations", "1"]
    firsts, repeats = [], []
    for _ in range(rounds):
        reset(fleet.hosts)
        firsts.append(run(argv, env, fleet.folder))
        repeats.append(run(argv, env, fleet.folder))
    boards = len(fleet.hosts)
    rows = [figures("orch deploy, first", firsts, boards)]
    rows.append(figures("orch deploy, again", repeats, boards))
    table(
        f"Product: segformer-tiny to {boards} boards, 16 images and 1 timed run each", _HEADER, rows
    )


def _compared(
    tool: str,
    without: Sequence[float | None],
    with_it: Sequence[float | None],
    ended: Sequence[float],
) -> list[str]:
    alone = [one for one in without if one is not None]
    beside = [one for one in with_it if one is not None]
    if not alone or not beside:
        return [tool, "never", "never", "-", f"{statistics.median(ended):.2f}"]
    first, second = statistics.median(alone), statistics.median(beside)
    ratio = f"{second / first:.2f}"
    return [tool, f"{first:.2f}", f"{second:.2f}", ratio, f"{statistics.median(ended):.2f}"]


def _named(tool: str) -> str:
    return f"{tool} (verifies)" if TOOLS[tool] else tool


def main() -> int:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--boards", type=int, default=16)
    parser.add_argument("--many", type=int, default=50)
    parser.add_argument("--only", default=",".join(SCENARIOS))
    parser.add_argument("--tools", default=",".join(TOOLS))
    options = parser.parse_args()
    wanted, tools = set(options.only.split(",")), options.tools.split(",")
    install_peers()
    with tempfile.TemporaryDirectory(prefix="orch-bench-") as scratch:
        if wanted & {"first", "repeat", "change", "product"}:
            with container_fleet(Path(scratch) / "fleet", options.boards) as fleet:
                if wanted & {"first", "repeat"}:
                    deploy_and_repeat(fleet, options.rounds, tools, wanted)
                if "change" in wanted:
                    change(fleet, options.rounds, tools)
                if "product" in wanted:
                    product(fleet, options.rounds)
        if "hole" in wanted:
            with container_fleet(Path(scratch) / "many", options.many) as fleet:
                hole(
                    fleet, options.rounds, [tool for tool in tools if tool != "fabric + sha256sum"]
                )
    version = subprocess.run(["uname", "-sr"], capture_output=True, text=True, check=True).stdout
    print(f"\nmedians of {options.rounds}, Python {sys.version.split()[0]}, {version.strip()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
