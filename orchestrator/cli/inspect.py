"""`orch inspect FILE` and `orch schema`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import JsonOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.domain import AxmodelHeader, TensorSpec


class SchemaOf(StrEnum):
    """A kind of file."""

    RECIPE = "recipe"
    INVENTORY = "inventory"
    REPORT = "report"


def schema(kind: Annotated[SchemaOf, typer.Argument(help="Which file.")]) -> None:
    """Print the JSON Schema of a recipe, of the inventory, or of a night's report.json."""
    from orchestrator.cli.console import print_json
    from orchestrator.inventory import inventory_schema
    from orchestrator.recipe import recipe_schema
    from orchestrator.reports.schema import night_schema

    made = {
        SchemaOf.RECIPE: recipe_schema,
        SchemaOf.INVENTORY: inventory_schema,
        SchemaOf.REPORT: night_schema,
    }
    print_json(made[kind]())


def inspect(
    file: Annotated[Path, typer.Argument(help="An axmodel or an ONNX file.")],
    json: JsonOption = False,
) -> None:
    """Say what an axmodel or ONNX file is: target, toolchain, inputs, outputs, operators."""
    from orchestrator.errors import CompileError, ConfigError
    from orchestrator.hashing import sha256_file
    from orchestrator.pulsar2.header import read_header

    if not file.is_file():
        raise ConfigError(f"{file}: no such file")
    digest = sha256_file(file)
    try:
        header = read_header(file)
    except CompileError as error:
        _inspect_onnx(file, digest, error, json=json)
        return
    _print_axmodel(file, digest, header, json=json)


def _print_axmodel(file: Path, digest: str, header: AxmodelHeader, *, json: bool) -> None:
    from orchestrator.cli.console import out, print_facts, print_json
    from orchestrator.hashing import as_json

    if json:
        print_json({"kind": "axmodel", "sha256": digest, "header": as_json(header)})
        return
    rows = [
        ("file", f"{file} ({file.stat().st_size:,} bytes)"),
        ("sha256", digest),
        ("kind", "axmodel" + (", SIMULATED: runs on simulated boards only" * header.simulated)),
        ("target", str(header.target)),
        ("Pulsar2", f"{header.pulsar2_version} ({header.pulsar2_commit})"),
        ("format", f"IR {header.ir_version}, opset {header.opset}, producer {header.producer}"),
        ("NPU subgraphs", ", ".join(header.subgraphs)),
        *_tensor_rows("input", header.inputs, header),
        *_tensor_rows("output", header.outputs, header),
    ]
    print_facts(rows, console=out())


def _tensor_rows(
    kind: str, tensors: Sequence[TensorSpec], header: AxmodelHeader
) -> list[tuple[str, str]]:
    return [
        (kind, f"{one.name}: {one.dtype} {list(one.shape)} {header.layouts.get(one.name, '')}")
        for one in tensors
    ]


def _inspect_onnx(file: Path, digest: str, reason: Exception, *, json: bool) -> None:
    """Show the operators of a plain ONNX file; raise `reason` when it is not one either."""
    import onnx
    from google.protobuf.message import DecodeError

    from orchestrator.cli.console import out, print_facts, print_json
    from orchestrator.hashing import as_json
    from orchestrator.onnx_graph import count_ops

    try:
        model = onnx.load(file, load_external_data=False)
    except DecodeError:
        raise reason from None
    ops = count_ops(model)
    if not ops:
        raise reason
    if json:
        print_json({"kind": "onnx", "sha256": digest, "ops": as_json(ops)})
        return
    opset = max((entry.version for entry in model.opset_import), default=0)
    rows = [
        ("file", f"{file} ({file.stat().st_size:,} bytes)"),
        ("sha256", digest),
        ("kind", f"ONNX, IR {model.ir_version}, opset {opset}"),
        ("inputs", ", ".join(value.name for value in model.graph.input)),
        ("outputs", ", ".join(value.name for value in model.graph.output)),
        *((f"op {name}", str(count)) for name, count in ops.items()),
    ]
    print_facts(rows, console=out())
