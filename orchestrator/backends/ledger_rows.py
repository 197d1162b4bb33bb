"""Rows of the ledger → values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.backends.ledger_schema import unpack_samples
from orchestrator.domain import (
    ActionRecord,
    Agreement,
    Artifact,
    BoardOutcome,
    CompatibilityFact,
    Delivery,
    Judged,
    KeptRelease,
    Measurement,
    Pairing,
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
    # Columns that are never empty: nothing takes 0 ns.
    told = {name: values[name] or None for name in ("load_ns", "first_ns")}
    return Measurement(**(values | unpacked | told))


def outcome_of(row: RowMapping, measurement: Measurement | None) -> BoardOutcome:
    """Give an outcome with what was measured."""
    delivery, judged, agreed = row["delivery"], row["judged"], row["agreement"]
    return BoardOutcome(
        board=row["board"],
        simulated=bool(row["simulated"]),
        facts=row["facts"],
        delivery=_delivery_of(delivery) if delivery else None,
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


def _delivery_of(kept: dict[str, Any]) -> Delivery:
    """Give a delivery; an older ledger's has fewer fields."""
    return Delivery(**(kept | {"undone": tuple(kept.get("undone", ()))}))


def release_of(row: RowMapping) -> KeptRelease:
    """Give what is kept of a release."""
    inputs = tuple(Artifact(**artifact) for artifact in row["inputs"])
    return KeptRelease(**({**row} | {"keys": tuple(row["keys"]), "inputs": inputs}))


def compatibility_of(row: RowMapping) -> CompatibilityFact:
    """Give what a board made of a release."""
    pairing = Pairing(
        pulsar2_version=row["pulsar2_version"],
        sdk_version=row["sdk_version"] or None,
        engine_version=row["engine_version"] or None,
        axengine_sha256=row["axengine_sha256"] or None,
        simulated=bool(row["simulated"]),
    )
    rest = {name: row[name] for name in ("release_id", "board", "outcome", "at", "count")}
    return CompatibilityFact(pairing, **rest)


def compatibility_key(fact: CompatibilityFact) -> dict[str, str | int]:
    """Give the columns that make two facts the same."""
    pairing = fact.pairing
    return {
        "pulsar2_version": pairing.pulsar2_version,
        "sdk_version": pairing.sdk_version or "",
        "engine_version": pairing.engine_version or "",
        "axengine_sha256": pairing.axengine_sha256 or "",
        "simulated": int(pairing.simulated),
        "release_id": fact.release_id,
        "board": fact.board,
        "outcome": fact.outcome,
    }
