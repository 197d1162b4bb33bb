"""An ONNX file and a build config of one's own → an axmodel: no recipe and no board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.actions import Workshop, do
from orchestrator.cache import Produced, Wanted
from orchestrator.domain import ActionRecord, ToolchainIdentity
from orchestrator.hashing import sha256_file, sha256_files
from orchestrator.kept_facts import keep_build
from orchestrator.onnx_graph import external_files
from orchestrator.plan import files_wanted
from orchestrator.pulsar2.config.file import read_config
from orchestrator.pulsar2.config.staging import StagedConfig, stage_config
from orchestrator.seams import Bench
from orchestrator.stages.compile import Order, compile_files


@dataclass(frozen=True, slots=True)
class FileBuild:
    """What is built.

    Attributes:
        name: what messages and the ledger call it.
        files: every file but the model, by its place in the work folder.
    """

    name: str
    staged: StagedConfig
    files: Mapping[str, Path]
    identity: ToolchainIdentity
    timeout_s: float

    @property
    def wanted(self) -> Wanted:
        """Say what the axmodel depends on: the model, the config, every file it names."""
        files = {place: _hash(path) for place, path in sorted(self.files.items())}
        return files_wanted(
            self.name,
            sha256_file(self.staged.model),
            self.staged.config,
            self.staged.target,
            files,
            self.identity,
        )


def open_file_build(
    config: Path, onnx: Path | None, identity: ToolchainIdentity, timeout_s: float
) -> FileBuild:
    """Read and check a config with its files; relative paths begin at the current folder.

    Raises:
        ConfigError: the toolchain would refuse the config, or a file is missing.
    """
    text = read_config(config)
    staged = stage_config(text.data, Path.cwd(), identity.version, text.origin, onnx)
    return FileBuild(config.stem, staged, files_of(staged), identity, timeout_s)


def files_of(staged: StagedConfig) -> dict[str, Path]:
    """Give what the config names and what lies beside the model, by place in the work folder."""
    folder = staged.model.absolute().parent
    data = external_files(staged.model)
    beside = {f"input/{path.relative_to(folder).as_posix()}": path for path in data}
    return beside | dict(staged.files)


def build_files(work: FileBuild, shop: Workshop, run_id: str) -> tuple[ActionRecord, bool]:
    """Have the axmodel, and say whether it was there already. Raises as `compile_files`."""
    log = shop.logs / run_id / "compile.log"

    def make(folder: Path) -> Produced:
        staged = work.staged
        bench = Bench(shop.toolchain, work.identity, shop.progress, folder, log)
        order = Order(work.name, staged.target, work.timeout_s)
        done = compile_files(order, staged.model, staged.config, work.files, bench)
        return keep_build(done, bench)

    return do(shop, run_id, work.wanted, make)


def _hash(path: Path) -> str:
    if path.is_dir():
        return sha256_files(path, (one for one in path.rglob("*") if one.is_file()))
    return sha256_file(path)
