"""What transfers may use of a line, alone and together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

#: What may go out at once after a pause, as seconds of the rate.
_BURST_S = 0.1
_REGISTRY: dict[tuple[str, str, int], Meter] = {}
_REGISTRY_LOCK = threading.Lock()


@dataclass(slots=True)
class Meter:
    """Tells senders how long to wait so that all together keep to a rate."""

    bytes_per_s: int
    clock: Callable[[], float] = time.monotonic
    _free_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def book(self, size_bytes: int) -> float:
        """Take a turn for so many bytes; give the seconds until they may go."""
        with self._lock:
            now = self.clock()
            begin = max(self._free_at, now - _BURST_S)
            self._free_at = begin + size_bytes / self.bytes_per_s
            return max(begin - now, 0.0)


def shared_meter(kind: str, name: str, bytes_per_s: int) -> Meter:
    """Give the one meter of this process for a board or a site."""
    with _REGISTRY_LOCK:
        return _REGISTRY.setdefault((kind, name, bytes_per_s), Meter(bytes_per_s))
