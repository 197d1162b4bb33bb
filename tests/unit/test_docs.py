"""The reference names everything there is, and every link leads somewhere."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from board_agent import protocol
from orchestrator.cli.main import app
from orchestrator.domain import Json
from orchestrator.inventory import inventory_schema
from orchestrator.pulsar2.catalogue import catalogue
from orchestrator.recipe import recipe_schema

Command = TyperCommand | TyperGroup
ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
#: Typer's own; they are the same in every program.
_EVERYWHERE = {"--help", "--install-completion", "--show-completion"}


def commands(command: object, name: str) -> Iterator[tuple[str, Command]]:
    """A command and all below it, by how they are called."""
    if isinstance(command, TyperGroup):
        for child, found in command.commands.items():
            yield from commands(found, f"{name} {child}")
    if isinstance(command, TyperCommand | TyperGroup):
        yield name, command


COMMANDS = dict(commands(typer.main.get_command(app), "orch"))


def sections(page: Path) -> dict[str, str]:
    """The text under each heading of a page, without the headings below it."""
    parts = re.split(r"^#+ +(.+)$", page.read_text(), flags=re.MULTILINE)
    return {
        heading.replace("`", "").strip(): text
        for heading, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in sections(page))
    return {heading.replace(" ", "-") for heading in plain}


def spelled(parameter: object) -> set[str]:
    """How a parameter is written on the command line; options in their long form."""
    if isinstance(parameter, TyperArgument):
        return {(parameter.metavar or str(parameter.name)).upper()}
    assert isinstance(parameter, TyperOption)
    options = {*parameter.opts, *parameter.secondary_opts}
    return {option for option in options if option.startswith("--")} - _EVERYWHERE


def keys(schema: Json) -> Iterator[str]:
    """Every property name of a JSON Schema, at any depth."""
    for value in schema.values() if isinstance(schema, Mapping) else ():
        yield from keys(value)
    found = schema.get("properties") if isinstance(schema, Mapping) else None
    if isinstance(found, Mapping):
        yield from found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_section_with_every_option(name: str) -> None:
    text = sections(REFERENCE / "cli.md")[name]
    wanted = set[str]().union(*(spelled(parameter) for parameter in COMMANDS[name].params))
    missing = [word for word in wanted if not re.search(rf"`[^`\n]*{word}\b[^`\n]*`", text)]
    assert missing == []


def test_the_reference_names_no_command_that_is_not_there() -> None:
    named = {name for name in sections(REFERENCE / "cli.md") if name.startswith("orch ")}
    assert named - COMMANDS.keys() == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_section_names_no_option_that_its_command_has_not(name: str) -> None:
    text = sections(REFERENCE / "cli.md")[name]
    rows = [line for line in text.splitlines() if line.startswith("| `-")]
    named = {option for row in rows for option in re.findall(r"--[a-z0-9-]+", row.split("|")[1])}
    there = set[str]().union(*(spelled(one) for one in COMMANDS[name].params))
    assert named - there - _EVERYWHERE == set()


@pytest.mark.parametrize(
    ("page", "schema"), [("recipe.md", recipe_schema()), ("inventory.md", inventory_schema())]
)
def test_every_key_of_a_file_is_in_its_reference(page: str, schema: dict[str, Json]) -> None:
    text = (REFERENCE / page).read_text()
    missing = [key for key in sorted(set(keys(schema))) if f"`{key}`" not in text]
    assert missing == []


@pytest.mark.parametrize("code", protocol.ERRORS)
def test_every_error_code_of_the_agent_is_explained(code: str) -> None:
    assert f"| `{code}` |" in (REFERENCE / "errors.md").read_text()


@pytest.mark.parametrize("code", sorted({rule.code for rule in catalogue().rules}))
def test_every_code_of_a_failed_build_is_listed(code: str) -> None:
    assert f"| `{code}` |" in (REFERENCE / "errors.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_relative_link_resolves(page: Path) -> None:
    broken = []
    for link in _LINK.findall(_FENCE.sub("", page.read_text())):
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        if re.match(r"[a-z]+:", link):
            continue
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(link)
    assert broken == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md" or not page.is_file():
            continue
        reached.add(page)
        links = (link.partition("#")[0] for link in _LINK.findall(page.read_text()))
        waiting += [(page.parent / link).resolve() for link in links if ":" not in link]
    assert [str(page.relative_to(ROOT)) for page in PAGES if page not in reached] == []


def test_the_floors_in_the_architecture_are_those_that_are_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (floors,) = (one["layers"] for one in contracts["contracts"] if one["type"] == "layers")
    text = (DOCS / "explanation" / "architecture.md").read_text()
    assert "```text\n" + "\n".join(floors) + "\n```" in text
