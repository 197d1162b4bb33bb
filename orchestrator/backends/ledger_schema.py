"""The ledger's tables."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

#: Raised by one with every change of the tables.
SCHEMA_VERSION = 5

META = MetaData()
VERSION = Table("schema_version", META, Column("version", Integer, primary_key=True))
RUNS = Table(
    "runs",
    META,
    Column("run_id", String(64), primary_key=True),
    Column("command", Text, nullable=False),
    Column("fleet", String(64), nullable=False),
    Column("recipe", String(128), nullable=False),
    Column("started_at", String(32), nullable=False, index=True),
    Column("finished_at", String(32)),
    Column("exit_code", Integer),
    Column("summary", JSON, nullable=False),
)
ACTIONS = Table(
    "actions",
    META,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("key", String(64), nullable=False, index=True),
    Column("stage", String(32), nullable=False),
    Column("recipe", String(128), nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("fields", JSON, nullable=False),
    Column("outputs", JSON, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("created_at", String(32), nullable=False),
)
USES = Table(
    "uses",
    META,
    Column("key", String(64), primary_key=True),
    Column("used_at", String(32), nullable=False),
)
RELEASES = Table(
    "releases",
    META,
    Column("release_id", String(192), primary_key=True),
    Column("recipe", String(128), nullable=False),
    Column("keys", JSON, nullable=False),
    Column("inputs", JSON, nullable=False),
    Column("used_at", String(32), nullable=False),
)
OUTCOMES = Table(
    "outcomes",
    META,
    Column("run_id", String(64), primary_key=True),
    Column("board", String(64), primary_key=True),
    Column("simulated", Integer, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("delivery", JSON),
    Column("judged", JSON),
    Column("agreement", JSON),
    Column("error_code", String(32), nullable=False),
    Column("error", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("overlays", JSON, nullable=False),
)
MEASUREMENTS = Table(
    "measurements",
    META,
    Column("run_id", String(64), primary_key=True),
    Column("board", String(64), primary_key=True),
    Column("load_ns", BigInteger, nullable=False),
    Column("first_ns", BigInteger, nullable=False),
    Column("warmup_ns", LargeBinary, nullable=False),
    Column("samples_ns", LargeBinary, nullable=False),
    Column("runtime", JSON, nullable=False),
    Column("before", JSON, nullable=False),
    Column("after", JSON, nullable=False),
)
#: What newer versions know of an outcome and of its measurement: compressed JSON.
DETAILS = Table(
    "details",
    META,
    Column("run_id", String(64), primary_key=True),
    Column("board", String(64), primary_key=True),
    Column("outcome", LargeBinary, nullable=False),
    Column("measurement", LargeBinary, nullable=False),
)
PLANS = Table(
    "plans",
    META,
    Column("run_id", String(64), primary_key=True),
    Column("plan", JSON, nullable=False),
)
HEALTHS = Table(
    "healths",
    META,
    Column("board", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("since", String(32)),
    Column("code", String(32), nullable=False),
    Column("error", Text, nullable=False),
    Column("quarantined_since", String(32)),
    Column("next_probe_at", String(32)),
    Column("checked_at", String(32), nullable=False),
)
SIGHTINGS = Table(
    "sightings",
    META,
    Column("board", String(64), primary_key=True),
    Column("uid", String(128)),
    Column("current", String(192)),
    Column("previous", String(192)),
    Column("seen_at", String(32), nullable=False),
)
#: What is not known is an empty text: NULL would make every row of a key another one.
COMPATIBILITY = Table(
    "compatibility",
    META,
    Column("pulsar2_version", String(64), primary_key=True),
    Column("sdk_version", String(128), primary_key=True),
    Column("engine_version", String(128), primary_key=True),
    Column("axengine_sha256", String(64), primary_key=True),
    Column("simulated", Integer, primary_key=True, autoincrement=False),
    Column("release_id", String(192), primary_key=True),
    Column("board", String(64), primary_key=True),
    Column("outcome", String(16), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("at", String(32), nullable=False),
)
#: One row per board and run: what history is made of.
FIGURES = Table(
    "figures",
    META,
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
    Index("figures_of_board", "board", "recipe", "at"),
)
NIGHTS = Table(
    "nights",
    META,
    Column("night_id", String(64), primary_key=True),
    Column("fleet", String(64), nullable=False),
    Column("started_at", String(32), nullable=False, index=True),
    Column("finished_at", String(32)),
    Column("exit_code", Integer),
    Column("verdict", String(16), nullable=False),
    Column("runs", JSON, nullable=False),
    Column("asked", JSON, nullable=False),
    Column("sentence", Text, nullable=False),
    Column("simulated", Boolean, nullable=False),
    Column("failed_boards", JSON, nullable=False),
)
#: A recipe's night on a fleet: a point of its trend, and all that was judged, packed.
TRENDS = Table(
    "trends",
    META,
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
    Index("trends_of_fleet", "fleet", "recipe", "at"),
)
BASELINES = Table(
    "baselines",
    META,
    Column("fleet", String(64), primary_key=True),
    Column("recipe", String(128), primary_key=True),
    Column("run_id", String(64), nullable=False),
    Column("set_at", String(32), nullable=False),
    Column("why", Text, nullable=False),
)
#: The hash chain over what is written down.
CHAIN = Table(
    "chain",
    META,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("subject", String(256), nullable=False),
    Column("content", String(64), nullable=False),
    Column("before", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("at", String(32), nullable=False),
    Index("chain_of_subject", "subject", "number"),
)
