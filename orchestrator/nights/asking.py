"""What a night was asked for, as the ledger keeps it, so that it can go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from orchestrator.domain import Json, Night, VerifySpec
from orchestrator.errors import ConfigError
from orchestrator.hashing import as_json


@dataclass(frozen=True, slots=True)
class AskedNight:
    """What the command line said, and how the night is judged."""

    fleet: str
    recipes: tuple[str, ...]
    spec: VerifySpec
    toolchain: str | None = None
    limit: str | None = None
    exclude: str | None = None
    iterations: int | None = None

    def kept(self) -> dict[str, Json]:
        """Give it as the ledger keeps it."""
        found = as_json(self)
        return found if isinstance(found, dict) else {}


def asked_of(night: Night) -> AskedNight:
    """Read what `AskedNight.kept` gave. Raises ConfigError where nothing was kept."""
    kept = {key: value for key, value in night.asked.items() if key in _names(AskedNight)}
    recipes = kept.get("recipes")
    if not isinstance(recipes, list):
        raise ConfigError(f"night {night.night_id} does not say what it was asked for")
    return AskedNight(
        **{  # type: ignore[arg-type] # it is what `kept` has written
            **kept,
            "recipes": tuple(recipes),
            "spec": spec_of(night),
        }
    )


def spec_of(night: Night) -> VerifySpec:
    """Read how a night was to be judged."""
    kept = night.asked.get("spec")
    known: Mapping[str, Json] = kept if isinstance(kept, dict) else {}
    said = {key: value for key, value in known.items() if key in _names(VerifySpec)}
    recipes = said.pop("recipes", [])
    listed = recipes if isinstance(recipes, list) else []
    spec = VerifySpec(**said)  # type: ignore[arg-type] # as above
    return replace(spec, recipes=tuple(str(one) for one in listed))


def _names(kind: type) -> set[str]:
    return {one.name for one in fields(kind)}
