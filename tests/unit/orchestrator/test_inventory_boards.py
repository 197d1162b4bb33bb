"""Ranges, sites, ways in, secrets: what `boards` and its neighbours mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import ConfigError
from orchestrator.inventory import Inventory, load_inventory

GOOD = """\
defaults: {user: pi, limit: 8MB/s}
sites:
  fra:
    jump: [ops@gate:2222, inner]
    max_parallel: 8
    limit: 2MB/s
    user: admin
    sudo: true
    sudo_password: env:FRA_SUDO
switches:
  sw1: {max_parallel: 4}
boards:
  ax650-[01-04]: {host: "10.0.0.[11-14]", site: fra, tags: [npu3], switch: sw1}
  ax650-03:
    user: root
    sudo: false
    jump: []
    limit: 500kB/s
    relay: true
  lone: {host: 10.0.0.99, password: prompt}
fleets:
  all:
    boards: "*"
"""


def load(folder: Path, text: str) -> Inventory:
    path = folder / "inventory.yaml"
    path.write_text(text)
    return load_inventory(path)


def test_a_range_is_paired_with_its_hosts(tmp_path: Path) -> None:
    inventory = load(tmp_path, GOOD)

    assert {name: board.host for name, board in inventory.boards.items()} == {
        "ax650-01": "10.0.0.11",
        "ax650-02": "10.0.0.12",
        "ax650-03": "10.0.0.13",
        "ax650-04": "10.0.0.14",
        "lone": "10.0.0.99",
    }
    assert all(board.tags == ("npu3",) for name, board in inventory.boards.items() if "-" in name)


def test_a_board_goes_over_its_site_and_a_site_over_the_defaults(tmp_path: Path) -> None:
    boards = load(tmp_path, GOOD).boards

    first, third, lone = boards["ax650-01"], boards["ax650-03"], boards["lone"]
    assert (first.user, first.sudo, first.jump) == ("admin", True, ("ops@gate:2222", "inner"))
    assert (third.user, third.sudo, third.jump, third.relay) == ("root", False, (), True)
    assert (third.site, third.switch, third.tags) == ("fra", "sw1", ("npu3",))
    assert (lone.user, lone.sudo, lone.jump, lone.password) == ("pi", False, (), "prompt")
    assert [one.limit_bytes_per_s for one in (first, third, lone)] == [8000000, 500000, 8000000]


def test_the_limit_and_the_cap_of_a_site_are_for_all_its_boards(tmp_path: Path) -> None:
    inventory = load(tmp_path, GOOD)

    assert inventory.site_limits == {"fra": 2_000_000}
    caps = inventory.fleet("all").caps
    assert (caps.in_all, caps.sites, caps.switches) == (16, {"fra": 8}, {"sw1": 4})


def test_what_nobody_says_is_left_to_ssh_config(tmp_path: Path) -> None:
    text = "boards:\n  a: {host: gate}\nfleets:\n  f: {boards: a}\n"
    board = load(tmp_path, text).boards["a"]

    assert (board.user, board.port, board.address) == ("", 0, "gate")


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        ("[11-14]", "[11-15]", "13: boards.ax650-[01-04].host: 4 boards and 5 hosts", "equally"),
        ("[11-14]", "[14-11]", "13: boards.ax650-[01-04].host: [14-11] goes backwards", ""),
        ("[01-04]:", "[01-004]:", "13: boards.ax650-[01-004]: [01-004]: both ends", ""),
        ("10.0.0.[11-14]", "10.0.0.11", "13: boards.ax650-[01-04].host: 4 boards and 1 hosts", ""),
        ('"10.0.0.[11-14]"', "10.0.0.[11-14]", "13: not valid YAML", "stands in quotes"),
        (
            "  lone:",
            "  ax650-[04-05]:",
            "20: boards.ax650-[04-05]: board 'ax650-04' is in 'ax650-[01-04]' too",
            "shorten",
        ),
        ("10.0.0.99", "10.0.0.13", "20: boards.lone.host: 10.0.0.13:22 is already board 'ax6", ""),
        ("site: fra", "site: far", "13: boards.ax650-[01-04].site: no site named 'far'", "'fra'?"),
        ("switch: sw1", "switch: x", "13: boards.ax650-[01-04].switch: no switch named", "sw1"),
        ("ops@gate:2222", "ops@", "4: sites.fra.jump: a jump host looks like", ""),
        ("2MB/s", "fast", "6: sites.fra.limit: a rate looks like 500kB/s", ""),
        ("8MB/s", "8", "1: defaults.limit: a rate looks like", ""),
        ("user: pi", "user: p i", "1: defaults.user: a login is a name", ""),
        ("max_parallel: 4", "max_paralel: 4", "11: switches.sw1.max_paralel: unknown", "'max_par"),
        ("user: root", "usr: root", "15: boards.ax650-03.usr: unknown key", "'user'"),
        ("10.0.0.99", "env:9", "20: boards.lone.host: env: is followed by the name", ""),
    ],
)
def test_a_mistake_is_named_with_its_line_and_key(
    tmp_path: Path, old: str, new: str, message: str, hint: str
) -> None:
    assert old in GOOD

    with pytest.raises(ConfigError) as caught:
        load(tmp_path, GOOD.replace(old, new, 1))

    assert caught.value.message.startswith(f"{tmp_path / 'inventory.yaml'}:{message}")
    assert hint in caught.value.hint


@pytest.mark.parametrize("place", ["password: prompt", "sudo_password: env:FRA_SUDO"])
@pytest.mark.parametrize("literal", ["hunter2", "'12345'", "12345", "env:hunter-2", "[hunter2]"])
def test_a_password_in_the_file_is_refused_and_never_repeated(
    tmp_path: Path, place: str, literal: str
) -> None:
    key = place.partition(":")[0]

    with pytest.raises(ConfigError) as caught:
        load(tmp_path, GOOD.replace(place, f"{key}: {literal}", 1))

    assert f"{key}: a password never stands in a file: write env:NAME" in caught.value.message
    assert "hunter" not in repr(caught.value)
    assert "12345" not in repr(caught.value)


def test_one_address_behind_two_gateways_is_two_boards(tmp_path: Path) -> None:
    inventory = load(tmp_path, GOOD.replace("10.0.0.99", "10.0.0.12"))

    assert inventory.boards["lone"].host == inventory.boards["ax650-02"].host


ENV = """\
defaults: {user: env:BOARD_USER}
sites:
  fra:
    jump: env:GATE
