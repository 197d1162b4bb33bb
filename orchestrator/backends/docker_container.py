"""One command in one container, which goes when the command ends, is late, or its caller is gone.

Three things see to that. Inside, a watcher reads the container's stdin, which the engine closes
when the caller's connection breaks, and kills everything. Here, a guard outlives the caller and
removes what the engine has made but not started. At the next start, what still has the label of
a process that is gone is removed.
"""

from __future__ import annotations

import select
import struct
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from docker.errors import APIError
from docker.types import Mount
from docker.utils.socket import read

from orchestrator.backends.docker_engine import engine_facts, home_of
from orchestrator.backends.docker_guard import guard, remove
from orchestrator.backends.line_feed import LineFeed
from orchestrator.backends.owner import OWNER, is_gone, labels
from orchestrator.domain import CommandResult, Isolation
from orchestrator.errors import DeadlineError

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container
    from docker.models.images import Image

#: The current folder of the vendor's image, where its documentation mounts the work.
DATA = "/data"
#: The program is no child's brother: only process 1 sees the watcher, and ends when it has ended.
_SCRIPT = """\
exec 3<&0 </dev/null
{ read -r -n 1 <&3; kill -KILL -1; } >/dev/null 2>&1 &
exec 3<&-
"$@" 2>&1
exit $?
"""
_TMPFS = "rw,exec,nosuid,nodev"
#: How long the engine may take to tell how a container ended, after its output has ended.
_GRACE_S = 60.0
_FRAME = struct.Struct(">BxxxL")
_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Order:
    """What to run: `name` is the toolchain's; without a `work_dir` nothing is mounted."""

    name: str
    image: Image
    argv: Sequence[str]
    work_dir: Path | None
    isolation: Isolation


def run_container(
    client: DockerClient, order: Order, on_line: Callable[[str], None], deadline_s: float
) -> CommandResult:
    """Run a command to its end; the container is gone when this returns or raises.

    Raises:
        DeadlineError: it took too long.
        APIError, requests.RequestException, ConnectionError: from the engine.
    """
    name = f"orch-{uuid.uuid4().hex[:12]}"
    with guard(name, str(order.image.id), order.work_dir) as known:
        try:
            container = _create(client, order, name)
            known.set()
            return _follow(client, container, order, on_line, deadline_s)
        except BaseException as error:
            if isinstance(error, APIError):  # the engine has answered: nothing comes later
                known.set()
            with suppress(APIError, requests.RequestException):
                remove(client, name)
            raise


def sweep(client: DockerClient) -> None:
    """Remove the containers of processes that are gone."""
    for container in client.containers.list(all=True, filters={"label": OWNER}):
        if is_gone(container.labels.get(OWNER, "")):
            with suppress(APIError):
                remove(client, str(container.id))


def _create(client: DockerClient, order: Order, name: str) -> Container:
    level = order.isolation
    memory = None
    if level.memory_share is not None:
        memory = int(engine_facts(client).memory_bytes * level.memory_share)
    return client.containers.create(
        order.image,
        entrypoint="/bin/bash",
        command=["-c", _SCRIPT, "orch", *order.argv],
        name=name,
        labels=labels(order.name),
        stdin_open=True,  # with the SDK's default, not detached, it ends with its one reader
        auto_remove=True,
        working_dir=DATA,
        mounts=_mounts(order),
        tmpfs=_tmpfs(order),
        network_mode=level.network,
        cap_drop=None if level.capabilities is None else ["ALL"],
        cap_add=None if level.capabilities is None else list(level.capabilities),
        security_opt=None if level.new_privileges else ["no-new-privileges"],
        read_only=not level.writable_root,
        mem_limit=memory,
        memswap_limit=memory,  # the same: no swap beside it
        pids_limit=level.pids,
    )


def is_split(work_dir: Path) -> bool:
    """Tell whether a work folder keeps what is read and what is written apart."""
    return (work_dir / "input").is_dir() and (work_dir / "output").is_dir()


def _mounts(order: Order) -> list[Mount]:
    """Give the work folder, in one piece or in two, and the home."""
    mounts = []
    work, level = order.work_dir, order.isolation
    if work is not None and level.input_apart and is_split(work):
        mounts.append(_bind(work / "input", f"{DATA}/input", read_only=True))
        mounts.append(_bind(work / "output", f"{DATA}/output"))
    elif work is not None:
        mounts.append(_bind(work, DATA))
    if level.writable_home:
        # A volume without a name begins with what the image has there, and goes with the container.
        mounts.append(Mount(home_of(order.image), None, type="volume"))
    return mounts


def _bind(source: Path, target: str, *, read_only: bool = False) -> Mount:
    return Mount(target, str(source.absolute()), type="bind", read_only=read_only)


def _tmpfs(order: Order) -> dict[str, str] | None:
    if order.isolation.writable_root:
        return None
    places = ["/tmp", "/run"]  # noqa: S108 - inside the container
    whole = order.work_dir is not None and not is_split(order.work_dir)
    return dict.fromkeys(places if whole else [*places, DATA], _TMPFS)


def _follow(
    client: DockerClient,
    container: Container,
    order: Order,
    on_line: Callable[[str], None],
    deadline_s: float,
) -> CommandResult:
    """Start a container, hand over its lines, and give its end."""
    with ExitStack() as stack:
        # The engine answers with the head at once and with the body at the end; asked before the
        # start, for a container that has ended is removed with its return code.
        ended = client.api.post(
            f"{client.api.base_url}/v{client.api.api_version}/containers/{container.id}/wait",
            params={"condition": "removed"},
            stream=True,
            timeout=(_GRACE_S, deadline_s + _GRACE_S),
        )
        stack.callback(ended.close)
        ended.raise_for_status()
        line = container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        # Its own close() leaves the socket's file open, and raises for an engine reached by ssh.
        stack.callback(line._response.close)  # type: ignore[union-attr] # noqa: SLF001 - there is no other way
        container.start()
        lines = LineFeed(on_line)
        for chunk in _output(line, time.monotonic() + deadline_s):
            if chunk is None:
                raise DeadlineError(
                    f"{' '.join(order.argv[:2])} took longer than {deadline_s:g} s; its container "
                    "was killed",
                    "raise compile.timeout in the recipe",
                )
            lines.feed(chunk)
        return CommandResult(int(ended.json()["StatusCode"]), lines.finish(), b"")


def _output(line: Any, end: float) -> Iterator[bytes | None]:
    """Give what a container says, out of the engine's frames; None when the time is over."""
    poll = select.poll()
    poll.register(line.fileno(), select.POLLIN | select.POLLPRI)
    buffer = bytearray()
    while True:
        left_s = end - time.monotonic()
        if left_s <= 0 or not poll.poll(left_s * 1000):
            yield None
            return
        chunk = read(line, _CHUNK)
        if not chunk:
            return
        buffer += chunk
        while len(buffer) >= _FRAME.size:
            _, size = _FRAME.unpack_from(buffer)
            if len(buffer) < _FRAME.size + size:
                break
            yield bytes(buffer[_FRAME.size : _FRAME.size + size])
            del buffer[: _FRAME.size + size]
