from __future__ import annotations

import base64
import zlib
from collections.abc import Callable

import numpy as np
import pytest

from orchestrator.domain import Json
from orchestrator.errors import AgentError
from orchestrator.replies import parse_measurement, parse_outputs, parse_probe

PROBE: dict[str, Json] = {
    "facts": {"uid": "0x1", "simulated": True, "temperature_c": 49.5, "vnpu": None},
    "blobs": {"aa": 5},
    "parts": {},
    "current": "r1",
    "previous": None,
}
BENCHMARK: dict[str, Json] = {
    "load_ns": 5,
    "first_ns": 4,
    "warmup_ns": [3],
    "samples_ns": [1, 2],
    "runtime": {},
    "before": {"npu_load_percent": 0},
    "after": {},
}
#: What stands nowhere in a reply: JSON can carry each of these.
NO_COUNT: list[Json] = [None, True, -1, 1.5, "1", 2**63, [], {}]
NO_LIST: list[Json] = [None, 1, {}, "1"]
NO_OBJECT: list[Json] = [None, 1, "x", [], {"deep": [{"x": float("nan")}]}, {"x": 1e999}]
NO_OBJECT += [{"x": 10**400}, {"x": "\ud800"}, {"\udfff": 1}]


def encode(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content)).decode()


def tensor(**changes: Json) -> dict[str, Json]:
    fine: dict[str, Json] = {
        "dtype": "int32",
        "shape": [1, 2, 3],
        "data": encode(np.arange(6, dtype="<i4").tobytes()),
    }
    return fine | changes


def test_a_probe_is_read() -> None:
    probe = parse_probe("b1", PROBE)

    assert probe.facts == PROBE["facts"]
    assert (probe.blobs, probe.parts) == ({"aa": 5}, {})
    assert (probe.current, probe.previous) == ("r1", None)


def test_a_measurement_is_read() -> None:
    measurement = parse_measurement("b1", BENCHMARK)

    assert (measurement.board, measurement.load_ns, measurement.first_ns) == ("b1", 5, 4)
    assert (measurement.warmup_ns, measurement.samples_ns) == ((3,), (1, 2))
    assert measurement.before == {"npu_load_percent": 0}


def test_all_that_an_agent_measures_is_read() -> None:
    reading: Json = {"at_ns": 5, "temperature_c": 49.5}
    told: dict[str, Json] = {
        "block_sizes": [1, 1],
        "readings": [reading, reading, {}],
        "parts_ns": {"npu": [1, 2]},
        "overhead_ns": 3,
        "warmup_ended": "steady",
        "left_cmm_bytes": 0,
    }

    measurement = parse_measurement("b1", BENCHMARK | told)

    assert (measurement.block_sizes, measurement.readings) == ((1, 1), (reading, reading, {}))
    assert measurement.parts_ns == {"npu": (1, 2)}
    assert (measurement.overhead_ns, measurement.left_cmm_bytes) == (3, 0)
    assert measurement.warmup_ended == "steady"


def test_an_instrument_may_measure_less() -> None:
    measurement = parse_measurement("b1", BENCHMARK)

    assert (measurement.block_sizes, measurement.readings, measurement.parts_ns) == ((), (), {})
    assert (measurement.overhead_ns, measurement.left_cmm_bytes) == (None, None)
    assert measurement.warmup_ended == ""


@pytest.mark.parametrize(
    "told",
    [
        {"block_sizes": [1]},
        {"block_sizes": [2, 0]},
        {"block_sizes": [2**63]},
        {"readings": [{}]},
        {"readings": {}},
        {"block_sizes": [2], "readings": [{}]},
        {"block_sizes": [2], "readings": [{}, {"x": float("nan")}]},
        {"block_sizes": [2], "readings": [{}, 1]},
        {"parts_ns": {"npu": [1]}},
        {"parts_ns": {"npu": [1, -1]}},
        {"parts_ns": [1]},
        {"overhead_ns": -1},
        {"warmup_ended": "soon"},
        {"left_cmm_bytes": 1.5},
    ],
)
def test_what_does_not_fit_its_samples_is_refused(told: dict[str, Json]) -> None:
    with pytest.raises(AgentError, match="its agent's reply has no usable"):
        parse_measurement("b1", BENCHMARK | told)


