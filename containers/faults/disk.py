"""Looks at a board's work_dir from outside, and says what must never be there.

It trusts nothing that the agent says: it reads the files themselves, out of the container.
"""

from __future__ import annotations

import hashlib
import io
import json
import posixpath
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass

from containers.faults.engine import docker_bytes

_SHA256 = re.compile(r"[0-9a-f]{64}")
_TOKEN = re.compile(r"\d{20}")
#: GNU tar: a file changed while it was read.
_CHANGED = 1
_READ_S = 60.0


@dataclass(frozen=True, slots=True)
class Disk:
    """The files of a work_dir by their paths in it, links by where they point; and the folders."""

    files: Mapping[str, bytes]
    links: Mapping[str, str]
    folders: frozenset[str]

    def below(self, folder: str) -> dict[str, bytes]:
        """Give the files of a folder by name, those of its folders by path."""
        start = f"{folder}/"
        return {
            path.removeprefix(start): content
            for path, content in self.files.items()
            if path.startswith(start)
        }


def read_disk(container: str, work_dir: str) -> Disk:
    """Read an absolute work_dir out of a running container; empty where there is none."""
    parent, name = posixpath.split(work_dir)
    found = ["exec", container, "sh", "-c", 'cd "$1" && [ -d "$2" ] && tar -cf - "$2"; :', "sh"]
    data = docker_bytes(*found, parent, name, timeout_s=_READ_S, codes=(0, _CHANGED))
    return unpack_disk(data, name)


def unpack_disk(data: bytes, name: str) -> Disk:
    """Read a work_dir out of a tar that has it below `name`."""
    files: dict[str, bytes] = {}
    links: dict[str, str] = {}
    folders = set()
    if not data:
        return Disk({}, {}, frozenset())
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for entry in tar:
            path = posixpath.relpath(entry.name, name)
            if entry.issym():
                links[path] = entry.linkname
            elif entry.isdir():
                folders.add(path)
            elif entry.isfile() or entry.islnk():
                stream = tar.extractfile(entry)
                files[path] = stream.read() if stream else b""
    return Disk(files, links, frozenset(folders))


def violations(disk: Disk) -> list[str]:
    """Say what must not be, whatever was cut off in whatever moment; empty: the board is sound."""
    found = []
    for name, content in disk.below("blobs").items():
        if _SHA256.fullmatch(name) and _sha256(content) != name:
            found.append(f"blobs/{name}: {len(content)} bytes with the sha256 {_sha256(content)}")
    for link in ("current", "previous"):
        target = disk.links.get(link)
        if target is not None:
            found += [f"{link}: {problem}" for problem in _release_problems(disk, target)]
        elif link in disk.files or link in disk.folders:
            found.append(f"{link} is no link")
    for name, content in disk.below("agent").items():
        stem = posixpath.splitext(name)[0]
        if _SHA256.fullmatch(stem) and name.endswith((".pyz", ".sh")) and _sha256(content) != stem:
            found.append(f"agent/{name}: it has the sha256 {_sha256(content)}")
    return found


def not_converged(disk: Disk, release_id: str) -> list[str]:
    """Say what is not as a deploy of that release that went well leaves it."""
    found = violations(disk)
    if disk.links.get("current") != f"releases/{release_id}":
        found.append(f"current is {disk.links.get('current')}, not releases/{release_id}")
    if held := held_leases(disk):
        found.append(f"leases are held: {', '.join(held)}")
    tokens = sorted(path for path in disk.folders if path.startswith("lease/"))
    if len(tokens) > 1:
        found.append(f"{len(tokens)} leases are kept: {', '.join(tokens)}")
    # Half a program on its way may be somebody else's that still comes: it is kept for an hour.
    late = (path for path in leftovers(disk) if not path.startswith("agent/"))
    return found + [f"left over: {path}" for path in late]


def leftovers(disk: Disk) -> list[str]:
    """Give what a cut may leave, and the next deploy takes away: parts and half-made names."""
    parts = [f"incoming/{path}" for path in disk.below("incoming")]
    return sorted({*parts, *(path for path in disk.files if path.endswith((".tmp", ".part")))})


def held_leases(disk: Disk) -> list[str]:
    """Give the tokens with a holder; a cut may leave one, which its time ends."""
    named = (path.split("/") for path in disk.files if path.startswith("lease/"))
    return sorted(
        parts[1] for parts in named if parts[2:] == ["holder"] and _TOKEN.fullmatch(parts[1])
    )


def _release_problems(disk: Disk, target: str) -> list[str]:
    manifest = disk.files.get(posixpath.join(target, "manifest.json"))
    if manifest is None:
        return [f"{target} has no manifest"]
    try:
        listed = json.loads(manifest)["files"]
        wanted = {name: (item["sha256"], item["size_bytes"]) for name, item in listed.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return [f"{target}: a torn manifest of {len(manifest)} bytes"]
    found = []
    for name, (sha256, size_bytes) in wanted.items():
        content = disk.files.get(f"blobs/{sha256}")
        if content is None:
            found.append(f"{target}: {name} is not there")
        elif len(content) != size_bytes or _sha256(content) != sha256:
            found.append(f"{target}: {name} is torn, {len(content)} of {size_bytes} bytes")
    return found


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
