"""`orch fleet import`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import JsonOption


def import_fleet(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Ansible inventory, INI or YAML.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write there, to a new file; default: stdout."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Make an inventory of an Ansible inventory; name all that is not taken."""
    from orchestrator.ansible_inventory import import_ansible
    from orchestrator.cli.console import err, print_json
    from orchestrator.errors import ConfigError

    made = import_ansible(file)
    if output is not None:
        try:
            with output.open("x", encoding="utf-8") as stream:
                stream.write(made.text)
        except FileExistsError:
            hint = "name another file, or delete it"
            raise ConfigError(f"{output}: is there already, nothing was written", hint) from None
        except OSError as error:
            raise ConfigError(f"{output}: cannot be written: {error.strerror}") from error
    if json:
        print_json(
            {
                "boards": list(made.boards),
                "fleets": list(made.fleets),
                "notes": list(made.notes),
                "inventory": made.text,
            }
        )
    elif output is None:
        sys.stdout.write(made.text)
    console = err()
    for note in made.notes:
        console.print(note, markup=False, soft_wrap=True)
    count = f"{len(made.boards)} boards, {len(made.fleets)} fleets, {len(made.notes)} notes"
    console.print(f"{file}: {count}", markup=False, soft_wrap=True)
