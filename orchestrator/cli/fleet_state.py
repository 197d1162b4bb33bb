"""`orch fleet status|readmit|locks|unlock`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.answers import print_answers
from orchestrator.cli.options import (
    ExcludeOption,
    FleetOption,
    InventoryOption,
    JsonOption,
    LimitOption,
    couriers,
    open_ledger,
    select_boards,
)

if TYPE_CHECKING:
    from orchestrator.agent import Agent
    from orchestrator.boards.remembering import FleetNotes
    from orchestrator.boards.status import BoardStatus
    from orchestrator.domain import Board, Fleet
    from orchestrator.fleet.errands import Courier
    from orchestrator.fleet.unlocking import Lock
    from orchestrator.wiring import Workplace

BoardArgument = Annotated[str, typer.Argument(help="Board from the inventory.")]
_STATUS = (
    "board",
    "state",
    "since",
    "why",
    "next probe",
    "current release",
    "previous release",
    "seen",
    "last run",
)
_LOCKS = ("held by", "token", "heard of", "lease left", "kind")


def status(
    fleet: FleetOption,
    limit: LimitOption = None,
    exclude: ExcludeOption = None,
    inventory: InventoryOption = None,
    probe: Annotated[
        bool, typer.Option("--probe", help="Ask every board now, those in quarantine as well.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Say which boards are well, which are in quarantine since when and why, and what they have."""
    from orchestrator.boards.remembering import open_notes
    from orchestrator.boards.status import statuses
    from orchestrator.cli.console import out, print_json, print_table
    from orchestrator.hashing import as_json
    from orchestrator.wiring import open_workplace

    place = open_workplace(inventory)
    asked = select_boards(place, fleet, limit, exclude)
    failed = False
    with open_ledger(place, keep=probe) as ledger:
        notes = open_notes(ledger).of(asked)
        if probe:
            failed = _probe(place, asked, notes)
        last_runs = ledger.last_runs([board.name for board in asked.boards])
        found = statuses(asked.boards, notes.healths, notes.sightings, last_runs)
    if json:
        print_json(as_json(found))
    else:
        print_table(f"Fleet {fleet}", _STATUS, [_status_row(one) for one in found], console=out())
        out().print(_in_one_sentence(found), markup=False, soft_wrap=True)
    raise typer.Exit(1 if failed else 0)


def readmit(board: BoardArgument, inventory: InventoryOption = None) -> None:
    """Take a board out of quarantine: the next run visits it."""
    from orchestrator.boards.remembering import open_notes
    from orchestrator.clock import now
    from orchestrator.wiring import open_workplace

    place = open_workplace(inventory)
    name = place.inventory.board(board).name
    with open_ledger(place) as ledger:
        notes = open_notes(ledger)
        before = notes.healths.get(name)
        if before is None or before.failures == 0:
            typer.echo(f"{name}: it is in its fleet, with no failures")
            return
        notes.readmit(name, now())
    was = f"in quarantine since {before.quarantined_since}" if before.quarantined_since else "in it"
    typer.echo(f"{name}: back in its fleet; it was {was}, after {before.failures} failures")


def locks(
    fleet: FleetOption,
    limit: LimitOption = None,
    exclude: ExcludeOption = None,
    inventory: InventoryOption = None,
    json: JsonOption = False,
) -> None:
    """Ask every board who holds it."""
    from orchestrator.cli.console import progress
    from orchestrator.fleet.errands import run_errands
    from orchestrator.fleet.unlocking import look_at_lock
    from orchestrator.wiring import open_workplace

    place = open_workplace(inventory)
    asked = select_boards(place, fleet, limit, exclude)
    with progress() as shown, couriers(place, asked, shown, guest=True) as (courier, boards):
        answers = run_errands(boards, asked.caps, courier, look_at_lock, str)
    print_answers(f"Fleet {fleet}", _LOCKS, answers, _lock_cells, json=json)


def unlock(
    board: BoardArgument,
    inventory: InventoryOption = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask; only when its holder is gone for good.")
    ] = False,
) -> None:
    """Break the lease of a board, whoever holds it; what its holder still asks is refused."""
    from functools import partial

    from orchestrator.cli.console import progress
    from orchestrator.domain import Caps, Fleet
    from orchestrator.fleet.unlocking import break_lock, look_at_lock
    from orchestrator.wiring import open_workplace

    place = open_workplace(inventory)
    alone = Fleet(board, (place.inventory.board(board),), None, "", Caps(1))
    with progress() as shown, couriers(place, alone, shown, guest=True) as (courier, boards):
        holder = _ask(boards, courier, look_at_lock).holder
        if holder is None:
            typer.echo(f"{board}: nobody holds it")
            return
        typer.echo(f"{board}: held by {holder} (token {holder.token})")
        if holder.foreign:
            typer.echo("that is not orch's lease: end it with the program that has it")
            raise typer.Exit(1)
        if not yes and not typer.confirm("break it?", default=False):
            typer.echo("left as it is")
            raise typer.Exit(1)
        _ask(boards, courier, partial(break_lock, holder=holder))
    typer.echo(f"{board}: free; it was held by {holder.owner}, whose requests are refused now")


def _ask(boards: Sequence[Board], courier: Courier, errand: Callable[[Agent], Lock]) -> Lock:
    """Do an errand on the one board. Raises AgentError where it fails."""
    from orchestrator.domain import Caps
    from orchestrator.errors import AgentError
    from orchestrator.fleet.errands import run_errands

    (answer,) = run_errands(boards, Caps(1), courier, errand, str)
    if answer.value is None:
        raise AgentError(answer.error, answer.hint, answer.error_code)
    return answer.value


def _probe(place: Workplace, fleet: Fleet, notes: FleetNotes) -> bool:
    """Ask every board and keep what came of it; say whether any failed."""
    from orchestrator.cli.console import progress
    from orchestrator.clock import now
    from orchestrator.fleet.looking import look_at

    with progress() as shown, couriers(place, fleet, shown, guest=True) as (courier, boards):
        answers = look_at(boards, fleet.caps, courier)
    for one in answers:
        if one.value is None:
            notes.note_failure(one.board, one.error_code, one.error, now())
        else:
            notes.note_look(one.board, one.value, now())
    return any(one.error for one in answers)


def _status_row(one: BoardStatus) -> tuple[str, ...]:
    run = one.last_run
    ended = "" if run is None or not run.error_code else f" ({run.error_code})"
    times = f" ({one.failures} in a row)" if one.failures else ""
    return (
        one.board,
        one.state + times,
        one.since or "-",
        one.why or "-",
        one.next_probe_at or "-",
        one.current or "-",
        one.previous or "-",
        one.seen_at or "-",
        f"{run.run_id}{ended}" if run else "-",
    )


def _in_one_sentence(found: Sequence[BoardStatus]) -> str:
    states = [one.state for one in found]
    out = states.count("quarantined")
    rest = [f"{states.count(name)} {name}" for name in ("failing", "new") if name in states]
    ok = f"{states.count('ok')} of {len(found)} boards are well, {out} in quarantine"
    return ", ".join((ok, *rest))


def _lock_cells(lock: Lock) -> tuple[str, ...]:
    holder = lock.holder
    if holder is None:
        return ("nobody", "-", "-", "-", "-")
    left = max(holder.ttl_s - holder.age_s, 0.0)
    kind = "foreign" if holder.foreign else "orch"
    heard = f"{holder.age_s:.0f} s ago"
    return (holder.owner, str(holder.token), heard, f"{left:.0f} s", kind)
