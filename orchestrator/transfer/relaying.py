"""One copy over the uplink for a whole site: one of its boards hands the blobs on to the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Self

from orchestrator.agent import Agent
from orchestrator.domain import Artifact, Board, Json
from orchestrator.errors import AgentError, BoardError, DeadlineError
from orchestrator.leases import leased, look
from orchestrator.replies import Probe
from orchestrator.seams import Progress
from orchestrator.transfer.encoding import Encoder
from orchestrator.transfer.payloads import Once
from orchestrator.transfer.shipping import Sent, Shipment, deliver, plan_transfer

#: A relay hands blobs out for at most this long; it ends with the host's session in any case.
SESSION_S = 6 * 3600.0
#: How long the others wait for a relay that is being visited itself, before they do without.
PATIENCE_S = 600.0
#: What fetching may take: a start, and a slow network of 1 MB/s.
_FETCH_START_S, _SLOWEST_BYTES_PER_S = 60.0, 1e6
#: After so many failures in a row the boards of a site no longer ask their relay.
_MAX_FAILED = 3
#: Making blobs of what was sent: hashing and unpacking on the board.
_STAGE_DEADLINE_S = 600.0


@dataclass(frozen=True, slots=True)
class Cargo:
    """What the relays are to have: blobs, and what `stage` is told of the release they are for."""

    blobs: tuple[Artifact, ...]
    stage: Mapping[str, Json]


def relays_of(boards: Iterable[Board]) -> dict[str, Board]:
    """Give the relay of each site that has one: the first board with `relay: true`."""
    found: dict[str, Board] = {}
    for board in boards:
        if board.relay:
            found.setdefault(board.site, board)
    return found


class Relays:
    """The relays of one run; each is opened when the first other board of its site asks."""

    def __init__(
        self,
        relays: Mapping[str, Board],
        cargo: Cargo,
        open_agent: Callable[[Board], AbstractContextManager[Agent]],
        owner: str,
        encoder: Encoder,
        progress: Progress,
    ) -> None:
        self._relays, self._cargo, self._open_agent = relays, cargo, open_agent
        self._owner, self._encoder, self._progress = f"{owner}/relay", encoder, progress
        self._urls = Once[str, str | None]()
        self._visits = {board.name: Lock() for board in relays.values()}
        self._sessions = ExitStack()
        self._failed = Counter[str]()
        self._tokens: dict[str, int] = {}
        self.sent: dict[str, Sent] = {}

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        """Stay in this process: its sessions do. Another process gets None and does without."""
        return type(None), ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sessions.close()

    @contextmanager
    def visiting(self, board: Board) -> Iterator[None]:
        """Keep a board that is a relay from being visited and filled at the same time."""
        lock = self._visits.get(board.name)
        if lock is None:
            yield
            return
        with lock:
            yield

    def held_after(self, board: Board, token: int) -> int:
        """Give the token that this run held a board under last, be it to fill it as a relay."""
        return max(token, self._tokens.get(board.name, 0))

    def fetch(self, agent: Agent, blobs: Sequence[Artifact]) -> Sent | None:
        """Have a board fetch blobs from its site's relay; None: they have to come from here.

        Why it does not fetch them, where it should, is said in the progress. Raises AgentError for
        what is wrong with the board itself, Unreachable, DeadlineError.
        """
        board = agent.board
        relay = self._relays.get(board.site)
        if relay is None or relay.name == board.name or not blobs:
            return None
        url = self._urls.get(board.site, lambda: self._open(relay))
        if url is None or self._failed[board.site] >= _MAX_FAILED:
            return None
        size_bytes = sum(item.size_bytes for item in blobs)
        deadline_s = agent.left(_FETCH_START_S + size_bytes / _SLOWEST_BYTES_PER_S)
        request: dict[str, Json] = {
            "url": url,
            "blobs": [{"sha256": one.sha256, "size_bytes": one.size_bytes} for one in blobs],
            "deadline_s": deadline_s,
        }
        try:
            fetched = agent.ask("fetch", request, deadline_s + _STAGE_DEADLINE_S)
        except AgentError as error:
            if error.code not in {"RELAY_FAILED", "HASH_MISMATCH", "BAD_REQUEST"}:
                raise
            self._failed[board.site] += 1
            self._say(board, relay, error)
            return None
        self._failed[board.site] = 0
        came = fetched.get("fetched_bytes")
        return Sent(site_bytes=came if isinstance(came, int) else 0, blob_bytes=size_bytes)

    def _open(self, relay: Board) -> str | None:
        """Bring all blobs to a relay and have it hand them out; None where it does not."""
        lock = self._visits[relay.name]
        if not lock.acquire(timeout=PATIENCE_S):
            self._progress.event(relay.name, f"as a relay it is busy for {PATIENCE_S:g} s")
            return None
        with ExitStack() as session:
            try:
                agent = session.enter_context(self._open_agent(relay))
                self.sent[relay.name] = self._fill(agent)
                request: dict[str, Json] = {
                    "blobs": [item.sha256 for item in self._cargo.blobs],
                    "address": relay.host,
                    "deadline_s": SESSION_S,
                }
                served = session.enter_context(agent.hold("serve", request))
                url = _url(relay.host, served)
            except (BoardError, DeadlineError) as error:
                self._say(relay, relay, error)
                return None
            finally:
                lock.release()
            self._sessions.push(session.pop_all())
        sent = self.sent[relay.name]
        count = len(self._cargo.blobs)
        words = f"hands {count} blobs on in its site, {sent.uplink_bytes:,} bytes were sent to it"
        self._progress.event(relay.name, words)
        return url

    def _fill(self, agent: Agent) -> Sent:
        wanted = [item.sha256 for item in self._cargo.blobs]
        probe = look(agent, wanted)
        if set(wanted) <= set(probe.blobs):
            return Sent()
        with leased(agent, self._owner, wanted) as held:
            self._tokens[agent.board.name] = held.token or 0
            plan = self._plan(held, agent.board, held.encodings)
            return deliver(
                agent,
                plan,
                self._encoder,
                lambda unpack: agent.ask(
                    "stage", {**self._cargo.stage, "unpack": unpack}, _STAGE_DEADLINE_S
                ),
                lambda: self._plan(look(agent, wanted), agent.board, ()),
            )[1]

    def _plan(self, probe: Probe, board: Board, encodings: Sequence[str]) -> tuple[Shipment, ...]:
        return plan_transfer(
            self._cargo.blobs,
            {**probe.have, **probe.blobs},
            probe.parts,
            encodings,
            self._encoder,
            board.limit_bytes_per_s,
        )

    def _say(self, board: Board, relay: Board, error: Exception) -> None:
        who = "as a relay it failed" if board is relay else f"nothing came from relay {relay.name}"
        self._progress.event(board.name, f"{who}: {error}; the blobs come over the uplink")


def _url(host: str, served: Mapping[str, Json]) -> str:
    """Give where the blobs are. What a board says is never trusted to be more than a word."""
    port, secret = served.get("port"), served.get("secret")
    if not isinstance(port, int) or not isinstance(secret, str) or not secret.isprintable():
        raise AgentError(f"{host}: as a relay it told no port and no secret", "", "INTERNAL")
    literal = f"[{host}]" if ":" in host else host
    return f"http://{literal}:{port}/{secret}"
