"""What is worth keeping of what `pulsar2` made, and what of it a person wants to see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from orchestrator.cache import Produced
from orchestrator.domain import Json, ToolchainIdentity
from orchestrator.hashing import as_json
from orchestrator.pulsar2.precision import (
    HEADER,
    LayerPrecision,
    display_rows,
    read_precision_table,
    worst,
)
from orchestrator.seams import Bench
from orchestrator.stages.check import Checked
from orchestrator.stages.compile import Made


def keep_build(done: Made, bench: Bench) -> Produced:
    """Give what is kept of a build, and show the layers least like the float model's.

    There are such layers where precision analysis was on: the ten worst.
    """
    files = {"axmodel": done.axmodel, "log": bench.log}
    layers: tuple[LayerPrecision, ...] = ()
    if done.precision is not None:
        files["precision"] = done.precision
        layers = worst(read_precision_table(done.precision.read_text(encoding="utf-8")))
        rows = display_rows(layers)
        bench.progress.table("Layers least like the float model", HEADER, rows)
    return Produced(files, _build_facts(done, layers, bench))


def _build_facts(done: Made, layers: Sequence[LayerPrecision], bench: Bench) -> dict[str, Json]:
    header = done.header
    simulated = ", SIMULATED" if header.simulated else ""
    return {
        "summary": f"{megabytes(done.axmodel)} axmodel for {header.target} by pulsar2 "
        f"{header.pulsar2_version} ({header.pulsar2_commit}){simulated}",
        "hardware": header.target.hardware,
        "npu_mode": header.target.npu_mode,
        "pulsar2_version": header.pulsar2_version,
        "pulsar2_commit": header.pulsar2_commit,
        "toolchain_digest": bench.identity.digest,
        "simulated": header.simulated,
        "macs": done.facts.macs,
        "max_cycle": done.facts.max_cycle,
        "subgraphs": done.facts.subgraphs,
        "ops": done.facts.ops,
        "quantized_ops": done.facts.quantized_ops,
        "warnings": list(done.facts.warnings),
        "phase_seconds": {str(phase): round(s, 3) for phase, s in done.facts.phase_seconds},
        "worst_layers": [_layer(one) for one in layers],
        "log": str(bench.log),
    }


def _layer(one: LayerPrecision) -> Json:
    return {
        "operator": one.operator,
        "type": one.op_type,
        "tensor": one.tensor,
        "qdtype": one.qdtype,
        "cosine": None if math.isnan(one.cosine) else one.cosine,
        "mse": None if math.isnan(one.mse) else one.mse,
    }


def megabytes(path: Path) -> str:
    """Give a file's size for people."""
    return f"{path.stat().st_size / 1e6:.2f} MB"


def check_facts(done: Checked, made_by: ToolchainIdentity, log: Path) -> dict[str, Json]:
    """Give what is worth keeping of a check."""
    agreed = done.agreement
    least = min((one.cosine for one in done.outputs if one.cosine is not None), default=None)
    cosine = "" if least is None else f", cosine {least:.5f}"
    miou = "" if agreed.miou is None else f", mIoU {agreed.miou:.3f}"
    simulated = ", SIMULATED" if made_by.simulated else ""
    return {
        "summary": f"pulsar2 run against float on {agreed.images} images: agreement "
        f"{agreed.share:.2%}{miou}{cosine}{simulated}",
        "images": agreed.images,
        "agreement": agreed.share,
        "miou": agreed.miou,
        "cosine": least,
        "outputs": as_json(done.outputs),
        "simulated": made_by.simulated,
        "log": str(log),
    }
