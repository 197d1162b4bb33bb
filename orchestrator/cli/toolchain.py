"""`orch toolchain list`, `load` and `check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import InventoryOption, JsonOption
from orchestrator.domain import LEVELS, Json, ToolchainIdentity
from orchestrator.hashing import as_json

if TYPE_CHECKING:
    from orchestrator.domain import ToolchainSpec
    from orchestrator.seams import Progress, Toolchain
    from orchestrator.toolchains import Checked, Listed, Loaded
    from orchestrator.wiring import Workplace

app = typer.Typer(help="What runs `pulsar2`.", no_args_is_help=True)
_DIGEST_LENGTH = 12
_EMPTY = "-"


@app.command("list")
def list_all(inventory: InventoryOption = None, json: JsonOption = False) -> None:
    """List the inventory's toolchains, `sim`, and the engine's other images of Pulsar2."""
    from orchestrator.cli.console import out, print_json, print_table
    from orchestrator.known_images import KnownImages
    from orchestrator.toolchains import list_toolchains
    from orchestrator.wiring import make_toolchain, open_workplace

    place = open_workplace(inventory)

    def make(spec: ToolchainSpec) -> Toolchain:
        return make_toolchain(spec, place.home)

    specs = place.inventory.toolchains.values()
    listed = list_toolchains(specs, KnownImages(place.home), make)
    if json:
        print_json({"toolchains": [_listed_json(one) for one in listed]})
        return
    header = ["name", "kind", "image", "digest", "version", "commit", "simulated", "isolation"]
    rows = [_listed_row(one) for one in listed]
    if any(one.problem for one in listed):
        header.append("problem")
        rows = [[*row, one.problem or _EMPTY] for row, one in zip(rows, listed, strict=True)]
    print_table("", header, rows, console=out())


@app.command("load")
def load(
    tarball: Annotated[Path, typer.Argument(help="The vendor's image, as it was downloaded.")],
    inventory: InventoryOption = None,
    json: JsonOption = False,
) -> None:
    """Load a tarball of images into the Docker engine; print what the inventory needs."""
    from orchestrator.cli.console import out, print_json, print_table, progress
    from orchestrator.errors import ToolchainError
    from orchestrator.known_images import KnownImages
    from orchestrator.toolchains import load_images
    from orchestrator.wiring import open_workplace

    place = open_workplace(inventory)
    with progress() as shown:
        loaded = load_images(tarball, KnownImages(place.home), shown)
    usable = [one for one in loaded if one.identity is not None]
    if json:
        print_json({"loaded": [_loaded_json(one) for one in loaded]})
    else:
        header = ("image", "digest", "version", "commit", "simulated", "problem")
        rows = [_loaded_row(one) for one in loaded]
        print_table("", header, rows, console=out())
        if usable:
            out().print(f"\nfor {place.inventory.path}:\n{_snippet(usable)}", markup=False)
    if not usable:
        raise ToolchainError(f"{tarball}: none of its images has pulsar2")


@app.command("check")
def check(
    name: Annotated[
        str | None, typer.Argument(help="Toolchain from the inventory, or sim; default: all.")
    ] = None,
    inventory: InventoryOption = None,
    json: JsonOption = False,
) -> None:
    """Build a tiny model; for an image, find the strictest isolation that works and use it."""
    from orchestrator.cli.console import print_json, progress
    from orchestrator.errors import OrchError
    from orchestrator.locks import present
    from orchestrator.wiring import open_workplace

    place = open_workplace(inventory)
    names = [name] if name else [one for one in place.inventory.toolchains if one != "sim"]
    specs = [place.inventory.toolchain(one) for one in names or ["sim"]]
    answers, failed = list[Json](), False
    for spec in specs:
        try:
            with progress() as shown, present(place.home / "work"):
                checked = _check(spec, place, shown)
        except OrchError as error:
            if name:
                raise
            failed = True
            answers.append({"name": spec.name, "passed": False, "problem": error.message})
            _say_problem(spec.name, error, json=json)
            continue
        failed = failed or not checked.passed
        answers.append(_checked_json(spec.name, checked))
        if not json:
            _print_checked(spec, checked)
    if json:
        print_json({"toolchains": answers})
    raise typer.Exit(1 if failed else 0)


def _check(spec: ToolchainSpec, place: Workplace, shown: Progress) -> Checked:
    from orchestrator.known_images import KnownImages
    from orchestrator.toolchains import check_toolchain
    from orchestrator.wiring import limit_builds, make_toolchain

    def in_turn(toolchain: Toolchain) -> Toolchain:
        return limit_builds(toolchain, spec, shown)

    toolchain, known = make_toolchain(spec, place.home), KnownImages(place.home)
    return check_toolchain(spec, toolchain, place.home, known, shown, in_turn)


def _print_checked(spec: ToolchainSpec, checked: Checked) -> None:
    """Print level → how it went, then the facts, then one sentence."""
    from orchestrator.cli.console import out, print_facts, print_table

    console, identity = out(), checked.identity
    tried = {trial.level: trial for trial in checked.levels}
    names = [level.name for level in LEVELS] if spec.kind == "docker" else list(tried)
    rows = []
    for level in names:
        trial = tried.get(level)
        how = "not tried" if trial is None else trial.reason or "passed"
        rows.append((level, how, f"{trial.seconds:.1f}" if trial else _EMPTY))
    title = f"{spec.name}: pulsar2 {identity.version}, {identity.commit}{_simulated(identity)}"
    print_table(title, ("isolation", "tiny build", "seconds"), rows, console=console)
    facts = [(f"{_mark(fact.fits)} {fact.name}", fact.value) for fact in checked.facts]
    print_facts(facts, console=console)
    if checked.isolation is not None:
        console.print(f"{spec.name} runs under isolation {checked.isolation.name} from now on")
    elif not checked.passed:
        console.print(f"{spec.name} has compiled nothing")


def _say_problem(name: str, error: Exception, *, json: bool) -> None:
    from orchestrator.cli.console import err, out

    (err() if json else out()).print(f"{name}: {error}", markup=False, soft_wrap=True)


def _mark(fits: bool | None) -> str:
    return {True: "ok", False: "!!", None: "  "}[fits]


def _simulated(identity: ToolchainIdentity) -> str:
    return ", simulated" if identity.simulated else ""


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:_DIGEST_LENGTH] or _EMPTY


def _identity_cells(identity: ToolchainIdentity | None) -> list[str]:
    if identity is None:
        return [_EMPTY] * 3
    return [identity.version, identity.commit, "yes" if identity.simulated else "no"]


def _listed_row(one: Listed) -> list[str]:
    unchecked = "not checked" if one.kind == "docker" else _EMPTY
    return [
        one.name or _EMPTY,
        one.kind,
        one.image or _EMPTY,
        _short(one.digest),
        *_identity_cells(one.identity),
        one.isolation.name if one.isolation else unchecked,
    ]


def _loaded_row(one: Loaded) -> list[str]:
    cells = _identity_cells(one.identity)
    return [one.image.image, _short(one.image.digest), *cells, one.problem or _EMPTY]


def _snippet(loaded: list[Loaded]) -> str:
    """Give the lines to paste into the inventory."""
    lines = ["toolchains:"]
    for one in loaded:
        lines += [f"  {one.name}:", "    kind: docker", f"    image: {one.image.image}"]
    return "\n".join(lines)


def _identity_json(identity: ToolchainIdentity | None) -> dict[str, Json]:
    if identity is None:
        return {"version": None, "commit": None, "simulated": None}
    return {
        "version": identity.version,
        "commit": identity.commit,
        "simulated": identity.simulated,
    }


def _listed_json(one: Listed) -> Json:
    return {
        "name": one.name or None,
        "kind": one.kind,
        "image": one.image or None,
        "digest": one.digest or None,
        **_identity_json(one.identity),
        "isolation": one.isolation.name if one.isolation else None,
        "problem": one.problem or None,
    }


def _loaded_json(one: Loaded) -> Json:
    return {
        "name": one.name,
        "image": one.image.image,
        "digest": one.image.digest,
        **_identity_json(one.identity),
        "problem": one.problem or None,
    }


def _checked_json(name: str, checked: Checked) -> Json:
    return {
        "name": name,
        "passed": checked.passed,
        "digest": checked.identity.digest,
        **_identity_json(checked.identity),
        "isolation": checked.isolation.name if checked.isolation else None,
        "levels": [
            {
                "level": trial.level,
                "passed": trial.passed,
                "reason": trial.reason or None,
                "seconds": round(trial.seconds, 3),
            }
            for trial in checked.levels
        ],
        "facts": as_json(checked.facts),
    }
