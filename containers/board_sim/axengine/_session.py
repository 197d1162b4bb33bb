"""The public session: picks a provider and hands everything on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from numpy.typing import NDArray

from ._axe import AXEngineSession
from ._node import NodeArg, SessionOptions
from ._providers import get_available_providers

Providers = str | Sequence[str | tuple[str, Mapping[str, Any]]] | None


def _from_list(wanted: list[Any], available: list[str]) -> str:
    names = []
    for entry in wanted:
        if not isinstance(entry, (str, tuple)):
            raise AssertionError(f"Invalid provider type: {type(entry)}")  # noqa: TRY004 - as the real one
        names.append(entry if isinstance(entry, str) else entry[0])
    missing = [name for name in names if name not in available]
    if len(missing) == len(names):
        raise ValueError(f"Selected provider(s): {missing} is(are) not available.")
    if missing:
        print(f"[WARNING] Selected provider(s): {missing} is(are) not available.")
    return next(name for name in names if name in available)


def _pick(providers: Providers) -> str:
    available = get_available_providers()
    if providers is None:
        return available[0]
    if isinstance(providers, str):
        if providers not in available:
            raise ValueError(f"Selected provider: '{providers}' is not available.")
        return providers
    if isinstance(providers, list):
        return _from_list(providers, available)
    raise ValueError(f"No available provider found in {providers}.")


class InferenceSession:
    """A loaded model, with the interface of `axengine.InferenceSession`."""

    def __init__(
        self,
        path_or_bytes: str | bytes | os.PathLike[str],
        sess_options: SessionOptions | None = None,
        providers: Providers = None,
        provider_options: object = None,  # noqa: ARG002 - taken and ignored by the real one too
        **kwargs: object,  # noqa: ARG002 - taken and ignored by the real one too
    ) -> None:
        self._sess_options = sess_options
        self._provider = _pick(providers)
        print(f"[INFO] Using provider: {self._provider}")
        if isinstance(path_or_bytes, bytes):
            # A bug of the real package, which looks for a path that is not there.
            raise AttributeError(  # noqa: TRY004 - as the real one
                "'AXEngineSession' object has no attribute '_model_name'"
            )
        if not isinstance(path_or_bytes, (str, os.PathLike)):
            raise TypeError(f"Unable to load model from type '{type(path_or_bytes)}'")
        self._sess = AXEngineSession(Path(path_or_bytes))

    def get_session_options(self) -> SessionOptions | None:
        """Whatever was passed."""
        return self._sess_options

    def get_providers(self) -> str:
        """The name of the provider: one string, not a list."""
        return self._provider

    def get_inputs(self, shape_group: int = 0) -> list[NodeArg]:
        """The model's inputs."""
        return self._sess.get_inputs(shape_group)

    def get_outputs(self, shape_group: int = 0) -> list[NodeArg]:
        """The model's outputs."""
        return self._sess.get_outputs(shape_group)

    def run(
        self,
        output_names: list[str] | None,
        input_feed: dict[str, NDArray[Any]],
        run_options: object = None,
        shape_group: int = 0,
    ) -> list[NDArray[Any]]:
        """The outputs, as copies. Ask for None: see `AXEngineSession.run` on the order of names."""
        return self._sess.run(output_names, input_feed, run_options, shape_group)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None
