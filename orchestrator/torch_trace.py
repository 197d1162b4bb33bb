"""Run a torch module, and write it as ONNX with what depends on the shape alone as constants."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from orchestrator.domain import ExportSpec
from orchestrator.errors import ExportError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor
    from torch.nn import Module

#: What a part gives that depends on nothing but the input's shape.
_Fixed: TypeAlias = "Tensor | tuple[Tensor, ...]"
#: What a recipe's `export.opset` may be at most.
LAST_OPSET = 17
#: The method by which transformers' models bend their position embeddings to the input's size. Of
#: what it is given it reads nothing but the shape.
_BEND = "interpolate_pos_encoding"
#: Parts that make rotations for the positions of patches. They are handed the image, for its size.
_ROTATIONS = re.compile(r"Ro(pe|tary)\w*Embedding")


def run_torch(
    module: Module, feeds: Sequence[NDArray[np.float32]], name: str
) -> list[NDArray[np.float32]]:
    """Run a module on inputs. Raises ExportError, with `name`: it does not take them."""
    import torch

    with _explained(f"{name}: torch cannot run it at {_size(feeds[0].shape)}"), torch.no_grad():
        return [module(torch.from_numpy(feed)).numpy() for feed in feeds]


def trace(module: Module, spec: ExportSpec, path: Path) -> None:
    """Write a module as ONNX with a static shape; it is of no other use afterwards.

    Raises:
        ExportError: torch cannot export it at this shape and opset.
    """
    import torch

    sample = torch.zeros(spec.shape, dtype=torch.float32)
    failed = f"torch cannot export it at {_size(spec.shape)}, opset {spec.opset}"
    with _explained(failed), warnings.catch_warnings(), _unlogged(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracer warns of every shape that becomes static
        _bake(module, sample)
        torch.onnx.export(
            module,
            (sample,),
            str(path),
            opset_version=spec.opset,
            input_names=[spec.input_name],
            output_names=[spec.output_name],
            dynamo=False,
        )


def _bake(module: Module, sample: Tensor) -> None:
    """Put constants for position embeddings and biases that are made for the input's size.

    Traced, they would be a hundred nodes a layer that look up and resize constants; and a bicubic
    Resize of onnxruntime differs from torch's. What is baked: what a part gives that is handed no
    tensor, what `_BEND` gives, and what `_ROTATIONS` give, by operators that opset 11 has not.
    """
    import torch

    given: dict[Module, list[_Fixed]] = {}
    bent: dict[Module, list[_Fixed]] = {}
    hooks = [
        part.register_forward_hook(_listener(given), with_kwargs=True) for part in module.modules()
    ]
    owners = [part for part in module.modules() if callable(getattr(part, _BEND, None))]
    for owner in owners:
        setattr(owner, _BEND, _recorder(getattr(owner, _BEND), bent.setdefault(owner, [])))
    unpool = [
        part.register_forward_hook(_pool_by_product)
        for part in module.modules()
        if isinstance(part, torch.nn.AdaptiveAvgPool2d)
    ]
    module(sample)
    for hook in [*hooks, *unpool]:
        hook.remove()
    for owner in owners:
        delattr(owner, _BEND)
    for found, method in ((given, "forward"), (bent, _BEND)):
        for part, values in found.items():
            # One that is asked twice may give two things.
            if values and all(_same(value, values[0]) for value in values):
                setattr(part, method, _always(_detached(values[0])))


def _pool_by_product(pool: Module, args: tuple[Tensor], output: Tensor) -> None:
    """Put two products with constants for an adaptive pool whose windows are not all alike.

    The exporter knows pools with one size of window only; a mean over rows and columns is a mean
    over rows of means over columns.
    """
    (source,) = args
    before, after = source.shape[2:], output.shape[2:]
    if all(was % now == 0 for was, now in zip(before, after, strict=True)):
        return
    rows, columns = (_means(was, now) for was, now in zip(before, after, strict=True))
    pool.forward = lambda tensor: rows @ tensor @ columns.T


def _means(before: int, after: int) -> Tensor:
    """Give the (after, before) matrix that takes the means of adaptive pooling along one axis.

    Window i is from floor(i * before / after) to ceil((i + 1) * before / after), as in torch.
    """
    import torch

    matrix = torch.zeros(after, before)
    for row in range(after):
        start, end = row * before // after, -(-(row + 1) * before // after)
        matrix[row, start:end] = 1 / (end - start)
    return matrix


def _listener(
    found: dict[Module, list[_Fixed]],
) -> Callable[[Module, tuple[object, ...], dict[str, object], object], None]:
    """Note what parts give that are handed no tensor, or nothing of it but its shape."""
    import torch

    def listen(
        part: Module, args: tuple[object, ...], kwargs: dict[str, object], output: object
    ) -> None:
        handed = [*args, *kwargs.values()]
        fixed = _ROTATIONS.search(type(part).__name__) or not any(
            isinstance(one, torch.Tensor | list | tuple | dict) and not _plain(one)
            for one in handed
        )
        several = output if isinstance(output, tuple) else (output,)
        if fixed and all(isinstance(one, torch.Tensor) for one in several):
            found.setdefault(part, []).append(output)

    return listen


def _plain(value: object) -> bool:
    """Tell whether a value is a size: a tuple or list of numbers."""
    return isinstance(value, list | tuple) and all(isinstance(one, int) for one in value)


def _recorder(method: Callable[..., _Fixed], kept: list[_Fixed]) -> Callable[..., _Fixed]:
    def record(*args: object, **kwargs: object) -> _Fixed:
        kept.append(method(*args, **kwargs))
        return kept[-1]

    return record


def _same(value: _Fixed, other: _Fixed) -> bool:
    several = [one if isinstance(one, tuple) else (one,) for one in (value, other)]
    return all(a.equal(b) for a, b in zip(*several, strict=True))


def _detached(value: _Fixed) -> _Fixed:
    return tuple(one.detach() for one in value) if isinstance(value, tuple) else value.detach()


def _always(value: _Fixed) -> Callable[..., _Fixed]:
    return lambda *_, **__: value


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


@contextmanager
def _unlogged() -> Iterator[None]:
    """Keep torch from printing the whole graph on an error: stdout is for the command's result."""
    from torch import _C

    # The exporter turns the log on again whatever the switch for it says (torch 2.13).
    log = _C._jit_onnx_log  # noqa: SLF001 - there is no public way
    _C._jit_onnx_log = lambda *_: None  # noqa: SLF001 - as above
    try:
        yield
    finally:
        _C._jit_onnx_log = log  # noqa: SLF001 - as above


@contextmanager
def _explained(failed: str) -> Iterator[None]:
    """Say what torch or the model's code could not do, in a line."""
    try:
        yield
    except (RuntimeError, ValueError, IndexError, TypeError, AttributeError, KeyError) as error:
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        # The tracer adds what to do to its own users, and the value's name in its graph.
        text = re.split(r"\. Support for|\. Please|  \[Caused by", text)[0]
        newer = re.search(r"added in version (\d+)", str(error))
        raise ExportError(f"{failed}: {text}", _opset_hint(newer)) from error


def _opset_hint(newer: re.Match[str] | None) -> str:
    if newer is None:
        return "does it take this shape?"
    if int(newer.group(1)) <= LAST_OPSET:
        return f"set export.opset: {newer.group(1)}"
    return f"it wants opset {newer.group(1)}, recipes end at {LAST_OPSET}: export it yourself"
