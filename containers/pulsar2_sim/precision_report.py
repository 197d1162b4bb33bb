"""What a precision analysis shows and leaves: a table, the same in a file, and a graph."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx

from . import console
from .failure import ErrorCode, failing_as
from .model import graph_inputs, tensors
from .plan import Plan
from .precision_analysis import Row, Settings, analyse, analysis_settings
from .schema import Json
from .stepping import Tensors
from .table import rich_table
from .tensor_files import read_samples

_HEADER = ("Operator", "Type", "Output Tensor", "Shape", "DType", "QDType", "Cosin", "MSE")
_PLACE = "yamain.command.precision_analysis:quant_precision_analysis"


def analyse_precision(
    plan: Plan,
    config: Mapping[str, Json],
    float_model: onnx.ModelProto,
    quantized: onnx.ModelProto,
    calibration: Sequence[Tensors],
) -> None:
    """Analyse and report, if the config asks for it, on its samples or the first calibration one.

    Raises ToolFailure, CodeException.
    """
    settings = analysis_settings(config)
    if settings is None:
        return
    if settings.mode == "NPUBackend":
        message = "NPUBackend is simulated: its numbers are those of Reference"
        console.log("WARNING", f"{_PLACE}:1", message)
    samples: Sequence[Tensors] = [calibration[0]]
    if settings.sample_dir is not None:
        samples = read_samples(tensors(graph_inputs(float_model)), settings.sample_dir)
    with failing_as(ErrorCode.QuantError):
        end_to_end = settings.method == "EndToEnd"
        rows = analyse(float_model, quantized, samples, end_to_end=end_to_end)
    report(settings, rows, plan.work_dir / "quant" / "debug")


def report(settings: Settings, rows: Sequence[Row], folder: Path) -> None:
    """Print the table as wide as a terminal, write it in full, write the graph."""
    cells = [_cells(row) for row in rows]
    console.say(rich_table(settings.title, _HEADER, cells, console.COLUMNS))
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "precision_analysis_table.txt"
    table.write_text(rich_table(settings.title, _HEADER, cells) + "\n", encoding="utf-8")
    console.log("INFO", f"{_PLACE}:401", f"save precision analysis table to [{table}]")
    graph = folder / "precision_analysis.mmd"
    graph.write_text(mermaid(rows), encoding="utf-8")
    console.log("INFO", f"{_PLACE}:409", f"save precision analysis graph to [{graph}]")


def mermaid(rows: Sequence[Row]) -> str:
    """Give the layers as a mermaid flow chart, each with its cosine."""
    makers = {row.tensor: index for index, row in enumerate(rows)}
    lines = ["graph TD"]
    for index, row in enumerate(rows):
        label = f"{row.operator}<br/>{row.kind}<br/>{row.cosine:.5f}".replace('"', "#quot;")
        lines.append(f'    n{index}["{label}"]')
    for index, row in enumerate(rows):
        lines += [f"    n{makers[name]} --> n{index}" for name in row.reads if name in makers]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.operator, row.kind, row.tensor, str(row.shape), row.dtype, row.quantized_dtype,
        f"{row.cosine:.5f}", f"{row.mse:.5f}",
    )  # fmt: skip