def test_tensors_are_read_in_the_order_of_the_images() -> None:
    first, second = parse_outputs(
        "b1", {"outputs": [{"a": tensor()}, {"a": tensor(shape=[6]), "b": tensor()}]}
    )

    assert first["a"].tolist() == [[[0, 1, 2], [3, 4, 5]]]
    assert second["a"].tolist() == [0, 1, 2, 3, 4, 5]
    assert second["b"].dtype == np.int32


def cases() -> list[tuple[Callable[[str, dict[str, Json]], object], dict[str, Json], str, Json]]:
    """Reader, sound reply, the key to break, what to break it with."""
    found: list[tuple[Callable[[str, dict[str, Json]], object], dict[str, Json], str, Json]] = []
    for key in ("load_ns", "first_ns"):
        found += [(parse_measurement, BENCHMARK, key, value) for value in NO_COUNT]
    for key in ("warmup_ns", "samples_ns"):
        found += [(parse_measurement, BENCHMARK, key, [1, value]) for value in NO_COUNT]
        found += [(parse_measurement, BENCHMARK, key, value) for value in NO_LIST]
    for key in ("runtime", "before", "after"):
        found += [(parse_measurement, BENCHMARK, key, value) for value in NO_OBJECT]
    for key in ("facts", "blobs", "parts"):
        found += [(parse_probe, PROBE, key, value) for value in NO_OBJECT]
    for key in ("blobs", "parts"):
        found += [(parse_probe, PROBE, key, {"aa": value}) for value in NO_COUNT]
    no_names: list[Json] = [1, [], {}, "\ud800"]
    for key in ("current", "previous"):
        found += [(parse_probe, PROBE, key, value) for value in no_names]
    return found


@pytest.mark.parametrize(("read", "reply", "key", "value"), cases())
def test_a_field_that_cannot_be_is_named(
    read: Callable[[str, dict[str, Json]], object],
    reply: dict[str, Json],
    key: str,
    value: Json,
) -> None:
    with pytest.raises(AgentError, match=r"^b1: its agent's reply has no usable '\w+'") as caught:
        read("b1", reply | {key: value})

    assert caught.value.code == "INTERNAL"
    assert caught.value.message.isascii()


@pytest.mark.parametrize("key", sorted(PROBE.keys() - {"current", "previous"}))
def test_a_probe_without_a_field_is_refused(key: str) -> None:
    with pytest.raises(AgentError, match=key):
        parse_probe("b1", {name: value for name, value in PROBE.items() if name != key})


BROKEN: list[dict[str, Json]] = [
    tensor(dtype="float64"),
    tensor(dtype="O"),
    tensor(dtype=None),
    tensor(dtype=["int32"]),
    tensor(shape=None),
    tensor(shape=[1, 2, True]),
    tensor(shape=[1, 2, -3]),
    tensor(shape=[1, 2, 4]),
    tensor(shape=[1, 2, 2]),
    tensor(shape=[0]),
    tensor(shape=[*[1] * 100, 6]),
    tensor(shape=[2**40, 2**40]),
    tensor(data=None),
    tensor(data="*"),
    tensor(data="é"),
    tensor(data=base64.b64encode(b"no zlib").decode()),
    tensor(data=""),
]


@pytest.mark.parametrize("part", BROKEN)
def test_a_tensor_that_cannot_be_is_refused(part: Json) -> None:
    with pytest.raises(AgentError, match="no usable"):
        parse_outputs("b1", {"outputs": [{"a": part}]})


@pytest.mark.parametrize("outputs", [None, 3, {}, [3], [{"a": None}]])
def test_outputs_that_are_no_list_of_tensors_are_refused(outputs: Json) -> None:
    with pytest.raises(AgentError, match="no usable 'outputs'"):
        parse_outputs("b1", {"outputs": outputs})


def test_a_bomb_is_not_unpacked() -> None:
    # 100 MB of zeros in 100 kB. What is unpacked is bounded by what the shape says.
    bomb = base64.b64encode(zlib.compress(bytes(100_000_000), 9)).decode()

    with pytest.raises(AgentError, match="no usable 'outputs'"):
        parse_outputs("b1", {"outputs": [{"a": tensor(data=bomb)}]})
