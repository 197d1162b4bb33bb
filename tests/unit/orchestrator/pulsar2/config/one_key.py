"""Configs of one key, and how one is refused."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from orchestrator.domain import Json
from orchestrator.errors import ConfigError
from orchestrator.pulsar2.config.codec import config_from_json


def one(path: str, value: Json) -> dict[str, Json]:
    """A config that holds `value` at `a.b.c` and what else must be there."""
    needed: dict[str, dict[str, Json]] = {
        "quant.input_configs": {"tensor_name": "x", "calibration_dataset": "x.tar"},
        "quant.layer_configs": {"op_type": "Add"},
        "input_processors": {"tensor_name": "x"},
        "output_processors": {"tensor_name": "x"},
    }
    for place, entry in needed.items():
        if path.startswith(f"{place}."):
            return one(place, [{**entry, path.removeprefix(f"{place}."): value}])
    first, _, rest = path.partition(".")
    return {first: one(rest, value) if rest else value}


def refusal(config: Mapping[str, Json], version: str = "5.2") -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        config_from_json(config, version, "a.json")
    return caught.value
