"""What boards and the vendor's pages show of the tool, and what transports make of it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from orchestrator.shell.ax_run_model import (
    failure_code,
    last_words,
    parse_run,
    runtime_of,
    summary_of,
)
from tests.unit.orchestrator.shell.printed_runs import (
    CARD,
    DOWNWARDS,
    ENGINE_V1_27,
    FAILED,
    FOLDERS,
    MID,
    NEW,
    OLD,
    OLDEST,
    SPLIT,
    V1_27,
)


@dataclass(frozen=True)
class Read:
    """What is in a text: min, max and mean, the median, runs, type, cores, CMM, engine."""

    times_ms: tuple[float, float, float]
    median_ms: float | None
    repeat: int | None
    model_type: str | None
    cores: int | None
    cmm_bytes: int | None
    engine: str | None


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (
            OLD,
            Read(
                *((7.658, 7.672, 7.662), None, 100, "NPU1", 1, 12730188),
                "V1.13.0 Apr 26 2023 16:48:53 1.1.0",
            ),
        ),
        (OLDEST, Read((0.554, 0.559, 0.556), None, 10, "NPU1", 1, 4401724, "2.0.1")),
        (
            V1_27,
            Read((4.158, 4.220, 4.198), None, 10, "NPU3", 3, 93238580, ENGINE_V1_27),
        ),
        (MID, Read((0.719, 0.726, 0.721), None, 10, "1 Core", 1, 4428624, "2.3.0a")),
        (SPLIT, Read((1.933, 1.999, 1.946), None, 10, "HalfOCM", None, 4422232, "2.2.1b")),
        (DOWNWARDS, Read((1.056, 1.079, 1.058), 1.058, 100, "Half", None, 748716, "2.6.3sp")),
        (NEW, Read((3.169, 3.180, 3.174), 3.174, 100, "3 Core", 3, 10488066, "2.12.0s")),
        (CARD, Read((3.815, 4.759, 4.406), 4.449, 100, "3 Core", 3, 11857538, "1.0.0")),
        (FOLDERS, Read((3.347, 3.347, 3.347), None, None, None, None, None, None)),
    ],
)
def test_every_layout_is_read(text: str, read: Read) -> None:
    found = parse_run(text)

    assert found is not None
    assert (found.min_ms, found.max_ms, found.mean_ms) == read.times_ms
    assert (found.median_ms, found.repeat) == (read.median_ms, read.repeat)
    assert (found.model_type, found.cores) == (read.model_type, read.cores)
    assert (found.cmm_bytes, found.engine_version) == (read.cmm_bytes, read.engine)


def test_versions_and_masks_are_kept_as_they_are_printed() -> None:
    found = parse_run(SPLIT)

    assert found is not None
    assert (found.vnpu, found.affinity, found.batch) == ("Enable", "0b11", "{ auto: 1 }")
    assert (found.pulsar2_version, found.tool_version) == ("1.8 4c70a98c", "2.1.0b")
    assert (found.warmup, found.percentiles_ms) == (3, {})


def test_percentiles_are_given_by_their_percent() -> None:
    found = parse_run(NEW)

    assert found is not None
    assert found.percentiles_ms == {5: 3.171, 90: 3.178, 95: 3.179, 99: 3.18}
    assert found.remarks == ()


def test_percentiles_that_were_counted_from_the_slow_end_are_turned_round() -> None:
    found = parse_run(DOWNWARDS)

    assert found is not None
    assert found.percentiles_ms == {95: 1.062, 10: 1.057, 5: 1.057, 1: 1.056}
    assert "slow end" in found.remarks[0]


def test_percentiles_in_no_order_are_left_out() -> None:
    found = parse_run(NEW.replace("90% =   3.178", "90% =   9.999"))

    assert found is not None
    assert (found.percentiles_ms, found.median_ms) == ({}, 3.174)
    assert "neither" in found.remarks[0]


def coloured(text: str) -> str:
    return "".join(f"\x1b[1;32m{line}\x1b[0m\n" for line in text.splitlines())


def noisy(text: str) -> str:
    noise = "[I][  engine_log][ 12]: a library talks, min latency = none, type: nothing\n"
    return noise.join(line + "\n" for line in text.splitlines())


def marked(text: str) -> str:
    return "".join(f"[2024-11-12 10:00:01][INFO] {line}\n" for line in text.splitlines())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace(" ", "   ").replace("=", " = "),
        lambda text: text.replace("=   ", "="),
        lambda text: text.replace("\n", "\n\n"),
        lambda text: "\x1b]0;root@ax650\x07root@ax650:~# ax_run_model -m a -r 100\n" + text,
        lambda text: text + "root@ax650:~# \n[WARN] bye\n",
        coloured,
        noisy,
        marked,
    ],
)
@pytest.mark.parametrize("text", [OLD, MID, NEW])
def test_what_terminals_and_libraries_add_changes_nothing(text: str, spoil: object) -> None:
    assert callable(spoil)
    plain, found = parse_run(text), parse_run(spoil(text))

    assert plain is not None
    assert found is not None
    assert summary_of(found) == summary_of(plain)
    for key in ("model_type", "cores", "vnpu", "tool_version", "cmm_bytes"):
        assert runtime_of(found)[key] == runtime_of(plain)[key]


def test_the_last_figures_count() -> None:
    found = parse_run(OLD + OLD.replace("7.6", "8.6"))

    assert found is not None
    assert found.mean_ms == 8.662


@pytest.mark.parametrize(
    "text",
    [
        "",
        "usage: ax_run_model --model=string [options] ...",
        "min = 1.0 ms",
        FAILED,
        "min = 0.000 ms max = 0.000 ms avg = 0.000 ms",
        "min = 3.000 ms max = 2.000 ms avg = 1.000 ms",
        "min = nan ms max = nan ms avg = nan ms",
    ],
)
def test_what_has_no_sound_figures_is_no_run(text: str) -> None:
    assert parse_run(text) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[Engine] The model type {2} is not allowed with npu mode {1}.", "VNPU_CONFLICT"),
        (
            "[Engine] Init engine with mode { 0 } failed, NPU has already inited to mode{ 1 }.",
            "VNPU_CONFLICT",
        ),
        (
            "[ERROR] Model affinity cannot be set as { 0b110 } with visual npu mode { Disable }",
            "VNPU_CONFLICT",
        ),
        ("[Engine] Create handle from memory {size: 0x1f bytes} failed.", "MODEL_REJECTED"),
        ("[ERROR] Loading model {a.axmodel} failed.", "MODEL_REJECTED"),
        ("[ERROR] Prepare for model {a.axmodel} failed.", "MODEL_REJECTED"),
        ("[ERROR] Init failed.", "INIT_FAILED"),
        ("[ERROR] Feed stimulus failed.", "INPUT_MISMATCH"),
        ("[ERROR] Read stimulus list{/in} failed.", "INPUT_MISMATCH"),
        ("[Engine] Get model CMM info was failed{0x80060087}.", "CMM_FULL"),
        ("Segmentation fault", "RUN_FAILED"),
        (FAILED, "RUN_FAILED"),
        ("\x1b[31m[ERROR]\x1b[0m Init failed.\r\n", "INIT_FAILED"),
    ],
)
def test_a_failure_is_named_by_what_was_printed(text: str, code: str) -> None:
    assert failure_code(text) == code


def test_the_last_error_says_why_it_failed() -> None:
    assert last_words(FAILED + "bye\n") == "[ERROR] Run model {yolo11n_u16.axmodel} failed."
    assert last_words("one\n\x1b[0mtwo\r\n") == "two"
    assert last_words("") == "nothing"
