from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from orchestrator.pulsar2.log import LogReader, Phase, Step, find_cause, read_facts

LOGS = Path(__file__).parent / "logs"
SAMPLES = sorted(LOGS.iterdir())
SUCCESSES = sorted(LOGS.glob("success-*.log"))


def read(content: bytes) -> LogReader:
    """A reader that has taken a whole log."""
    reader = LogReader()
    reader.feed(content)
    reader.close()
    return reader


def steps_of(content: bytes, sizes: Iterator[int]) -> list[Step]:
    """The steps of a log that comes in chunks of these sizes."""
    reader, steps, start = LogReader(), list[Step](), 0
    while start < len(content):
        size = next(sizes)
        steps += reader.feed(content[start : start + size])
        start += size
    return steps + reader.close()


def forever(size: int) -> Iterator[int]:
    while True:
        yield size


def test_all_phases_are_passed_in_their_order() -> None:
    steps = steps_of((LOGS / "success-4.0.log").read_bytes(), forever(1 << 20))

    passed = list(dict.fromkeys(step.phase for step in steps))
    assert passed == [phase for phase in Phase if phase is not Phase.ANALYSE]


@pytest.mark.parametrize("log", SUCCESSES, ids=lambda log: log.name)
def test_the_overall_share_never_goes_back(log: Path) -> None:
    shares = [step.overall for step in steps_of(log.read_bytes(), forever(1 << 20))]

    assert all(0 <= one <= other <= 1 for one, other in pairwise(shares))


@pytest.mark.parametrize("size", [1, 2, 7, 64])
@pytest.mark.parametrize("log", SUCCESSES, ids=lambda log: log.name)
def test_chunks_may_end_anywhere(log: Path, size: int) -> None:
    content = log.read_bytes()

    assert steps_of(content, forever(size)) == steps_of(content, forever(1 << 20))


@pytest.mark.parametrize(
    ("line", "step"),
    [
        (
            "Calibration Progress(Phase 1):  50%|█████     | 16/32 [00:01<00:01,  8.80it/s]",
            (Phase.CALIBRATE, "Calibration Progress(Phase 1)", 16, 32, "8.80it/s"),
        ),
        (
            "Calibration: 100%|####| 32/32 [00:51<00:00,  1.62s/it]",
            (Phase.CALIBRATE, "Calibration", 32, 32, "1.62s/it"),
        ),
        ("Calibration:   0%|    | 0/32 [00:00<?, ?it/s]", (Phase.CALIBRATE, "Calibration", 0, 32)),
        ("Calibration:  38%|███▊      | 12/3", (Phase.CALIBRATE, "Calibration", 12, 3)),
        ("Calibration:  38%|██", (Phase.CALIBRATE, "Calibration", 38, 100)),
        ("Calibration: 7it [00:01, 5.0it/s]", (Phase.CALIBRATE, "Calibration", 7, 0, "5.0it/s")),
        (
            "Calibration:  25%|██ | 1.5k/6k [00:01<00:01",
            (Phase.CALIBRATE, "Calibration", 1500, 6000),
        ),
        ("tiling op...   ━━━━━━━━━━ 68/68 0:00:01", (Phase.TILE, "tiling op", 68, 68)),
        ("tiling op... ⠋ ━━━━━╺━━━━ 1/3 0:00:00", (Phase.TILE, "tiling op", 1, 3)),
        (
            "build op serially...   --------- 3/1178 0:00:11",
            (Phase.BUILD, "build op serially", 3, 1178),
        ),
        ("Building onnx ━━━━━━━━━━ 100% 0:00:00", (Phase.LOAD, "Building onnx", 100, 100)),
        (
            "assign eu greedy ━━━━━━ 15,821/15,821",
            (Phase.SCHEDULE, "assign eu greedy", 15821, 15821),
        ),
        (
            "[11:30:27] AX Refine Scale Pass Running ...  ",
            (Phase.CALIBRATE, "AX Refine Scale", 0, 0),
        ),
        (
            "2025-04-28 11:30:35.470 | INFO | axnn.yamain.c:compile:1 - compile npu subgraph [0]",
            (Phase.TILE, "compile npu subgraph [0]", 0, 0),
        ),
        (
            "x:  50%|██ | 1/2 [00:01<00:01,  1.0it/s]Calibration:  10%|█ | 1/10 [00:01<00:09",
            (Phase.CALIBRATE, "Calibration", 1, 10),
        ),
    ],
)
def test_a_line_is_a_step(line: str, step: tuple[object, ...]) -> None:
    (found,) = LogReader().feed(f"{line}\n")

    shown = (found.phase, found.label, found.done, found.total, found.rate)
    assert shown[: len(step)] == step


