"""Rows of the ledger → values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.backends.ledger_schema import unpack_samples
from orchestrator.domain import (
    ActionRecord,
    Agreement,
    Artifact,
    BoardOutcome,
    Delivery,
    Judged,
    KeptRelease,
    Measurement,
    RunRecord,
)

if TYPE_CHECKING:
    from sqlalchemy.engine import RowMapping


def run_of(row: RowMapping) -> RunRecord:
    """Give a run."""
    return RunRecord(**row)


def action_of(row: RowMapping) -> ActionRecord:
    """Give an action."""
    values = {name: value for name, value in row.items() if name != "id"}
    outputs = {role: Artifact(**artifact) for role, artifact in values["outputs"].items()}
    return ActionRecord(**(values | {"outputs": outputs}))


def measurement_of(row: RowMapping) -> Measurement:
    """Give a measurement, its samples unpacked."""
    values = {name: value for name, value in row.items() if name != "run_id"}
    unpacked = {name: unpack_samples(values[name]) for name in ("warmup_ns", "samples_ns")}
    return Measurement(**(values | unpacked))


def outcome_of(row: RowMapping, measurement: Measurement | None) -> BoardOutcome:
    """Give an outcome with what was measured."""
    delivery, judged, agreed = row["delivery"], row["judged"], row["agreement"]
    return BoardOutcome(
        board=row["board"],
        simulated=bool(row["simulated"]),
        facts=row["facts"],
        delivery=Delivery(**delivery) if delivery else None,
        measurement=measurement,
        judged=Judged(judged["verdict"], tuple(judged["evidence"])) if judged else None,
        agreement=Agreement(**(agreed | {"per_image": tuple(agreed["per_image"])}))
        if agreed
        else None,
        error_code=row["error_code"],
        error=row["error"],
        hint=row["hint"],
        overlays=tuple(row["overlays"]),
    )


def release_of(row: RowMapping) -> KeptRelease:
    """Give what is kept of a release."""
    inputs = tuple(Artifact(**artifact) for artifact in row["inputs"])
    return KeptRelease(**({**row} | {"keys": tuple(row["keys"]), "inputs": inputs}))
