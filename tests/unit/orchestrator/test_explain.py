from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.actions import Sources
from orchestrator.backends.fsspec_blobs import FsspecBlobs
from orchestrator.backends.sql_ledger import SqlLedger
from orchestrator.cache import Cache, Explanation, Produced, Wanted
from orchestrator.checkpoint import FoundCheckpoint
from orchestrator.domain import Recipe, ToolchainIdentity
from orchestrator.explain import detailed, explain_stages, in_words
from orchestrator.hashing import canonical_json
from orchestrator.plan import check_wanted, compile_wanted, export_wanted, optimize_wanted
from orchestrator.seams import Progress

SOURCES = Sources(
    FoundCheckpoint(Path("/w"), "c", None),
    "e",
    "k",
    ToolchainIdentity("t", "5.2", "abc", "sha256:00", simulated=False),
)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'orch.db'}")
    yield Cache(ledger, FsspecBlobs(str(tmp_path / "cas")), tmp_path / "work")
    ledger.close()


def do(cache: Cache, wanted: Wanted, progress: Progress) -> str:
    """Do it; give the hash of its ONNX."""

    def make(folder: Path) -> Produced:
        (folder / "f").write_text(wanted.stage)
        return Produced({"onnx": folder / "f", "axmodel": folder / "f"}, {})

    return cache.do(wanted, "r", progress, make)[0].outputs["onnx"].sha256


def told(recipe: Recipe, cache: Cache) -> list[tuple[str, bool]]:
    return [(one.stage, one.hit) for one in explain_stages(recipe, SOURCES, cache)]


def test_the_list_ends_with_the_first_miss(
    recipe: Recipe, cache: Cache, progress: Progress
) -> None:
    assert told(recipe, cache) == [("export", False)]

    onnx = do(cache, export_wanted(recipe, SOURCES.checkpoint, "e"), progress)
    assert told(recipe, cache) == [("export", True), ("optimize", False)]

    graph = do(cache, optimize_wanted(recipe, onnx, "e"), progress)
    assert told(recipe, cache)[2:] == [("compile", False)]

    axmodel = do(cache, compile_wanted(recipe, graph, "k", SOURCES.toolchain), progress)
    assert told(recipe, cache)[2:] == [("compile", True), ("check", False)]

    do(cache, check_wanted(recipe, graph, axmodel, "e", SOURCES.toolchain), progress)
    assert told(recipe, cache)[2:] == [("compile", True), ("check", True)]


def test_a_check_that_is_left_out_is_not_explained(
    recipe: Recipe, cache: Cache, progress: Progress
) -> None:
    recipe = replace(recipe, check=replace(recipe.check, images=0))
    onnx = do(cache, export_wanted(recipe, SOURCES.checkpoint, "e"), progress)
    graph = do(cache, optimize_wanted(recipe, onnx, "e"), progress)
    do(cache, compile_wanted(recipe, graph, "k", SOURCES.toolchain), progress)

    assert [stage for stage, _ in told(recipe, cache)] == ["export", "optimize", "compile"]


@pytest.mark.parametrize(
    ("explanation", "words"),
    [
        (Explanation("export", True, "k" * 64, "k" * 64, {}), "hit (kkkkkkkkkkkk)"),
        (Explanation("export", False, "k", None, {}), "miss: it has never run for this recipe"),
        (
            Explanation("export", False, "k", "k", {}),
            "miss: its files are no longer among the artifacts",
        ),
        (
            Explanation("export", False, "k", "l", {"a": ("1", "2"), "b": (None, "x" * 64)}),
            f"miss: a: 1 → 2; b: (none) → {'x' * 20}…{'x' * 12}",
        ),
    ],
)
def test_an_explanation_is_one_line(explanation: Explanation, words: str) -> None:
    assert in_words(explanation) == words


CONFIG = canonical_json(
    {"quant": {"calibration_method": "MinMax", "input_configs": [{"size": 32}, {"size": 8}]}}
)
OTHER = canonical_json(
    {"quant": {"calibration_method": "KL", "input_configs": [{"size": 32}, {"size": 9}]}, "x": None}
)


@pytest.mark.parametrize(
    ("name", "before", "now", "changes"),
    [
        (
            "config",
            CONFIG,
            OTHER,
            {
                "config.quant.calibration_method": ("MinMax", "KL"),
                "config.quant.input_configs[1].size": ("8", "9"),
                "config.x": (None, "null"),
            },
        ),
        ("config", '[1,{"a":[]}]', "[1]", {"config[1]": ('{"a":[]}', None)}),
        (
            "argv",
            "pulsar2 build --npu_mode NPU3 --verbose",
            "pulsar2 build --npu_mode NPU1 --debug 1",
            {
                "argv.--npu_mode": ("NPU3", "NPU1"),
                "argv.--verbose": ("--verbose", None),
                "argv.--debug": (None, "1"),
            },
        ),
        ("argv", "pulsar2 build a", "pulsar2 run a", {"argv.1": ("build", "run")}),
        ("config", "{broken", "{}", {"config": ("{broken", "{}")}),
        ("config", None, "{}", {"config": (None, "{}")}),
        ("opset", "11", "12", {"opset": ("11", "12")}),
    ],
)
def test_what_differs_inside_a_field_is_named(
    name: str, before: str | None, now: str, changes: dict[str, tuple[str | None, str | None]]
) -> None:
    assert detailed({name: (before, now)}) == changes


def test_a_change_deep_in_the_config_is_told_in_the_line() -> None:
    changed = {"config": (CONFIG, CONFIG.replace("MinMax", "KL"))}

    said = in_words(Explanation("compile", False, "k", "l", changed))

    assert said == "miss: config.quant.calibration_method: MinMax → KL"
