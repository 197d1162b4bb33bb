"""A fleet of simulated boards in one process: `python -m containers.board_sim.serve`.

Every board is an SSH server on 127.0.0.1 with a root folder of its own. `fleet.json` in the
folder of the fleet says where they listen; it is there only while they do.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, BinaryIO

import asyncssh

from containers.board_sim.options import BoardPlan, make_parser, plan_boards
from containers.board_sim.profiles import PROFILES, identity_of, with_faults
from containers.board_sim.root import make_root
from containers.board_sim.sshd import Login, listen

#: What a board without Python has, like a busybox image.
_PLAIN_TOOLS = (
    "awk basename cat chmod cp cut date dd df dirname echo env expr find grep gzip head id kill ln "
    "ls mkdir mv nohup od printf ps readlink rm sed setsid sh sha256sum sleep sort stat sync tail "
    "tar test touch tr true uname wc"
)


def keep_key(path: Path) -> Any:
    """The ed25519 private key in the file; made there, mode 0600, when there is none."""
    if path.exists():
        return asyncssh.read_private_key(str(path))
    key = asyncssh.generate_private_key("ssh-ed25519", comment="orch simulation")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key.export_private_key())
    key.write_public_key(f"{path}.pub")
    part.replace(path)
    return key


def _fill_bin(root: Path, *, python: bool) -> str:
    """Write the board's `bin` and give its PATH. A real board's PATH has no /opt/bin either."""
    folder = root / "bin"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    if python:
        wrapper = folder / "python3"
        wrapper.write_text(f"#!/bin/sh\nexec '{sys.executable}' \"$@\"\n", encoding="utf-8")
        wrapper.chmod(0o755)
        return f"{folder}:/usr/bin:/bin"
    for tool in _PLAIN_TOOLS.split():
        for place in (Path("/usr/bin"), Path("/bin")):
            if (place / tool).exists() and not (folder / tool).is_symlink():
                (folder / tool).symlink_to(place / tool)
    return str(folder)


async def serve_board(plan: BoardPlan, keys: Path, users: frozenset[str], client_keys: Path) -> Any:
    """Make the board and listen; gives (server, entry for fleet.json)."""
    profile = with_faults(PROFILES[plan.profile], plan.faults)
    if plan.axengine:
        profile = profile._replace(axengine=plan.axengine)
    make_root(plan.root, profile, identity_of(plan.name), plan.script)
    login = Login(
        users=users,
        authorized_keys=client_keys,
        environment={
            "HOME": str(plan.root / "root"),
            "PATH": _fill_bin(plan.root, python="no-python" not in plan.faults),
            "ORCH_SYSROOT": str(plan.root),
            "LANG": "C",
        },
        home=plan.root / "root",
        sftp="no-sftp" not in plan.faults,
    )
    told = keep_key(keys / plan.name / "host_key")
    shown = keep_key(keys / plan.name / "other_key") if "wrong-host-key" in plan.faults else told
    server = await (
        asyncio.start_server(_never_answer, "127.0.0.1", plan.port)
        if "hang" in plan.faults
        else listen(login, shown, plan.port)
    )
    return server, {
        "name": plan.name,
        "host": "127.0.0.1",
        "port": server.sockets[0].getsockname()[1],
        "host_key": " ".join(told.export_public_key().decode("ascii").split()[:2]),
        "root": str(plan.root),
        "profile": plan.profile,
        "trace": str(plan.script) if plan.script else None,
    }


async def _never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(4096):
        pass
    writer.close()


async def serve(plans: Sequence[BoardPlan], options: argparse.Namespace) -> None:
    """Serve the fleet until SIGTERM, SIGINT or, if asked, the end of stdin."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if options.stop_with_parent:
        _watch_stdin(lambda: loop.call_soon_threadsafe(stop.set))
    fleet_file = options.root / "fleet.json"
    async with AsyncExitStack() as servers:
        servers.enter_context(_only_one(options.root))
        fleet_file.unlink(missing_ok=True)
        entries = []
        for plan in plans:
            server, entry = await serve_board(
                plan, options.root / "host_keys", frozenset(options.user), options.authorized_key
            )
            servers.callback(server.close)
            entries.append(entry)
        _write_fleet(fleet_file, entries)
        try:
            await stop.wait()
        finally:
            fleet_file.unlink(missing_ok=True)
            for plan in plans:
                _power_off(plan.root)


def _power_off(root: Path) -> None:
    """End what still runs on a board: detached work does not outlive a machine either."""
    mark = f"ORCH_SYSROOT={root}".encode()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark in environment.read_bytes().split(b"\0"):
                os.kill(int(environment.parent.name), signal.SIGKILL)


def _only_one(root: Path) -> BinaryIO:
    """Hold the folder of the fleet for as long as the file is open. Raises ValueError."""
    root.mkdir(parents=True, exist_ok=True)
    lock = (root / "lock").open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise ValueError(f"{root}: another process serves this fleet") from error
    return lock


def _watch_stdin(at_end: Callable[[], object]) -> None:
    def wait() -> None:
        while os.read(0, 4096):
            pass
        at_end()

    threading.Thread(target=wait, daemon=True).start()


def _write_fleet(path: Path, entries: list[dict[str, object]]) -> None:
    part = path.with_suffix(".json.part")
    fleet = {"pid": os.getpid(), "simulated": True, "boards": entries}
    part.write_text(json.dumps(fleet, indent=2) + "\n", encoding="utf-8")
    part.replace(path)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line program."""
    parser = make_parser()
    options = parser.parse_args(argv)
    options.root = options.root.resolve()
    options.user = options.user or ["root"]
    if options.make_key:
        options.authorized_key = options.authorized_key or Path(f"{options.make_key}.pub")
    if not options.authorized_key:
        parser.error("--authorized-key or --make-key is needed: there is no login without a key")
    try:
        plans = plan_boards(options)
        if options.make_key:
            keep_key(options.make_key)
        asyncio.run(serve(plans, options))
    except (OSError, ValueError, asyncssh.KeyImportError) as error:
        parser.exit(2, f"board_sim: {error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
