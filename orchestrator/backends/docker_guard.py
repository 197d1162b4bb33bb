"""A process beside orch that removes its container when orch is killed, at whatever moment.

It is a shell that waits for a line on a pipe; if the pipe ends without one, it becomes this module.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import requests
from docker.errors import APIError, DockerException, NotFound

from orchestrator.backends.owner import labels

if TYPE_CHECKING:
    from docker import DockerClient

_WAIT = 'read -r _ || exec "$@"'
#: A container that is being made when its caller is killed appears within this time.
_LATE_S = 3.0
_LOOK_S = 0.1
#: How long the engine may take to remove a container that has ended.
_REMOVAL_S = 10.0
_SOON_S = 0.02


@contextmanager
def guard(name: str, image: str, work_dir: Path | None) -> Iterator[threading.Event]:
    """Guard a container of this name while it may be there.

    Set the event once the caller knows the container and can remove it himself.
    """
    # -P: what lies in the current folder is not taken for a module.
    looks = [sys.executable, "-P", "-m", "orchestrator.backends.docker_guard"]
    known = threading.Event()
    with subprocess.Popen(
        ["/bin/sh", "-c", _WAIT, "sh", *looks, name, image, str(work_dir or "")],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C on a terminal goes to all of a session
        text=True,
    ) as process:
        try:
            yield known
        finally:
            if known.is_set() and process.stdin is not None:
                with suppress(BrokenPipeError):
                    process.stdin.write("done\n")
                    process.stdin.flush()


def remove(client: DockerClient, container: str) -> bool:
    """Kill and remove a container; say whether it was there. Raises APIError."""
    end, seen = time.monotonic() + _REMOVAL_S, False
    while True:
        try:
            client.api.remove_container(container, v=True, force=True)
        except NotFound:
            return seen
        except APIError as error:
            # The engine is removing it already, for it has ended; let it come to its end.
            if error.status_code != requests.codes.conflict or time.monotonic() > end:
                raise
            seen = True
            time.sleep(_SOON_S)
        else:
            return True


def hand_back(client: DockerClient, image: str, work_dir: Path) -> None:
    """Give the files that a container's root wrote to the caller, if there are any."""
    if os.getuid() == 0 or all(path.lstat().st_uid == os.getuid() for path in _tree(work_dir)):
        return
    client.containers.run(
        image,
        entrypoint="/bin/chown",
        command=["-R", f"{os.getuid()}:{os.getgid()}", "/data"],
        volumes={str(work_dir.absolute()): {"bind": "/data", "mode": "rw"}},
        labels=labels("hand-back"),
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        cap_add=["CHOWN", "DAC_READ_SEARCH"],
        remove=True,
    )


def _tree(folder: Path) -> Iterator[Path]:
    """Give all paths below a folder; one that cannot be entered is given itself."""
    for parent, folders, files in os.walk(folder):
        yield from (Path(parent, name) for name in (*folders, *files))


def main(name: str, image: str, work_dir: str) -> None:
    """Remove the container, also if the engine is only making it; then give its files back."""
    end = time.monotonic() + _LATE_S
    client = docker.from_env()
    try:
        while not remove(client, name) and time.monotonic() < end:
            time.sleep(_LOOK_S)
        if work_dir and Path(work_dir).is_dir():
            hand_back(client, image, Path(work_dir))
    finally:
        client.close()


if __name__ == "__main__":
    with suppress(DockerException, requests.RequestException, OSError):  # nobody is left to tell
        main(*sys.argv[1:])
