"""`orch recipe`: recipes of one's own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from orchestrator.cli.options import CalibrationOption, ImagesOption, JsonOption

if TYPE_CHECKING:
    from orchestrator.domain import Json
    from orchestrator.recipe_draft import Draft

app = typer.Typer(help="Recipes of your own.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Recipes of your own."""


_Task = Literal[
    "semantic-segmentation", "image-classification", "depth-estimation", "image-feature-extraction"
]


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="The recipe's name, or the .yaml file to write.")],
    checkpoint: Annotated[
        str, typer.Option("--checkpoint", help="A checkpoint folder, or a model's id on the hub.")
    ],
    revision: Annotated[
        str | None, typer.Option("--revision", help="Commit, tag or branch on the hub.")
    ] = None,
    task: Annotated[
        _Task | None, typer.Option("--task", help="What it is for; default: its config's.")
    ] = None,
    size: Annotated[
        str | None,
        typer.Option("--size", metavar="HxW", help="The input's size; default: its processor's."),
    ] = None,
    calibration: CalibrationOption = None,
    images: ImagesOption = None,
    json: JsonOption = False,
) -> None:
    """Write a recipe that builds a checkpoint, from the files that lie beside its weights."""
    from orchestrator.checkpoint_files import read_checkpoint_files
    from orchestrator.recipe_draft import Wish, draft

    path = _path(name)
    files = read_checkpoint_files(checkpoint, revision)
    wish = Wish(
        path.stem,
        files.source,
        files.revision,
        task,
        _size(size),
        _whole(calibration),
        _whole(images),
    )
    made = draft(wish, files.config, files.processor)
    _write(path, made)
    _print(path, made, json=json)


def _path(name: str) -> Path:
    """Give the file to write. Raises ConfigError: there is one already."""
    from orchestrator.errors import ConfigError

    path = Path(name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    if path.exists():
        raise ConfigError(f"{path}: is there already", "take another name, or remove it")
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {path.parent}", "make it first")
    return path


def _size(text: str | None) -> tuple[int, int] | None:
    from orchestrator.errors import ConfigError

    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,5})[xX\u00d7](\d{1,5})", text)
    if found is None or "0" in {found[1].lstrip("0") or "0", found[2].lstrip("0") or "0"}:
        raise ConfigError(f"--size {text}: is no size", "height first: --size 512x1024")
    return int(found[1]), int(found[2])


def _whole(folder: Path | None) -> str | None:
    """Give a folder's whole path: the recipe may lie elsewhere."""
    return None if folder is None else str(folder.resolve())


def _write(path: Path, made: Draft) -> None:
    """Write the file, and read it back: a recipe that orch refuses is not left behind."""
    from orchestrator.errors import ConfigError
    from orchestrator.recipe import load_recipe

    try:
        path.write_text(made.text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        load_recipe(str(path) if path.is_absolute() else f"./{path}")
    except ConfigError:
        path.unlink()
        raise


def _print(path: Path, made: Draft, *, json: bool) -> None:
    from orchestrator.cli.console import err, print_json

    if json:
        notes: list[Json] = list(made.notes)
        print_json({"path": str(path), "recipe": path.stem, "task": made.task, "notes": notes})
        return
    for note in made.notes:
        err().print(f"note: {note}", markup=False, highlight=False)
    typer.echo(path)
