"""`orch fleet list`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli.options import ExcludeOption, InventoryOption, JsonOption, LimitOption

if TYPE_CHECKING:
    from orchestrator.domain import Json


def list_boards(
    limit: LimitOption = None,
    exclude: ExcludeOption = None,
    inventory: InventoryOption = None,
    json: JsonOption = False,
) -> None:
    """List fleets and boards; ask no board."""
    from orchestrator.cli.console import out, print_json, print_table
    from orchestrator.hashing import as_json
    from orchestrator.inventory import find_inventory, load_inventory
    from orchestrator.selection import choose

    known = load_inventory(find_inventory(inventory))
    boards = choose(tuple(known.boards.values()), limit, exclude)
    chosen = {board.name for board in boards}
    fleets: dict[str, list[str]] = {
        name: [one.name for one in fleet.boards if one.name in chosen]
        for name, fleet in known.fleets.items()
    }
    if json:
        listed: dict[str, Json] = {board.name: as_json(board) for board in boards}
        print_json({"boards": listed, "fleets": as_json(fleets)})
        return
    member_of: dict[str, list[str]] = {name: [] for name in chosen}
    for fleet, names in fleets.items():
        for name in names:
            member_of[name].append(fleet)
    rows = [
        (
            board.name,
            board.address,
            board.site,
            " ".join(board.tags),
            " ".join(member_of[board.name]),
        )
        for board in boards
    ]
    print_table("", ("board", "address", "site", "tags", "fleets"), rows, console=out())
