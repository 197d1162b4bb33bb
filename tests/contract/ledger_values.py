"""A run, an action and an outcome with something in every field."""

from __future__ import annotations

from orchestrator.domain import (
    ActionRecord,
    Agreement,
    Artifact,
    Attempt,
    BoardOutcome,
    Contender,
    Contention,
    Delivery,
    Evidence,
    Json,
    Judged,
    Measurement,
    Power,
    RunRecord,
    ToolMeasurement,
)

FACTS: dict[str, Json] = {"a": None, "b": [1, 2.5, "ä"], "c": {"d": True}}
RUN = RunRecord("r1", "orch deploy", "lab", "small", "2025-01-01T00:00:00", None, None, {})
ACTION = ActionRecord(
    key="k" * 64,
    stage="export",
    recipe="small",
    run_id="r1",
    fields={"opset": "11"},
    outputs={"onnx": Artifact("a" * 64, 5, "model.onnx")},
    facts=FACTS,
    seconds=1.5,
    created_at="2025-01-01T00:00:00",
)
OUTCOME = BoardOutcome(
    board="b1",
    simulated=True,
    facts=FACTS,
    delivery=Delivery(
        "rel", 5, agent_uploaded=True, activated=False, facts=FACTS, undone=("slower", "worse")
    ),
    measurement=Measurement(
        board="b1",
        load_ns=2**62,
        first_ns=3,
        warmup_ns=(1, 2),
        samples_ns=(5, 2**62, 0),
        runtime=FACTS,
        before={},
        after={"x": 1},
        block_sizes=(2, 1),
        readings=({"at_ns": 1}, {"temperature_c": 50.5}),
        parts_ns={"npu": (4, 2**61, 0)},
        overhead_ns=90,
        warmup_ended="steady",
        left_cmm_bytes=0,
    ),
    judged=Judged(
        "NOISY", (Evidence("NOISY", "samples", "a", 3, 0.2, 0.1), Evidence("NOISY", "x", "b"))
    ),
    agreement=Agreement(0.25, 0.5, (0.125, 1 / 3), 2, miou_interval=(0.25, 0.75)),
    accuracy=Agreement(0.5, None, (0.5,), 1, (0.25, 0.75), {"sky": 0.5}, {"top1": 1.0}),
    output_sha256="ab" * 32,
    tool=ToolMeasurement(
        10, 1.0, 2.0, 1.5, None, {"90": 1.75}, FACTS, {"x": 1}, {}, "min = …", ("odd",)
    ),
    contention=Contention(
        "axengine",
        (Contender("rel", 3, "p50", 1.0, 2.0, 500.0, (1, 2**62), (3,)),),
        0.5,
        FACTS,
        {},
        Judged("INVALID", (Evidence("INVALID", "overlap", "c", None, 0.5, 0.9),)),
    ),
    attempts=(
        Attempt(
            Measurement("b1", 1, 2, (3,), (5, 2**61), FACTS, {}, {}, (2,), ({"x": 1}, {})),
            Judged("THROTTLED", (Evidence("THROTTLED", "npu_clock_mhz", "d", 0, 4.0, 8.0),)),
        ),
    ),
    power=Power(6.25, 125.0, (6.0, 6.5), 3, 1, simulated=True, remark="power: 1 of 3 calls failed"),
    error_code="TIMEOUT",
    error="b1: ä",
    hint="try",
    overlays=("overlays/b1/x.png",),
)
