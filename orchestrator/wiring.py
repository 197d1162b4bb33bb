"""Options → one implementation per seam; a backend is imported when it is asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.domain import ToolchainSpec
from orchestrator.errors import ConfigError
from orchestrator.inventory import Inventory, find_inventory, load_inventory

if TYPE_CHECKING:
    from orchestrator.actions import Workshop
    from orchestrator.backends.fabric_connect import FabricConnect
    from orchestrator.backends.fsspec_blobs import FsspecBlobs
    from orchestrator.backends.sql_ledger import SqlLedger
    from orchestrator.fleet.rolling import Crew
    from orchestrator.parallel import Engine
    from orchestrator.seams import Progress, Toolchain
    from orchestrator.transfer.encoding import Encoder


@dataclass(frozen=True, slots=True)
class Workplace:
    """The inventory and the folder where orch keeps its state."""

    inventory: Inventory
    home: Path

    @property
    def simulation(self) -> Path:
        """The folder of the simulated boards."""
        return self.home / "sim"

    def ledger(self) -> SqlLedger:
        """Open the ledger: `ORCH_LEDGER`, or SQLite under home."""
        from orchestrator.backends.sql_ledger import SqlLedger

        return SqlLedger(os.environ.get("ORCH_LEDGER") or f"sqlite:///{self.home / 'orch.db'}")

    @property
    def blobs_url(self) -> str:
        """Where the artifacts lie: `ORCH_BLOBS`, or a folder under home."""
        return os.environ.get("ORCH_BLOBS") or str(self.home / "cas")

    def blobs(self) -> FsspecBlobs:
        """Open the artifacts."""
        from orchestrator.backends.fsspec_blobs import FsspecBlobs

        return FsspecBlobs(self.blobs_url)


def open_workplace(inventory: Path | None) -> Workplace:
    """Find the inventory (option, `ORCH_INVENTORY`, ./inventory.yaml) and the home beside it."""
    named = find_inventory(inventory)
    home = os.environ.get("ORCH_HOME")
    folder = Path(home).expanduser() if home else named.resolve().parent / ".orch"
    return Workplace(load_inventory(named), folder.absolute())


def make_toolchain(spec: ToolchainSpec, home: Path | None = None) -> Toolchain:
    """Give what runs `pulsar2`.

    An image runs as closed as was seen to work in `home`; else as the vendor documents it.
    """
    if spec.kind == "docker" and spec.image is not None:
        from orchestrator.backends.docker_toolchain import DockerToolchain, documented
        from orchestrator.known_images import KnownImages

        isolation_of = KnownImages(home).isolation_of if home else documented
        return DockerToolchain(spec.name, spec.image, isolation_of)
    if spec.kind == "local":
        from orchestrator.backends.local_toolchain import LocalToolchain

        return LocalToolchain(spec.name, spec.command)
    if spec.kind == "package":
        from orchestrator.backends.package_toolchain import PackageTree

        return PackageTree(spec.name, package_root(spec))
    return _stand_in(spec.name)


def package_root(spec: ToolchainSpec) -> Path:
    """Find the vendor's package tree: the inventory's path, else `PULSAR2_HOME`."""
    root = spec.path or os.environ.get("PULSAR2_HOME")
    if not root:
        raise ConfigError(
            f"toolchain {spec.name!r}: no path, and PULSAR2_HOME is not set",
            f"name the tree: toolchains.{spec.name}.path in the inventory",
        )
    return Path(root).expanduser().absolute()


def limit_builds(toolchain: Toolchain, spec: ToolchainSpec, progress: Progress) -> Toolchain:
    """Let builds wait for their turn on the engine; the stand-in needs none."""
    from orchestrator.backends.limited_toolchain import LimitedToolchain

    if spec.kind == "sim":
        return toolchain
    # One place for all users of this machine, for they share its engines.
    folder = Path(os.environ.get("ORCH_SLOTS") or "/tmp/orch-slots")  # noqa: S108 - LimitedToolchain trusts nothing in it
    return LimitedToolchain(toolchain, spec.max_builds, folder, partial(progress.event, "compile"))


def _stand_in(name: str) -> Toolchain:
    """Give the stand-in for the vendor's image, run by this very Python."""
    from importlib.util import find_spec

    from orchestrator.backends.local_toolchain import LocalToolchain

    module = "containers.pulsar2_sim"
    found = find_spec(module)
    if found is None or found.submodule_search_locations is None:
        raise ConfigError(f"toolchain {name!r}: {module} is not installed")
    if find_spec("onnxruntime") is None:
        raise ConfigError(
            f"toolchain {name!r}: the stand-in needs onnxruntime", "pip install 'orch[sim]'"
        )
    folder = Path(next(iter(found.submodule_search_locations)))
    return LocalToolchain(name, (sys.executable, "-m", module), folder)


def make_engine(url: str | None) -> Engine:
    """Give threads, or the Dask cluster at `url`."""
    from orchestrator.backends.engines import DaskEngine, ThreadEngine

    return DaskEngine(url) if url else ThreadEngine()


def make_workshop(
    place: Workplace, ledger: SqlLedger, spec: ToolchainSpec, progress: Progress
) -> Workshop:
    """Give what building needs."""
    from orchestrator.actions import Workshop
    from orchestrator.cache import Cache

    blobs = place.blobs()
    cache = Cache(ledger, blobs, place.home / "work")
    toolchain = limit_builds(make_toolchain(spec, place.home), spec, progress)
    return Workshop(cache, blobs, toolchain, progress, place.home / "logs")


def make_connect(place: Workplace, secret_of: Callable[[str], str] | None = None) -> FabricConnect:
    """Give what opens boards; keys may be pinned in the inventory or stand in known_hosts.

    `secret_of` gives the password for `env:NAME` and `prompt`; without it nobody is asked.
    """
    from orchestrator.backends.fabric_connect import FabricConnect, environment_secret

    known_hosts = (place.home / "known_hosts", Path("~/.ssh/known_hosts").expanduser())
    secrets = secret_of or environment_secret
    return FabricConnect(known_hosts, secrets, place.inventory.site_limits)


def make_encoder(place: Workplace) -> Encoder:
    """Give what packs blobs for boards."""
    from orchestrator.transfer.encoding import Encoder
    from orchestrator.transfer.payloads import Payloads

    return Encoder(place.blobs(), Payloads(place.home / "payloads"))


def make_crew(
    place: Workplace,
    ledger: SqlLedger,
    engine_url: str | None,
    progress: Progress,
    secret_of: Callable[[str], str] | None = None,
) -> Crew:
    """Give what working on boards needs."""
    from orchestrator.boards.remembering import open_notes
    from orchestrator.fleet.rolling import Crew

    return Crew(
        connect=make_connect(place, secret_of),
        engine=make_engine(engine_url),
        encoder=make_encoder(place),
        ledger=ledger,
        notes=open_notes(ledger),
        progress=progress,
        reports=place.home / "reports",
    )