@pytest.mark.parametrize(
    "line",
    [
        "new_ddr_tensor = []",
        "--------- 17 ---------",
        "<frozen a.b>:186: RuntimeWarning: divide by zero encountered in divide",
        '  File "<frozen a.b>", line 1, in run',
        "┃ Input ┃ Shape     ┃ Mean ┃",
        "\x1b[2K\x1b[1A\x1b]8;;https://a.b\x07\x1b]8;;\x07",
        "2025-99-99 11:30:35.470 | odd",
    ],
)
def test_unknown_lines_are_no_steps(line: str) -> None:
    assert LogReader().feed(f"{line}\n") == []


def test_a_stamped_line_behind_a_bar_is_a_line_of_its_own() -> None:
    line = (
        "Calibration:  50%|██ | 1/2 [00:01<00:01, 1.0it/s]2025-01-01 00:00:00 | INFO | a - macs: 7"
    )

    reader = LogReader()
    steps = reader.feed(f"{line}\n")

    assert [step.label for step in steps] == ["Calibration"]
    assert reader.facts().macs == 7


def test_a_step_is_shown_with_phase_and_count() -> None:
    (step,) = LogReader().feed("tiling op...   ━━━━━━━━━━ 34/68 0:00:01\n")

    assert step.shown == "tiling: tiling op 34/68"


@pytest.mark.parametrize("count", [15, pytest.param(300, marks=pytest.mark.slow)])
@pytest.mark.parametrize("log", SAMPLES, ids=lambda log: log.name)
def test_a_log_cut_anywhere_is_read(log: Path, count: int) -> None:
    content = log.read_bytes()
    cuts = random.Random(6).sample(range(len(content)), min(count, len(content)))  # noqa: S311 - no secret

    for cut in cuts:
        text = content[:cut].decode(errors="replace")
        assert read(content[:cut]).facts() == read_facts(text)
        assert find_cause(text)


def test_noise_is_read() -> None:
    chance = random.Random(7)  # noqa: S311 - no secret
    alphabet = "0123456789%|[]/:.-━█\r\n\x1b[ Traceback CodeException: (<ErrorCode.A: 1>, op│┃é"

    for _ in range(100):
        text = "".join(chance.choices(alphabet, k=400))
        reader = read(text.encode()[chance.randrange(3) :])
        assert not reader.facts().complete


VAST = (
    *("a." * 20_000, "x" * 100_000, "CodeException: (" * 5_000, " " * 100_000 + "x"),
    *(
        "assem" * 20_000,
        "1" * 100_000,
        "━" * 100_000,
        "| " * 50_000,
        "\r" * 100_000,
        "\x1b]" * 50_000,
    ),
    *("50%|" * 20_000, "save to [" * 10_000, "subgraph [" * 10_000, "[10:00:00] " * 10_000),
    *(
        "2025-01-01 00:00:00.000 | " * 5_000,
        "max_cycle = " * 9_000,
        "5/" * 50_000,
        "it/s]" * 20_000,
    ),
)


@pytest.mark.parametrize("line", VAST, ids=lambda line: line.strip()[:8].encode().hex())
def test_a_vast_line_is_read_in_no_time(line: str) -> None:
    reader = LogReader()
    reader.feed(line)
    reader.close()

    if "\r" not in line and "\x1b" not in line:
        assert find_cause(line) == line.strip()
    assert reader.facts().subgraphs is None
