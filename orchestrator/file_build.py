"""An ONNX file and a build config of one's own → an axmodel: no recipe and no board."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.actions import Workshop
from orchestrator.cache import Explanation, Produced, Wanted
from orchestrator.domain import ActionRecord, ToolchainIdentity
from orchestrator.hashing import sha256_file, sha256_files
from orchestrator.kept_facts import compile_facts, compile_outputs, show_worst_layers
from orchestrator.onnx_graph import external_files
from orchestrator.plan import files_wanted
from orchestrator.pulsar2.config.file import read_config
from orchestrator.pulsar2.config.staging import StagedConfig, stage_config
from orchestrator.seams import Bench
from orchestrator.stages.compile import Order, compile_files


@dataclass(frozen=True, slots=True)
class FileBuild:
    """What is built; `name` is what messages and the ledger call it."""

    name: str
    staged: StagedConfig
    identity: ToolchainIdentity
    timeout_s: float

    @property
    def files(self) -> dict[str, Path]:
        """Give every file but the model, by its place in the work folder."""
        folder = self.staged.model.absolute().parent
        data = external_files(self.staged.model)
        beside = {f"input/{path.relative_to(folder).as_posix()}": path for path in data}
        return beside | dict(self.staged.files)

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
    return FileBuild(config.stem, staged, identity, timeout_s)


def build_files(work: FileBuild, shop: Workshop, run_id: str) -> tuple[ActionRecord, bool]:
    """Have the axmodel, and say whether it was there already. Raises as `compile_files`."""
    log = shop.logs / run_id / "compile.log"

    def make(folder: Path) -> Produced:
        staged = work.staged
        bench = Bench(shop.toolchain, work.identity, shop.progress, folder, log)
        order = Order(work.name, staged.target, work.timeout_s)
        done = compile_files(order, staged.model, staged.config, work.files, bench)
        facts = compile_facts(done, work.identity, log)
        show_worst_layers(done, shop.progress)
        return Produced(compile_outputs(done, log), facts)

    action, hit = shop.cache.do(work.wanted, run_id, shop.progress, make)
    how = "cached" if hit else f"done in {action.seconds:.1f} s"
    shop.progress.event("compile", f"{how}: {action.facts.get('summary')}")
    return action, hit


def explain_files(work: FileBuild, shop: Workshop) -> Explanation:
    """Say whether it would be a hit."""
    return shop.cache.explain(work.wanted)


def _hash(path: Path) -> str:
    if path.is_dir():
        return sha256_files(path, (one for one in path.rglob("*") if one.is_file()))
    return sha256_file(path)
