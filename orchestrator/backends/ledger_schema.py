"""The ledger's tables, and how samples are packed in them."""

from __future__ import annotations

import sys
import zlib
from array import array

from sqlalchemy import JSON, Column, Float, Integer, LargeBinary, MetaData, String, Table, Text

#: Raised by one with every change of the tables.
SCHEMA_VERSION = 2
#: Schemas that need no more than the tables they have not: those are made on opening.
UPGRADABLE = (1,)

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
