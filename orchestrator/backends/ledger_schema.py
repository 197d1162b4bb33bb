"""The ledger's tables, and how samples are packed in them."""

from __future__ import annotations

import json
import sys
import zlib
from array import array
from typing import Any

from sqlalchemy import JSON, Column, Float, Integer, LargeBinary, MetaData, String, Table, Text

#: Raised by one with every change of the tables.
SCHEMA_VERSION = 4
#: Schemas that need no more than the tables they have not: those are made on opening.
UPGRADABLE = (1, 2, 3)

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
    Column("load_ns", Integer, nullable=False),
    Column("first_ns", Integer, nullable=False),
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


def pack_json(values: object) -> bytes:
    """Compress what JSON can hold."""
    return zlib.compress(json.dumps(values, separators=(",", ":")).encode())


def unpack_json(data: bytes) -> Any:
    """Give the values of `pack_json`."""
    return json.loads(zlib.decompress(data))


def pack_samples(samples_ns: tuple[int, ...]) -> bytes:
    """Compress samples: zlib of little-endian 64-bit integers."""
    numbers = array("q", samples_ns)
    if sys.byteorder == "big":
        numbers.byteswap()
    return zlib.compress(numbers.tobytes())


def unpack_samples(data: bytes) -> tuple[int, ...]:
    """Give the samples of `pack_samples`."""
    numbers = array("q", zlib.decompress(data))
    if sys.byteorder == "big":
        numbers.byteswap()
    return tuple(numbers)
