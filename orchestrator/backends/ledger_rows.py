"""Rows of the ledger → values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.backends.ledger_packing import unpack_samples
from orchestrator.domain import (
    ActionRecord,
    Agreement,
    Artifact,
    Attempt,
    BoardOutcome,
    CompatibilityFact,
    Contender,
    Contention,
    Delivery,
    Evidence,
    Judged,
    KeptRelease,
    Measurement,
    Origin,
    Pairing,
    Power,
    RunRecord,
    ToolMeasurement,
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


def measurement_of(row: RowMapping, details: Mapping[str, Any]) -> Measurement:
    """Give a measurement, its samples unpacked; an older ledger has no details."""
    values = {name: value for name, value in row.items() if name != "run_id"}
    unpacked = {name: unpack_samples(values[name]) for name in ("warmup_ns", "samples_ns")}
    # Columns that are never empty: nothing takes 0 ns.
    told = {name: values[name] or None for name in ("load_ns", "first_ns")}
    return Measurement(**(values | unpacked | told | _tuples(details)))


def _tuples(details: Mapping[str, Any]) -> dict[str, Any]:
    """Give a measurement's details as they were before JSON made lists of them."""
    more = {**details}
    for name in {"block_sizes", "readings", "round_sizes"} & {*more}:
        more[name] = tuple(more[name])
    if "parts_ns" in more:
        more["parts_ns"] = {part: tuple(times) for part, times in more["parts_ns"].items()}
    return more


def _attempt_of(kept: Mapping[str, Any]) -> Attempt:
    """Give an attempt; its samples are not packed apart."""
    values = {**kept["measurement"]}
    times = {name: tuple(values[name]) for name in ("warmup_ns", "samples_ns")}
    return Attempt(Measurement(**(_tuples(values) | times)), _judged_of(kept["judged"]))


def outcome_of(
    row: RowMapping, measurement: Measurement | None, details: Mapping[str, Any]
) -> BoardOutcome:
    """Give an outcome with what was measured; an older ledger has no details."""
    delivery, judged, agreed = row["delivery"], row["judged"], row["agreement"]
    accuracy = details.get("accuracy")
    return BoardOutcome(
        board=row["board"],
        simulated=bool(row["simulated"]),
        facts=row["facts"],
        delivery=_delivery_of(delivery) if delivery else None,
        measurement=measurement,
        judged=_judged_of(judged) if judged else None,
        agreement=_agreement_of(agreed) if agreed else None,
        error_code=row["error_code"],
        error=row["error"],
        hint=row["hint"],
        overlays=tuple(row["overlays"]),
        accuracy=_agreement_of(accuracy) if accuracy else None,
        output_sha256=details.get("output_sha256", ""),
        attempts=tuple(_attempt_of(one) for one in details.get("attempts", ())),
        tool=_tool_of(details.get("tool")),
        contention=_contention_of(details.get("contention")),
        power=_power_of(details.get("power")),
        origin=Origin(**details["origin"]) if details.get("origin") else None,
    )


def _tool_of(kept: Mapping[str, Any] | None) -> ToolMeasurement | None:
    if kept is None:
        return None
    return ToolMeasurement(**{**kept, "remarks": tuple(kept["remarks"])})


def _contention_of(kept: Mapping[str, Any] | None) -> Contention | None:
    if kept is None:
        return None
    contenders = tuple(
        Contender(**{**one, **{name: tuple(one[name]) for name in ("alone_ns", "together_ns")}})
        for one in kept["contenders"]
    )
    judged = _judged_of(kept["judged"]) if kept["judged"] else None
    return Contention(**{**kept, "contenders": contenders, "judged": judged})


def _power_of(kept: Mapping[str, Any] | None) -> Power | None:
    return None if kept is None else Power(**{**kept, "watts": tuple(kept["watts"])})


def _judged_of(kept: Mapping[str, Any]) -> Judged:
    """Give a verdict; an older ledger has the texts of its evidence only."""
    verdict = kept["verdict"]
    evidence = (
        Evidence(verdict, "samples", one) if isinstance(one, str) else Evidence(**one)
        for one in kept["evidence"]
    )
    return Judged(verdict, tuple(evidence))


def _agreement_of(kept: Mapping[str, Any]) -> Agreement:
    """Give an agreement; an older ledger has it of pixels only."""
    values = {**kept}
    if "pixel_agreement" in values:
        values["share"] = values.pop("pixel_agreement")
    for name in ("interval", "miou_interval"):
        if (bounds := values.get(name)) is not None:
            values[name] = (bounds[0], bounds[1])
    return Agreement(**(values | {"per_image": tuple(values["per_image"])}))


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
