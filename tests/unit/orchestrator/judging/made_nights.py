"""Nights of known truth, as figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from orchestrator.domain import Figures

ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Fleet:
    """Boards that differ by 3 %, with 1 % noise in each round; `boards` sets some apart."""

    seed: int = 1
    count: int = 40
    _base: dict[str, float] = field(default_factory=dict)

    def night(self, number: int, **fields: Mapping[str, object] | object) -> list[Figures]:
        """Draw a night; `changes` is by board, `step` of all, other fields go over the figures."""
        random = np.random.default_rng((self.seed, number))
        spread = np.random.default_rng(self.seed).normal(0, 0.03, self.count)
        changes = fields.pop("changes", {})
        step = fields.pop("step", 0.0)
        assert isinstance(changes, Mapping)
        assert isinstance(step, float)
        found = []
        for at in range(self.count):
            name = f"b{at:02d}"
            noise = random.normal(0, 0.01, ROUNDS)
            change = 1 + step + float(changes.get(name, 0.0))
            rounds = 20 * np.exp(spread[at] + noise) * change
            values: dict[str, object] = {
                "night": f"n{number:03d}",
                "site": "fra" if at < self.count // 2 else "lab",
                "verdict": "VALID",
                "n": 1000,
                "p50_ms": float(np.median(rounds)),
                "rounds_ms": tuple(rounds.tolist()),
                "temperature_c": 55.0,
                "npu_clock_mhz": 800.0,
                "agreement": 0.99,
                "agreement_low": 0.988,
                "agreement_high": 0.992,
                "output_sha256": "a" * 64,
                "release_id": "r1",
                "pulsar2": "5.2",
                "toolchain_digest": "sha256:" + "1" * 64,
                "sdk": "V3.6.2",
                "kernel": "5.15.73",
                "chip": "AX650N",
            }
            run = f"n{number:03d}-1"
            at_time = f"2026-{1 + number // 28:02d}-{1 + number % 28:02d}T02:00:00+00:00"
            own = values | fields
            found.append(Figures(run, name, "model", "lab", at_time, **own))  # type: ignore[arg-type] # a test's fields
        return found

    def before(self, nights: int) -> list[Figures]:
        """Draw nights 0 to `nights` - 1, newest first."""
        return [one for number in range(nights - 1, -1, -1) for one in self.night(number)]
