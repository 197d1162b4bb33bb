from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import ConfigError
from orchestrator.inventory import inventory_schema, load_inventory

SHIPPED = Path(__file__).parents[3] / "inventory.yaml"
GOOD = """\
defaults: {user: pi, port: 2222, work_dir: ~/work}
boards:
  a: {host: 192.0.2.1}
  b: {host: 192.0.2.1, port: 22, user: root, host_key: ssh-ed25519 AAAA}
  s: {simulated: true}
fleets:
  all:
    boards: [a, b, s]
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "inventory.yaml"
    path.write_text(text)
    return path


def test_the_shipped_example_loads() -> None:
    inventory = load_inventory(SHIPPED)

    assert set(inventory.fleets) >= {"sim", "lab"}
    assert all(board.simulated for board in inventory.fleet("sim").boards)
    assert not any(board.simulated for board in inventory.fleet("lab").boards)


def test_defaults_hold_where_a_board_says_nothing(tmp_path: Path) -> None:
    inventory = load_inventory(write(tmp_path, GOOD))

    a, b = inventory.board("a"), inventory.board("b")
    assert (a.user, a.port, a.work_dir, a.host_keys) == ("pi", 2222, "work", ())
    assert (b.user, b.port, b.host_keys) == ("root", 22, ("ssh-ed25519 AAAA",))
    assert [board.name for board in inventory.fleet("all").boards] == ["a", "b", "s"]
    assert inventory.toolchain(inventory.fleet("all").toolchain).kind == "sim"


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        ("a: {host", "b: {host", "4: boards.b: named twice, first on line 3", "rename"),
        (", port: 22,", ",", "4: boards.b.host: 192.0.2.1:2222 is already board 'a'", "one device"),
        ("[a, b, s]", "[a, b, a]", "8: fleets.all.boards[2]: board 'a' is listed twice", ""),
        ("[a, b, s]", "[a, c]", "8: fleets.all.boards[1]: no board named 'c'", "a, b, s"),
        (
            "all:",
            "all:\n    toolchain: x",
            "8: fleets.all.toolchain: no toolchain named 'x'",
            "sim",
        ),
        ("port: 22,", "prot: 22,", "4: boards.b.prot: unknown key", "did you mean 'port'?"),
        ("port: 22,", "port: '22',", "4: boards.b.port: input should be a valid integer", ""),
        ("port: 22,", "port: 0,", "4: boards.b.port: input should be greater than", ""),
        ("port: 22,", "port: true,", "4: boards.b.port: input should be a valid integer", ""),
        ("ssh-ed25519 AAAA", "5", "4: boards.b.host_key: input should be", ""),
        ("simulated: true", "simulated: yes please", "5: boards.s.simulated: input should be", ""),
        ("simulated: true", "tags: []", "5: boards.s: a board needs a host", ""),
        (
            "simulated: true",
            "simulated: true, host: h",
            "5: boards.s: a simulated board has no",
            "",
        ),
        ("  s:", "  s/t:", "5: boards.s/t: a name is", ""),
        ("  s:", "  1:", "5: boards.1: ", ""),
        ("boards: [a, b, s]", "boards: []", "8: fleets.all.boards: at least one", ""),
    ],
)
def test_a_mistake_is_named_with_its_line_and_key(
    tmp_path: Path, old: str, new: str, message: str, hint: str
) -> None:
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new, 1))

    with pytest.raises(ConfigError) as caught:
        load_inventory(path)

    assert caught.value.message.startswith(f"{path}:{message}")
    assert hint in caught.value.hint


@pytest.mark.parametrize("work_dir", ['"~/"', '""', "/", '"//"'])
def test_a_work_dir_that_is_the_root_or_home_itself_is_refused(
    tmp_path: Path, work_dir: str
) -> None:
    path = write(tmp_path, GOOD.replace("work_dir: ~/work", f"work_dir: {work_dir}"))

    with pytest.raises(ConfigError, match="work_dir"):
        load_inventory(path)


@pytest.mark.parametrize("text", ["", "[]\n", "3\n"])
def test_a_file_that_is_no_inventory_is_refused(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)

    with pytest.raises(ConfigError) as caught:
        load_inventory(path)

    assert caught.value.message.startswith(f"{path}:1: ")


def test_a_toolchain_needs_what_its_kind_needs(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + "toolchains:\n  t: {kind: docker}\n")

    with pytest.raises(ConfigError, match=r":10: toolchains\.t: a docker toolchain needs an image"):
        load_inventory(path)


def test_an_unknown_name_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    inventory = load_inventory(write(tmp_path, GOOD))

    for ask in (inventory.fleet, inventory.board, inventory.toolchain):
        with pytest.raises(ConfigError, match="named 'nope'") as caught:
            ask("nope")
        assert "known" in caught.value.hint


def test_the_schema_names_every_section() -> None:
    schema = inventory_schema()

    assert schema["type"] == "object"
    assert schema["required"] == ["boards", "fleets"]
    properties = schema["properties"]
    assert isinstance(properties, dict)
    assert set(properties) == {
        *("defaults", "sites", "switches"),
        *("toolchains", "boards", "fleets"),
    }
