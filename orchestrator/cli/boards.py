"""`orch fleet list|check|facts`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from orchestrator.cli.answers import plain
from orchestrator.cli.errands import choose, look_at
from orchestrator.cli.fleet_import import import_fleet
from orchestrator.cli.fleet_list import list_boards
from orchestrator.cli.options import (
    ExcludeOption,
    FleetOption,
    InventoryOption,
    JsonOption,
    LimitOption,
)
from orchestrator.cli.trust import trust

if TYPE_CHECKING:
    from orchestrator.fleet.errands import Answer
    from orchestrator.replies import Probe

app = typer.Typer(help="The boards of the inventory.", no_args_is_help=True, rich_markup_mode=None)
app.command("list")(list_boards)
app.command("import")(import_fleet)
app.command("trust")(trust)

#: What `check` shows of the facts: header, key.
_CHECKED = (
    ("chip", "chip_type"),
    ("SDK", "sdk_version"),
    ("Python", "python"),
    ("axengine", "axengine_build"),
    ("VNPU", "vnpu"),
    ("°C", "temperature_c"),
)
#: How much of the hash of an axengine is shown that is no known release.
_HASH_DIGITS = 12


@app.command()
def check(
    fleet: FleetOption,
    limit: LimitOption = None,
    exclude: ExcludeOption = None,
    inventory: InventoryOption = None,
    json: JsonOption = False,
) -> None:
    """Connect to every board and say whether it can do its work."""
    from orchestrator.cli.console import out, print_json, print_table

    looked = look_at(*choose(fleet, limit, exclude, inventory))
    if json:
        print_json([plain(one) for one in looked])
    else:
        header = ("board", "state", *(name for name, _ in _CHECKED), "current release", "problem")
        rows = [
            (
                one.board,
                f"failed: {one.error_code}" if one.error else "ok",
                *(_cell(one, key) for _, key in _CHECKED),
                (one.value and one.value.current) or "-",
                f"{one.error} ({one.hint})" if one.error else "",
            )
            for one in looked
        ]
        print_table(f"Fleet {fleet}", header, rows, console=out())
    raise typer.Exit(1 if any(one.error for one in looked) else 0)


@app.command()
def facts(
    fleet: FleetOption,
    limit: LimitOption = None,
    exclude: ExcludeOption = None,
    inventory: InventoryOption = None,
    json: JsonOption = False,
) -> None:
    """Print everything the boards say of themselves."""
    from orchestrator.cli.console import out, print_json, print_table

    looked = look_at(*choose(fleet, limit, exclude, inventory))
    if json:
        print_json([plain(one) for one in looked])
    else:
        names = sorted({name for one in looked if one.value for name in one.value.facts})
        rows = [(name, *(_cell(one, name) for one in looked)) for name in names]
        print_table(
            f"Facts of fleet {fleet}", ("fact", *(o.board for o in looked)), rows, console=out()
        )
        for one in looked:
            if one.error:
                out().print(f"failed  {one.error} ({one.hint})", markup=False, soft_wrap=True)
    raise typer.Exit(1 if any(one.error for one in looked) else 0)


def _cell(one: Answer[Probe], key: str) -> str:
    facts = one.value.facts if one.value else {}
    value = facts.get(key)
    if key == "axengine_build" and value is None and facts.get("axengine_sha256"):
        return f"unknown ({str(facts['axengine_sha256'])[:_HASH_DIGITS]})"
    return "-" if value is None else str(value)
