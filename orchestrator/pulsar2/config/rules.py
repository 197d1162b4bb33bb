"""What the keys of a build config must be to each other."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.domain import Target
from orchestrator.pulsar2.config.origin import Origin, below
from orchestrator.pulsar2.config.types import (
    BuildConfig,
    CompilerConfig,
    ConstProcessor,
    InputProcessor,
    LayerConfig,
)
from orchestrator.pulsar2.targets import find_problem
from orchestrator.pulsar2.versions import VersionFacts

#: What the toolchain takes when the config names none.
DEFAULT_HARDWARE, DEFAULT_NPU_MODE = "AX650", "NPU1"

#: Documented for `csc_mode` Matrix: the bounds, themselves not allowed, of the fourth number of
#: each row, and of the others.
_BIAS, _FACTOR = (-9, 8), (-524289, 524288)

Problem = tuple[str, str, str]


def check_rules(config: BuildConfig, facts: VersionFacts, origin: Origin) -> None:
    """Refuse what contradicts itself. Raises ConfigError."""
    for path, message, hint in _problems(config, facts):
        raise origin.error(path, message, hint)


def target_of(config: BuildConfig) -> Target:
    """Give what the config compiles for."""
    return Target(config.target_hardware or DEFAULT_HARDWARE, config.npu_mode or DEFAULT_NPU_MODE)


def _problems(config: BuildConfig, facts: VersionFacts) -> Iterator[Problem]:
    if found := find_problem(target_of(config), facts.version):
        yield found.key, found.message, found.hint
    if config.quant is not None:
        for index, layer in enumerate(config.quant.layer_configs):
            yield from _layer_problems(layer, below("quant.layer_configs", index))
    for index, one in enumerate(config.input_processors):
        yield from _csc_problems(one, below("input_processors", index))
    yield from _extra_shape_problems(config.input_processors)
    for index, const in enumerate(config.const_processors):
        yield from _const_problems(const, below("const_processors", index))
    if config.compiler is not None:
        yield from _compiler_problems(config.compiler)


def _layer_problems(layer: LayerConfig, path: str) -> Iterator[Problem]:
    chosen = {
        "layer_name": bool(layer.layer_name),
        "op_type": bool(layer.op_type),
        "layer_names": bool(layer.layer_names),
        "op_types": bool(layer.op_types),
        "start_tensor_names and end_tensor_names": bool(
            layer.start_tensor_names or layer.end_tensor_names
        ),
    }
    used = [name for name, is_used in chosen.items() if is_used]
    if len(used) != 1:
        message = f"chooses its operators by {' and by '.join(used) or 'nothing'}"
        yield path, message, f"give exactly one of {', '.join(chosen)}"


def _csc_problems(one: InputProcessor, path: str) -> Iterator[Problem]:
    if one.csc_mode != "Matrix":
        return
    if not one.csc_mat:
        yield path, "csc_mode Matrix needs csc_mat", "give its 12 numbers: 3x4, row by row"
    for index, value in enumerate(one.csc_mat):
        low, high = _BIAS if index % 4 == 3 else _FACTOR  # noqa: PLR2004 - the last of its row
        if not low < value < high:
            where = below(below(path, "csc_mat"), index)
            yield where, f"{value} is not between {low} and {high}", ""


def _extra_shape_problems(processors: tuple[InputProcessor, ...]) -> Iterator[Problem]:
    counts = [len(one.src_extra_shapes) for one in processors]
    for index, count in enumerate(counts):
        if count != counts[0]:
            path = below("input_processors", index)
            message = f"has {count} src_extra_shapes, input_processors[0] has {counts[0]}"
            yield path, message, "give every input as many"


def _const_problems(const: ConstProcessor, path: str) -> Iterator[Problem]:
    if not const.data and not const.data_path:
        yield path, f"gives {const.name} neither data nor data_path", ""


def _compiler_problems(compiler: CompilerConfig) -> Iterator[Problem]:
    for key in ("start_tensor_names", "end_tensor_names"):
        if getattr(compiler, key):
            hint = f"move it into compiler.sub_configs[0].{key}"
            yield f"compiler.{key}", "only a sub config is for a part of the model", hint
