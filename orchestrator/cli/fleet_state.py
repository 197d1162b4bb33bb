"""`orch fleet status|readmit|locks|unlock`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.answers import print_answers
from orchestrator.cli.errands import choose, look_at, run_on
from orchestrator.cli.options import (
    ExcludeOption,
    FleetOption,
    InventoryOption,
    JsonOption,
    LimitOption,
    couriers,
    open_ledger,
)

if TYPE_CHECKING:
    from orchestrator.agent import Agent
    from orchestrator.boards.remembering import FleetNotes
    from orchestrator.boards.status import BoardStatus
    from orchestrator.domain import Board, Fleet
    from orchestrator.fleet.errands import Courier
    from orchestrator.fleet.unlocking import Lock
    from orchestrator.replies import Holder
    from orchestrator.wiring import Workplace

BoardArgument = Annotated[str, typer.Argument(help="Board from the inventory.")]
_STATUS = ("board", "state", "current release", "previous release", "seen", "last run")
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

    place, asked = choose(fleet, limit, exclude, inventory)
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
        for line in filter(None, map(_trouble, found)):
            out().print(line, markup=False, soft_wrap=True)
        out().print(_in_one_sentence(found), markup=False, soft_wrap=True)
    raise typer.Exit(1 if failed else 0)


def readmit(
    board: BoardArgument, inventory: InventoryOption = None, json: JsonOption = False
) -> None:
    """Take a board out of quarantine: the next run visits it."""
    from orchestrator.boards.remembering import open_notes
    from orchestrator.cli.console import print_json
    from orchestrator.clock import now
    from orchestrator.domain import Health
    from orchestrator.wiring import open_workplace

    place = open_workplace(inventory)
    name = place.inventory.board(board).name
    with open_ledger(place) as ledger:
        notes = open_notes(ledger)
        before = notes.healths.get(name, Health(name))
        if before.failures:
            notes.readmit(name, now())
    if json:
        out, failures = before.quarantined_since, before.failures
        print_json({"board": name, "quarantined_since": out, "failures": failures})
    elif before.failures == 0:
        typer.echo(f"{name}: it is in its fleet, with no failures")
    elif before.quarantined_since is None:
        typer.echo(f"{name}: it is in its fleet; its failures are forgotten: {before.failures}")
    else:
        was = f"in quarantine since {before.quarantined_since}, after {before.failures} failures"
        typer.echo(f"{name}: back in its fleet; it was {was}")


def locks(
    fleet: FleetOption,
    limit: LimitOption = None,
    exclude: ExcludeOption = None,
    inventory: InventoryOption = None,
    json: JsonOption = False,
) -> None:
    """Ask every board who holds it."""
    from orchestrator.fleet.unlocking import look_at_lock

    place, asked = choose(fleet, limit, exclude, inventory)
    answers = run_on(place, asked, look_at_lock, str, guest=True)
    print_answers(f"Fleet {fleet}", _LOCKS, answers, _lock_cells, json=json)


def unlock(
    board: BoardArgument,
    inventory: InventoryOption = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask; only when its holder is gone for good.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Break the lease of a board, whoever holds it; what its holder still asks is refused."""
    from functools import partial

    from orchestrator.cli.console import print_json, progress
    from orchestrator.domain import Caps, Fleet
    from orchestrator.fleet.unlocking import break_lock, look_at_lock
    from orchestrator.hashing import as_json
    from orchestrator.wiring import open_workplace

    place = open_workplace(inventory)
    alone = Fleet(board, (place.inventory.board(board),), None, "", Caps(1))
    with progress() as shown, couriers(place, alone, shown, guest=True) as (courier, boards):
        holder = _ask(boards, courier, look_at_lock).holder
        freed = holder is not None and _may_break(board, holder, yes=yes, aside=json)
        if holder is not None and freed:
            _ask(boards, courier, partial(break_lock, holder=holder))
    if json:
        print_json({"board": board, "freed": freed, "holder": as_json(holder)})
    elif holder is None:
        typer.echo(f"{board}: nobody holds it")
    elif freed:
        typer.echo(f"{board}: free; it was held by {holder.owner}, whose requests are refused now")
    raise typer.Exit(0 if freed or holder is None else 1)


def _may_break(board: str, holder: Holder, *, yes: bool, aside: bool) -> bool:
    """Say who holds a board and ask; all of it goes `aside`, to stderr, where stdout is JSON."""
    typer.echo(f"{board}: held by {holder} (token {holder.token})", err=aside)
    if holder.foreign:
        typer.echo("that is not orch's lease: end it with the program that has it", err=aside)
        return False
    if yes or typer.confirm("break it?", default=False, err=aside):
        return True
    typer.echo("left as it is", err=aside)
    return False


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
    from orchestrator.clock import now

    answers = look_at(place, fleet)
    for one in answers:
        if one.value is None:
            notes.note_failure(one.board, one.error_code, one.error, now())
        else:
            notes.note_look(one.board, one.value, now())
    return any(one.error for one in answers)


def _status_row(one: BoardStatus) -> tuple[str, ...]:
    run = one.last_run
    ended = "" if run is None or not run.error_code else f" ({run.error_code})"
    none = "none" if one.seen_at else "-"
    times = f" ({one.failures} in a row)" if one.failures else ""
    return (
        one.board,
        one.state + times,
        one.current or none,
        one.previous or none,
        one.seen_at or "-",
        f"{run.run_id}{ended}" if run else "-",
    )


def _trouble(one: BoardStatus) -> str:
    """Say what is the matter with a board, since when, and when it is tried again."""
    if not one.why:
        return ""
    since = f" {one.state} since {one.since}" if one.since else ""
    again = f"; tried again after {one.next_probe_at}" if one.next_probe_at else ""
    return f"{one.board}{since}: {one.why}{again}"


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
