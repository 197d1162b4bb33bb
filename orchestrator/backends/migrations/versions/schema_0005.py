"""Figures, nights, trends, baselines and the hash chain."""

from __future__ import annotations

from alembic import op
from sqlalchemy import JSON, BigInteger, Boolean, Column, Double, Integer, LargeBinary, String, Text

from orchestrator.backends.ledger_fill import fill

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make what is new."""
    op.create_table(
        "figures",
        Column("run_id", String(64), primary_key=True),
        Column("board", String(64), primary_key=True),
        Column("recipe", String(128), nullable=False),
        Column("fleet", String(64), nullable=False),
        Column("at", String(32), nullable=False),
        Column("night", String(64), nullable=False),
        Column("site", String(64), nullable=False),
        Column("simulated", Boolean, nullable=False),
        Column("verdict", String(16), nullable=False),
        Column("error_code", String(32), nullable=False),
        Column("n", Integer, nullable=False),
        *(
            Column(name, Double)
            for name in ("p50_ms", "low_ms", "high_ms", "p90_ms", "p99_ms", "npu_ms")
        ),
        Column("rounds_ms", JSON, nullable=False),
        Column("rounds_unused", Integer, nullable=False),
        *(
            Column(name, Double)
            for name in (
                *("temperature_c", "npu_clock_mhz", "agreement", "agreement_low", "agreement_high"),
                *("miou", "miou_low", "miou_high", "mask_miou"),
            )
        ),
        Column("output_sha256", String(64), nullable=False),
        Column("release_id", String(192), nullable=False),
        Column("pulsar2", String(64), nullable=False),
        Column("toolchain_digest", String(128), nullable=False),
        Column("sdk", String(128), nullable=False),
        Column("kernel", String(128), nullable=False),
        Column("chip", String(64), nullable=False),
        Column("max_cycle", BigInteger),
        if_not_exists=True,
    )
    op.create_table(
        "nights",
        Column("night_id", String(64), primary_key=True),
        Column("fleet", String(64), nullable=False),
        Column("started_at", String(32), nullable=False),
        Column("finished_at", String(32)),
        Column("exit_code", Integer),
        Column("verdict", String(16), nullable=False),
        Column("runs", JSON, nullable=False),
        Column("asked", JSON, nullable=False),
        Column("sentence", Text, nullable=False),
        Column("simulated", Boolean, nullable=False),
        Column("failed_boards", JSON, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "trends",
        Column("night", String(64), primary_key=True),
        Column("place", Integer, primary_key=True, autoincrement=False),
        Column("run_id", String(64), nullable=False),
        Column("fleet", String(64), nullable=False),
        Column("recipe", String(128), nullable=False),
        Column("at", String(32), nullable=False),
        Column("verdict", String(16), nullable=False),
        Column("boards", Integer, nullable=False),
        *(Column(name, Double) for name in ("p50_ms", "change", "low", "high", "p")),
        Column("moved", Boolean, nullable=False),
        Column("agreement", Double),
        Column("judged", LargeBinary, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "baselines",
        Column("fleet", String(64), primary_key=True),
        Column("recipe", String(128), primary_key=True),
        Column("run_id", String(64), nullable=False),
        Column("set_at", String(32), nullable=False),
        Column("why", Text, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "chain",
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("kind", String(16), nullable=False),
        Column("subject", String(256), nullable=False),
        Column("content", String(64), nullable=False),
        Column("before", String(64), nullable=False),
        Column("sha256", String(64), nullable=False),
        Column("at", String(32), nullable=False),
        if_not_exists=True,
    )
    op.create_index("figures_of_board", "figures", ["board", "recipe", "at"], if_not_exists=True)
    op.create_index("ix_nights_started_at", "nights", ["started_at"], if_not_exists=True)
    op.create_index("trends_of_fleet", "trends", ["fleet", "recipe", "at"], if_not_exists=True)
    op.create_index("chain_of_subject", "chain", ["subject", "number"], if_not_exists=True)
    if op.get_bind().dialect.name != "sqlite":  # there every integer has 64 bits
        for name in ("load_ns", "first_ns"):
            op.alter_column("measurements", name, type_=BigInteger)
    fill(op.get_bind())
