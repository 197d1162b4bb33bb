"""Calibration archives against the inputs that they are for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from orchestrator.domain import Json, TensorSpec
from orchestrator.pulsar2.preflight.archive import BrokenArchive, Entry, entries_of, is_junk
from orchestrator.pulsar2.preflight.config import row_of, rows_at
from orchestrator.pulsar2.preflight.findings import Finding
from orchestrator.pulsar2.preflight.samples import (
    Array,
    BadSample,
    read_binary,
    read_image,
    read_numpy,
    read_object,
)
from orchestrator.pulsar2.preflight.scale import check_range, check_std, normalisation_of

_READERS = {"Numpy": read_numpy, "Binary": read_binary, "NumpyObject": read_object}
#: Fewer give a range by chance.
_FEW = 8
_DEFAULT_SIZE = 32
#: The values of more than this are not looked at: a preflight takes seconds.
_MOST_BYTES = 1 << 29
_COLOURS = 3
_IMAGE_RANK = 4
_ALL_CHANNELS = {1, 3}
_MOST_NAMED = 3


@dataclass(slots=True)
class _Seen:
    """What was found so far in one archive."""

    names: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    constant: list[str] = field(default_factory=list)
    modes: dict[str, list[str]] = field(default_factory=dict)
    least: float = float("inf")
    most: float = float("-inf")
    looked_bytes: int = 0


def check_calibration(
    archive: Path,
    given: Mapping[str, Json],
    tensor: TensorSpec,
    processor: Mapping[str, Json] | None = None,
) -> tuple[Finding, ...]:
    """Check an archive against one input.

    The values of the first `calibration_size` samples are looked at, up to 512 MB; dtype, shape
    and names of all.

    Args:
        archive: tar, tar.gz or zip.
        given: the entry of `quant.input_configs`.
        tensor: the input, without an axis that is not fixed.
        processor: the entry of `input_processors`; it says what the model is fed at run time.
    """
    return tuple(_examine(archive, given, tensor, processor or {})[0])


def check_calibrations(
    config: Mapping[str, Json], inputs: Sequence[TensorSpec], files: Mapping[str, Path]
) -> tuple[Finding, ...]:
    """Check the archives of all inputs, and that their samples pair by file name.

    Args:
        config: the whole build config.
        inputs: of the model.
        files: `calibration_dataset` as the config writes it → the file on this machine; one that
            is not there is looked for at its own path.
    """
    findings: list[Finding] = []
    names: dict[str, frozenset[str]] = {}
    calibrated = rows_at(config, "quant", "input_configs")
    processors = rows_at(config, "input_processors")
    for tensor in inputs:
        given = row_of(calibrated, tensor.name)
        dataset = given.get("calibration_dataset") if given else None
        if given is None or not isinstance(dataset, str):
            continue
        archive = files.get(dataset, Path(dataset))
        found, stems = _examine(archive, given, tensor, row_of(processors, tensor.name) or {})
        findings += [one for one in found if one not in findings]
        names[tensor.name] = stems
    return (*findings, *_check_pairs(names))


def _check_pairs(names: Mapping[str, frozenset[str]]) -> Iterator[Finding]:
    """Ask each input for the samples of the first."""
    for other in list(names)[1:]:
        first = next(iter(names))
        for having, lacking in ((first, other), (other, first)):
            alone = sorted(names[having] - names[lacking])
            if alone:
                more = f" and {len(alone) - _MOST_NAMED} more" if len(alone) > _MOST_NAMED else ""
                message = f"has no sample {', '.join(alone[:_MOST_NAMED])}{more}; {having} has"
                advice = "samples of several inputs pair by file name"
                yield Finding("refuse", "count", f"input {lacking}", message, advice)


def _examine(
    archive: Path, given: Mapping[str, Json], tensor: TensorSpec, processor: Mapping[str, Json]
) -> tuple[list[Finding], frozenset[str]]:
    """Give what is wrong, and the names of the samples without their suffixes."""
    kind = given.get("calibration_format") or "Image"
    images = kind not in _READERS
    if problem := _unfit(archive, tensor, images=images):
        return [problem], frozenset()
    size = given.get("calibration_size")
    limit = size if isinstance(size, int) and size > 0 else None if size == -1 else _DEFAULT_SIZE
    seen = _Seen()
    try:
        for entry in entries_of(archive):
            if is_junk(entry.name):
                message, advice = "is no sample: a desktop left it", "pack the files alone"
                seen.findings.append(Finding("warn", "archive", entry.name, message, advice))
                continue
            seen.names.append(entry.name)
            if images and len(seen.names) <= (limit or len(seen.names)):
                _look_at_image(entry, tensor, seen)
            elif not images:
                _look_at_array(entry, str(kind), tensor, seen, limit)
    except BrokenArchive as error:
        seen.findings.append(Finding("refuse", "archive", archive.name, str(error)))
    seen.findings += [*_check_count(archive, size, seen), *_check_constant(archive, seen)]
    seen.findings += _check_modes(archive, tensor, seen)
    how = normalisation_of(given, processor)
    where = f"input {tensor.name}"
    seen.findings += check_std(where, how, images=images)
    if not images and seen.least <= seen.most and np.dtype(tensor.dtype).kind == "f":
        seen.findings += check_range(where, how, (seen.least, seen.most))
    stems = (str(PurePosixPath(name).with_suffix("")) for name in seen.names)
    return seen.findings, frozenset(stems)


def _unfit(archive: Path, tensor: TensorSpec, *, images: bool) -> Finding | None:
    if not archive.is_file():
        what = "is a folder" if archive.is_dir() else "no such file"
        advice = "pack its files: tar, tar.gz or zip" if archive.is_dir() else ""
        return Finding("refuse", "archive", str(archive), what, advice)
    try:
        np.dtype(tensor.dtype)
    except TypeError:
        message = f"{tensor.dtype} is no type that samples can have"
        return Finding("refuse", "sample", f"input {tensor.name}", message)
    shape = tensor.shape
    if images and (len(shape) != _IMAGE_RANK or not _ALL_CHANNELS & {shape[1], shape[-1]}):
        message = f"images cannot calibrate the input {tensor.name} of shape {shape}"
        return Finding("refuse", "image", archive.name, message, "calibration_format Numpy")
    return None


def _look_at_array(
    entry: Entry, kind: str, tensor: TensorSpec, seen: _Seen, limit: int | None
) -> None:
    enough = limit is not None and len(seen.names) > limit
    try:
        array = _READERS[kind](entry, tensor, values=not enough and seen.looked_bytes < _MOST_BYTES)
    except BadSample as bad:
        seen.findings.append(Finding("refuse", bad.check, entry.name, bad.message, bad.advice))
        return
    seen.looked_bytes += array.nbytes
    if array.dtype.kind == "f":
        _look_at_values(array, entry.name, seen)


def _look_at_values(array: Array, name: str, seen: _Seen) -> None:
    """Find NaN and infinity, and keep the range: both are in the least and the largest number."""
    if not array.size:
        return
    least, most = float(array.min()), float(array.max())
    if not np.isfinite([least, most]).all():
        bad = int(array.size - np.isfinite(array).sum())
        message = f"{bad:,} of {array.size:,} numbers are NaN or infinite"
        seen.findings.append(Finding("refuse", "values", name, message))
        return
    seen.least, seen.most = min(seen.least, least), max(seen.most, most)
    if least == most and array.size > 1:
        seen.constant.append(name)


def _look_at_image(entry: Entry, tensor: TensorSpec, seen: _Seen) -> None:
    shape = tensor.shape
    channels = shape[1] if shape[1] in _ALL_CHANNELS else shape[-1]
    try:
        mode, constant = read_image(entry, channels)
    except BadSample as bad:
        seen.findings.append(Finding("refuse", bad.check, entry.name, bad.message, bad.advice))
        return
    seen.modes.setdefault(mode, []).append(entry.name)
    if constant:
        seen.constant.append(entry.name)


def _check_count(archive: Path, size: Json, seen: _Seen) -> Iterator[Finding]:
    count, where = len(seen.names), archive.name
    if count == 0:
        yield Finding("refuse", "count", where, "holds no sample")
    elif count < _FEW:
        advice = f"take {_DEFAULT_SIZE} or more that look like what the model will see"
        samples = "1 sample" if count == 1 else f"{count} samples"
        yield Finding("warn", "count", where, f"{samples}: their range is chance", advice)
    elif isinstance(size, int) and count < size:
        message = f"{count} samples; calibration_size is {size}"
        yield Finding("warn", "count", where, message)


def _check_constant(archive: Path, seen: _Seen) -> Iterator[Finding]:
    """Refuse samples that say nothing, doubt single ones."""
    for name in seen.constant if len(seen.constant) < len(seen.names) else ():
        message = "all its numbers are equal: it says nothing of the range"
        yield Finding("warn", "values", name, message, "take a real sample")
    if seen.constant and len(seen.constant) == len(seen.names):
        message = "in each sample all numbers are equal"
        yield Finding("refuse", "values", archive.name, message, "take real samples")


def _check_modes(archive: Path, tensor: TensorSpec, seen: _Seen) -> Iterator[Finding]:
    in_colour = _COLOURS in {tensor.shape[1], tensor.shape[-1]} if seen.modes else False
    usual = {"RGB", "YCbCr"} if in_colour else {"RGB", "L", "YCbCr"}
    for mode, names in seen.modes.items():
        if mode not in usual:
            what = "grey" if mode in {"L", "1", "I;16"} else f"of mode {mode}"
            named = names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")
            message = f"{named} is {what}; the input {tensor.name} is {tensor.shape}"
            advice = "save it as RGB" if in_colour else "save it as 8-bit grey"
            yield Finding("warn", "image", archive.name, message, advice)