boards:
  a: {host: env:A_HOST, site: fra}
  b: {host: 10.0.0.2, user: root, password: env:B_PASSWORD}
  c: {host: 10.0.0.3, user: root}
fleets:
  f: {boards: [a, b, c]}
"""


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("BOARD_USER", "GATE", "A_HOST", "B_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_a_variable_is_read_when_the_board_is_used(
    tmp_path: Path, bare: pytest.MonkeyPatch
) -> None:
    inventory = load(tmp_path, ENV)
    bare.setenv("BOARD_USER", "pi")
    bare.setenv("GATE", "ops@gate")
    bare.setenv("A_HOST", "10.0.0.1")
    bare.setenv("B_PASSWORD", "hunter2")

    a, b, _ = inventory.chosen(inventory.fleet("f")).boards

    assert (a.host, a.user, a.jump) == ("10.0.0.1", "pi", ("ops@gate",))
    # Whoever logs in follows it; nobody keeps it.
    assert (b.user, b.password) == ("root", "env:B_PASSWORD")
    assert inventory.board("a") == a


@pytest.mark.parametrize(
    ("unset", "place"),
    [
        ("BOARD_USER", "1: defaults.user"),
        ("GATE", "4: sites.fra.jump"),
        ("A_HOST", "6: boards.a.host"),
        ("B_PASSWORD", "7: boards.b.password"),
    ],
)
def test_a_variable_that_is_not_set_is_named_with_file_line_and_key(
    tmp_path: Path, bare: pytest.MonkeyPatch, unset: str, place: str
) -> None:
    inventory = load(tmp_path, ENV)
    for name in {"BOARD_USER", "GATE", "A_HOST", "B_PASSWORD"} - {unset}:
        bare.setenv(name, "10.0.0.1")

    with pytest.raises(ConfigError) as caught:
        inventory.chosen(inventory.fleet("f"))

    path = tmp_path / "inventory.yaml"
    assert caught.value.message.startswith(f"{path}:{place}: the environment variable {unset} is")
    assert caught.value.hint == f"export {unset}=…"


@pytest.mark.usefixtures("bare")
def test_a_variable_of_a_board_that_is_left_out_need_not_be_set(tmp_path: Path) -> None:
    inventory = load(tmp_path, ENV)

    fleet = inventory.chosen(inventory.fleet("f"), limit="c")

    assert [board.name for board in fleet.boards] == ["c"]


def test_two_variables_that_name_one_host_are_found_out(
    tmp_path: Path, bare: pytest.MonkeyPatch
) -> None:
    inventory = load(tmp_path, ENV.replace("site: fra", "user: x"))
    bare.setenv("A_HOST", "10.0.0.3")

    with pytest.raises(ConfigError, match=r"10\.0\.0\.3:22 is already board 'a'"):
        inventory.chosen(inventory.fleet("f"), limit="a or c")
