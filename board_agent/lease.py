"""Who may change the board: one holder at a time, each with a larger number than the one before.

    lease/<token>/holder       `owner boot_id heartbeat_s ttl_s`, times of /proc/uptime

The folder with the highest number is the current one; making the next is the step that takes the
lease. It is never removed by its holder, so that no number is given twice. Without a holder, after
a restart and past its time to live a lease is free. Whoever calls holds `work_dir/lock`.
"""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path
from typing import Any, Iterator, NamedTuple

from board_agent import files
from board_agent.errors import AgentError
from board_agent.places import Board
from board_agent.protocol import token_name
from board_agent.request import Claim
from board_agent.store import Store

#: Another tool's lease, and how long it holds after the last touch.
FOREIGN = "/tmp/magnetar-lease/lock"  # noqa: S108 - that tool's place, only looked at
FOREIGN_TTL_S = 1800.0

_TOKEN = re.compile(r"\d{20}")


class Holder(NamedTuple):
    """Who holds the board; `age_s` since the last heartbeat, `token` 0 where it is foreign."""

    token: int
    owner: str
    age_s: float
    ttl_s: float
    foreign: bool = False


class Entry(NamedTuple):
    """What a holder wrote in this boot of the board, be it in time or not."""

    token: int
    owner: str
    heartbeat_s: int
    ttl_s: float


class Lease(NamedTuple):
    """The lease of one work_dir on the board it lies on."""

    place: Store
    board: Board

    def newest(self) -> int:
        """The current token, held or not; 0 before the first."""
        found = files.names(self.place.path("lease"))
        return max((int(name) for name in found if _TOKEN.fullmatch(name)), default=0)

    def holder(self) -> Holder | None:
        """Who holds the board now; None while it is free."""
        entry = self._entry(self.newest())
        return (self._live(entry) if entry else None) or self._foreign()

    def owner(self) -> str | None:
        """Who had the lease last and did not give it back, be it in time or not."""
        entry = self._entry(self.newest())
        return entry.owner if entry else None

    @contextlib.contextmanager
    def fenced(self, token: int | None) -> Iterator[None]:
        """Let nobody take the lease while what `token` allows is done. Raises STALE_TOKEN."""
        if token is None or not self.place.work_dir.is_dir():
            raise _stale(token, 0, None)
        with files.locked(self.place.path("lock")):
            entry = self.check(token)
            yield
            # Nothing was heard of the holder while it waited for this: that is no silence.
            if self.board.uptime_s() - entry.heartbeat_s > entry.ttl_s / 4:
                self._beat(entry.token, Claim(entry.owner, entry.ttl_s))

    def check(self, token: int | None) -> Entry:
        """Raise STALE_TOKEN unless `token` is that of the lease.

        One that has run out holds until somebody takes the lease: there is nobody to disturb.
        """
        newest = self.newest()
        entry = self._entry(newest)
        if token is None or token != newest or entry is None:
            raise _stale(token, newest, self.holder())
        if self._live(entry) is None and self._foreign() is not None:
            raise _stale(token, newest, self.holder())
        return entry

    def acquire(self, claim: Claim) -> int:
        """A new token. Raises LEASED; who holds it already, under the same name, gets a new one."""
        holder = self.holder()
        if holder is not None and (holder.foreign or holder.owner != claim.owner):
            raise AgentError("LEASED", f"the board is held by {told(holder)}", holder._asdict())
        before = self.newest()
        token = before + 1
        folder = self.place.path("lease", token_name(token))
        files.make_dir(folder.parent)
        files.mkdir(folder)
        files.sync_dir(folder.parent)  # before anybody hears of the number
        self._inherit(token)
        self._beat(token, claim)
        for name in files.names(folder.parent):
            if name != folder.name and (folder.parent / name).is_dir():
                files.remove_dir(folder.parent / name)
        return token

    def renew(self, token: int | None, claim: Claim) -> None:
        """Another heartbeat. Raises STALE_TOKEN."""
        self.check(token)
        self._beat(token or 0, claim)

    def release(self, token: int | None) -> None:
        """Free the board. Raises STALE_TOKEN where it is another's; twice is once."""
        if token is None or token != self.newest():
            self.check(token)
        files.remove(self._file(token or 0))

    def end(self) -> None:
        """Free the board, whoever has it; a foreign lease stays."""
        files.remove(self._file(self.newest()))

    def _beat(self, token: int, claim: Claim) -> None:
        line = (
            f"{claim.owner} {self.board.boot_id()} {int(self.board.uptime_s())} {claim.ttl_s:g}\n"
        )
        # Not durable: after a restart it means nothing.
        files.write(self._file(token), line.encode("ascii"), durable=False)

    def _entry(self, token: int) -> Entry | None:
        try:
            line = self._file(token).read_bytes().decode("ascii")
            owner, boot_id, heartbeat_s, ttl_s = line.split()
            entry = Entry(token, owner, int(heartbeat_s), float(ttl_s))
        except (OSError, ValueError):
            return None
        return entry if boot_id == self.board.boot_id() else None

    def _live(self, entry: Entry) -> Holder | None:
        age_s = max(0.0, round(self.board.uptime_s() - entry.heartbeat_s, 1))
        if age_s > entry.ttl_s:
            return None
        return Holder(entry.token, entry.owner, age_s, entry.ttl_s)

    def _foreign(self) -> Holder | None:
        try:
            age_s = time.time() - self.board.path(FOREIGN).lstat().st_mtime
        except OSError:
            return None
        # A touch in the future is a clock that was set back, not a lease that ended.
        if age_s >= FOREIGN_TTL_S:
            return None
        return Holder(0, "magnetar", max(0.0, round(age_s, 1)), FOREIGN_TTL_S, foreign=True)

    def _inherit(self, token: int) -> None:
        """Take over what was sent under older tokens; their uploads may still be writing."""
        incoming, mine = self.place.path("incoming"), self.place.incoming(token)
        files.make_dir(mine)
        for name in files.names(incoming):
            if _TOKEN.fullmatch(name) and name < mine.name:
                for part in files.sizes(incoming / name):
                    if part.endswith(".part"):
                        _take(incoming / name / part, mine / part)
                files.remove_dir(incoming / name)

    def _file(self, token: int) -> Path:
        return self.place.path("lease", token_name(token), "holder")


def _take(part: Path, target: Path) -> None:
    try:
        files.copy(part, target)
    except OSError:  # no room for both: then it is sent again
        files.remove(target)
    files.remove(part)


def told(holder: Holder) -> str:
    """A holder in words."""
    return (
        f"{holder.owner} (heard of {holder.age_s:g} s ago, it has {holder.ttl_s:g} s)"
        if not holder.foreign
        else f"another tool ({FOREIGN} was touched {holder.age_s:g} s ago)"
    )


def described(holder: Holder | None) -> dict[str, Any] | None:
    """A holder as the protocol writes it."""
    return holder._asdict() if holder else None


def _stale(token: int | None, newest: int, holder: Holder | None) -> AgentError:
    whose = f"held by {told(holder)}" if holder else "free"
    what = "no token" if token is None else f"token {token}"
    message = f"{what} is not the board's lease: that has number {newest} and is {whose}"
    return AgentError("STALE_TOKEN", message, {"newest": newest, "holder": described(holder)})
