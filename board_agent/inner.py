"""When the runtime's C call begins and ends inside an inference.

The vendor's package copies the inputs into NPU memory, makes one call of its C library and copies
the outputs out. It names the library `engine_lib` in its modules; what is put there in its place
takes the time around that call and hands everything else on.
"""

from __future__ import annotations

import sys
from typing import Any, Callable

PACKAGE = "axengine"
LIBRARY = "engine_lib"
#: A model of one shape is run by the first, one of several by the second.
CALLS = ("AX_ENGINE_RunSyncV2", "AX_ENGINE_RunGroupIOSync")
#: No call has been seen.
UNSEEN = -1


class Inner:
    """The last C call; both times are UNSEEN until there was one."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self.now_ns = now_ns
        self.began_ns = self.ended_ns = UNSEEN

    def wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same call, its begin and end noted."""
        now_ns = self.now_ns

        def timed(*arguments: Any) -> Any:
            self.began_ns = now_ns()
            result = call(*arguments)
            self.ended_ns = now_ns()
            return result

        return timed

    def watch(self) -> bool:
        """See the calls of the package that is loaded; false where it does not let one."""
        modules = [
            module
            for name, module in list(sys.modules.items())
            if name == PACKAGE or name.startswith(PACKAGE + ".")
        ]
        seen = False
        for module in modules:
            library = getattr(module, LIBRARY, None)
            calls = {name: getattr(library, name, None) for name in CALLS}
            timed = {name: self.wrap(call) for name, call in calls.items() if callable(call)}
            if timed:
                setattr(module, LIBRARY, _Watched(library, timed))
                seen = True
        return seen


class _Watched:
    """A library with a few of its functions replaced."""

    def __init__(self, library: object, replaced: dict[str, Callable[..., Any]]) -> None:
        self._library = library
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)
