"""Mean and std against what the samples are: the two are easily set for different numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.domain import Json
from orchestrator.pulsar2.preflight.findings import Finding

_BYTE = 255.0
#: Samples may leave the range a little, by resizing; they hardly fill less than this share of it.
_SLACK = 0.05
_LEAST_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Normalisation:
    """What an input goes through at run time, and what a calibration image does.

    Attributes:
        takes_bytes: the compiled model is fed 0..255.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    takes_bytes: bool

    @property
    def reached(self) -> tuple[float, float]:
        """Give the range that bytes become."""
        count = max(len(self.mean), len(self.std), 1)
        means = self.mean * count if len(self.mean) == 1 else self.mean or (0.0,) * count
        stds = self.std * count if len(self.std) == 1 else self.std or (1.0,) * count
        pairs = list(zip(means, stds, strict=False))
        low = min((0 - mean) / std for mean, std in pairs)
        return low, max((_BYTE - mean) / std for mean, std in pairs)


def normalisation_of(given: Mapping[str, Json], processor: Mapping[str, Json]) -> Normalisation:
    """Take an input processor's mean and std, else those of the calibration."""
    mean = _floats(processor.get("mean")) or _floats(given.get("calibration_mean"))
    std = _floats(processor.get("std")) or _floats(given.get("calibration_std"))
    positive = std if all(value > 0 for value in std) else ()
    return Normalisation(mean, positive, processor.get("src_dtype") == "U8")


def check_std(where: str, how: Normalisation, *, images: bool) -> Iterator[Finding]:
    """Warn of a std for 0..1 where bytes are divided by it."""
    if (images or how.takes_bytes) and how.std and min(how.std) < 1:
        message = f"std {min(how.std):g} divides numbers of 0 to 255"
        advice = "std is 255, not 1/255; ImageNet's 0.229, 0.224, 0.225 are 58.395, 57.12, 57.375"
        yield Finding("warn", "scale", where, message, advice)


def check_range(
    where: str, how: Normalisation, found: tuple[float, float] | None
) -> Iterator[Finding]:
    """Warn where ready-made arrays are of another range than bytes become at run time.

    Mean and std are not applied to such arrays, but are inside the compiled model.
    """
    if found is None or not how.takes_bytes:
        return
    (low, high), (least, most) = how.reached, found
    span = high - low
    outside = least < low - _SLACK * span or most > high + _SLACK * span
    if outside or most - least < _LEAST_SHARE * span:
        given = "" if how.mean or how.std else "without mean and std "
        message = (
            f"{given}src_dtype U8 becomes {low:.4g} to {high:.4g} at run time; "
            f"the samples are {least:.4g} to {most:.4g}"
        )
        advice = "set calibration_mean and calibration_std to the arrays' own, times 255"
        yield Finding("warn", "scale", where, message, advice)


def _floats(value: Json) -> tuple[float, ...]:
    items = value if isinstance(value, list) else []
    return tuple(float(one) for one in items if isinstance(one, int | float))
