"""How tightly a toolchain's container is closed, and what is remembered of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: Root without capabilities cannot write into a folder of somebody else, as the output is.
_NEEDED = ("CHOWN", "DAC_OVERRIDE", "FOWNER")
_PIDS = 4096
_MEMORY_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Isolation:
    """What a container may reach.

    Attributes:
        network: `none`, or the host's, as the vendor's run line has it.
        capabilities: what is left after all were dropped; None: the engine's default.
        new_privileges: programs with the set-user-ID bit count.
        writable_root: the image's files can be changed; else only /tmp, /run and /data.
        writable_home: a copy of the image's home lies over it; for a root that is read-only.
        input_apart: `input` of the work folder is read-only, only `output` is kept.
        memory_share: of the engine's memory; None: no limit, and swap as the engine has it.
        pids: processes and threads; None: no limit.
    """

    name: str
    network: Literal["none", "host"] = "none"
    capabilities: tuple[str, ...] | None = _NEEDED
    new_privileges: bool = False
    writable_root: bool = False
    writable_home: bool = False
    input_apart: bool = True
    memory_share: float | None = _MEMORY_SHARE
    pids: int | None = _PIDS


#: The vendor's documented run line: `docker run --rm --net host -v WORK:/data IMAGE`.
DOCUMENTED = Isolation(
    name="documented",
    network="host",
    capabilities=None,
    new_privileges=True,
    writable_root=True,
    input_apart=False,
    memory_share=None,
    pids=None,
)
#: From the strictest on; the licence in the image's home, and the network it may want, decide.
LEVELS = (
    Isolation("sealed"),
    Isolation("home", writable_home=True),
    Isolation("root", writable_root=True),
    Isolation("root-network", writable_root=True, network="host"),
    Isolation("capable", writable_root=True, capabilities=None, new_privileges=True),
    Isolation(
        "limited", writable_root=True, network="host", capabilities=None, new_privileges=True
    ),
    DOCUMENTED,
)


@dataclass(frozen=True, slots=True)
class KnownImage:
    """What is remembered of an image, by its digest.

    Attributes:
        isolation: the strictest that a build passed under; None: not checked.
        checked_at: ISO 8601; empty while it is not checked.
    """

    digest: str
    version: str
    commit: str
    simulated: bool
    isolation: Isolation | None = None
    checked_at: str = ""


@dataclass(frozen=True, slots=True)
class EngineImage:
    """An image that the Docker engine has, under one of its names."""

    image: str
    digest: str


@dataclass(frozen=True, slots=True)
class ToolchainFact:
    """Something seen while a toolchain was checked; `fits` is None where nothing is asked of it."""

    name: str
    value: str
    fits: bool | None = None
