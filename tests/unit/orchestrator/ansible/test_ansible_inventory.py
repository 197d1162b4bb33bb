"""Ansible inventories and the boards and fleets they become.

The reading was checked against `ansible-inventory --list` of ansible-core.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.ansible_inventory import Imported, import_ansible
from orchestrator.domain import Board
from orchestrator.errors import ConfigError
from orchestrator.inventory import Inventory, load_inventory

INI = """\
# our boards
lonely ansible_host=192.0.2.99 ansible_user=pi
[web]
web[01:03].lab ansible_port=2200   # three
[db]
db-[a:e:2]:2201 rack='7 b'
[east:children]
web
db
[east:vars]
ansible_user=admin
ansible_ssh_common_args='-o ProxyJump=ops@gate:2222 -o StrictHostKeyChecking=no'
ansible_become=true
ansible_become_password=hunter2
[all:vars]
ansible_user=root
ansible_port=22
[aa]
db-a
[aa:vars]
ansible_user=nobody
"""
YAML = """\
all:
  vars: {ansible_user: base}
  children:
    fra:
      hosts:
        "ax650-[01:03]":
        ax650-02: {ansible_host: 192.0.2.2, ansible_port: "2222"}
      vars:
        ansible_ssh_private_key_file: ~/.ssh/k
        ansible_password: !vault |
          $ANSIBLE_VAULT;1.1;AES256
          3061
    lab: {children: {bench: {hosts: one}}}
"""


def take(folder: Path, text: str, name: str = "hosts") -> tuple[Imported, Inventory]:
    """Import an inventory, and read what came of it."""
    (folder / name).write_text(text)
    made = import_ansible(folder / name)
    (folder / "inventory.yaml").write_text(made.text)
    return made, load_inventory(folder / "inventory.yaml")


def boards_of(folder: Path, text: str, name: str = "hosts") -> dict[str, Board]:
    return dict(take(folder, text, name)[1].boards)


def test_ranges_groups_and_variables_of_the_ini_form_are_taken(tmp_path: Path) -> None:
    made, inventory = take(tmp_path, INI)

    assert made.boards == tuple(inventory.boards)
    assert list(inventory.boards) == [
        *("lonely", "web01.lab", "web02.lab", "web03.lab", "db-a", "db-c", "db-e")
    ]
    lonely, web, db = (inventory.boards[name] for name in ("lonely", "web02.lab", "db-c"))
    assert (lonely.host, lonely.user, lonely.port, lonely.jump) == ("192.0.2.99", "pi", 22, ())
    assert (web.host, web.user, web.port) == ("web02.lab", "admin", 2200)
    assert (db.user, db.port, db.jump, db.sudo) == ("admin", 2201, ("ops@gate:2222",), True)


def test_groups_become_fleets_and_tags(tmp_path: Path) -> None:
    inventory = take(tmp_path, INI)[1]

    members = {
        name: [board.name for board in fleet.boards] for name, fleet in inventory.fleets.items()
    }
    assert members["east"] == ["web01.lab", "web02.lab", "web03.lab", "db-a", "db-c", "db-e"]
    assert members["aa"] == ["db-a"]
    assert len(members["all"]) == 7
    assert inventory.boards["db-a"].tags == ("aa", "east", "db")
    assert inventory.boards["lonely"].tags == ()


def test_an_inner_group_goes_over_an_outer_one_and_later_names_over_earlier(
    tmp_path: Path,
) -> None:
    text = """\
[zz:children]
inner
[inner]
a
[aa]
a
b
[bb]
b
[zz:vars]
ansible_user=outer
[inner:vars]
ansible_user=inner
[aa:vars]
ansible_user=first
ansible_port=1
[bb:vars]
ansible_user=second
ansible_port=2
[first_by_priority]
b
[first_by_priority:vars]
ansible_port=3
ansible_group_priority=0
"""
    boards = boards_of(tmp_path, text)

    assert (boards["a"].user, boards["b"].user, boards["b"].port) == ("inner", "second", 2)


def test_the_yaml_form_is_taken(tmp_path: Path) -> None:
    boards = boards_of(tmp_path, YAML, "hosts.yml")

    assert list(boards) == ["ax650-01", "ax650-02", "ax650-03", "one"]
    first, second, one = boards["ax650-01"], boards["ax650-02"], boards["one"]
    assert (first.host, second.host, second.port) == ("ax650-01", "192.0.2.2", 2222)
    assert (first.user, first.identity_file, first.tags) == ("base", "~/.ssh/k", ("fra",))
    assert one.tags == ("lab", "bench")


def test_variables_beside_the_inventory_are_read(tmp_path: Path) -> None:
    for name, text in {
        "group_vars/all.yml": "ansible_user: everybody\n",
        "group_vars/web/a.yaml": "ansible_port: 2222\n",
        "group_vars/db.yml": "$ANSIBLE_VAULT;1.1;AES256\n3061\n",
        "host_vars/a": "{ansible_host: 192.0.2.7}\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    made, inventory = take(tmp_path, "[web]\na\n[db]\nb\n[web:vars]\nansible_port=1\n")

    a, b = inventory.boards["a"], inventory.boards["b"]
    assert (a.user, a.port, a.host, b.user) == ("everybody", 2222, "192.0.2.7", "everybody")
    assert any("group_vars/db.yml:1: not taken: the whole file is enc" in x for x in made.notes)


def test_no_password_is_copied(tmp_path: Path) -> None:
    made, inventory = take(tmp_path, INI)

    assert inventory.boards["db-a"].sudo_password == "env:ORCH_SUDO_PASSWORD"  # noqa: S105 - a reference
    assert "hunter2" not in repr(made)
    assert f"{tmp_path / 'hosts'}:14: not copied: ansible_become_password: put it into" in (
        "\n".join(made.notes)
    )


def test_passwords_that_differ_get_variables_of_their_own(tmp_path: Path) -> None:
    text = """\
a ansible_password=x
b ansible_password=y
c ansible_password=x
d ansible_password="{{ lookup('env', 'MINE') }}"
e ansible_password="{{ vaulted }}"
"""
    boards = boards_of(tmp_path, text)

    assert [boards[name].password for name in "abcde"] == [
        "env:ORCH_PASSWORD",
        "env:ORCH_PASSWORD_2",
        "env:ORCH_PASSWORD",
        "env:MINE",
        "env:ORCH_PASSWORD_3",
    ]


@pytest.mark.parametrize(
    ("args", "jump"),
    [
        ("-J gate", ("gate",)),
        ("-Ja@b:1,c", ("a@b:1", "c")),
        ("-o ProxyJump=gate", ("gate",)),
        ("-oProxyJump=gate -C", ("gate",)),
        ("-o 'ProxyJump gate' -o ControlMaster=auto", ("gate",)),
        ("-o ProxyCommand='ssh -W %h:%p -q -p 2222 -l ops gate'", ("ops@gate:2222",)),
        ('-o ProxyCommand="/usr/bin/ssh ops@gate -W %h:%p"', ("ops@gate",)),
        ("-o ProxyJump=none", ()),
    ],
)
def test_jump_hosts_are_found_in_ssh_arguments(
    tmp_path: Path, args: str, jump: tuple[str, ...]
) -> None:
    text = f"[g]\na\nb\n[g:vars]\nansible_ssh_common_args={args}\n"

    made, inventory = take(tmp_path, text)

    assert inventory.boards["a"].jump == jump
    assert made.notes == ()


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("a rack=7", "not taken: variable 'rack'"),
        ("a ansible_user='{{ x }}'", "not taken: ansible_user is sealed or a template"),
        ("a ansible_port=x", "not taken: ansible_port is no port"),
        ("a ansible_host='b c'", "not taken: ansible_host does not fit"),
        ("a ansible_ssh_common_args='-o X=y'", "not taken: the SSH option -o X=y"),
        ("a ansible_ssh_extra_args=-D7", "not taken: the SSH option -D 7"),
        (
            "a ansible_ssh_common_args='-o ProxyCommand=\"nc %h %p\"'",
            "not taken: a ProxyCommand that is not `ssh -W %h:%p HOST`",
        ),
        (
            "a ansible_ssh_common_args='-o StrictHostKeyChecking=no'",
            "not taken: stricthostkeychecking: host keys are always checked: orch fleet trust",
        ),
        ("a ansible_become=1 ansible_become_method=su", "not taken: become by 'su'"),
        ("a ansible_become=1 ansible_become_user=www", "not taken: become the user 'www'"),
        ("b\na ansible_host=b", "left out: host 'a': its name or address is that of 'b'"),
        ("b\na ansible_connection=local", "left out: host a: its connection is 'local'"),
        ("b\n" + "a" * 64, f"left out: host {'a' * 64!r}: a board's name has at most 63"),
        ("b\n[2001:db8::1]:22", "renamed: host '2001:db8::1' is board '2001-db8--1'"),
        ("b\n[empty]", "left out: group 'empty' has no boards"),
    ],
)
def test_what_is_not_taken_is_named_with_file_and_line(
    tmp_path: Path, line: str, note: str
) -> None:
    made, _ = take(tmp_path, line + "\n")

    assert len(made.notes) == 1
    assert made.notes[0].startswith(f"{tmp_path / 'hosts'}:{line.count(chr(10)) + 1}: {note}")


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("h", "[g]\nh[10:1]\n", ":2: [10:1] goes backwards"),
        ("h", "[g]\nh[01:100]\n", ":2: [01:100]: both ends of a padded range"),
        ("h", "[g]\nh[1-3]\n", ":2: [1-3] is no range"),
        ("h", "[g]\nh[1:3\n", ":2: 'h[1:3': a bracket is not closed"),
        ("h", "h[1:99999999]\n", ":1: [1:99999999] is more than 10,000 hosts"),
        ("h", "[g]\n\nh:\n", ":3: 'h:': a port should stand behind the colon"),
        ("h", "[g]\nh foo=1 bar\n", ":2: word 2 behind h is not key=value"),
        ("h", '[g]\nh a="b\n', ":2: the line cannot be split into words"),
        ("h", "[g h]\n", ":1: this is no section: [g h]"),
        ("h", "[g:foo]\n", ":1: section of an unknown kind 'foo'"),
        ("h", "a\n[g:vars]\na=1\n", ":2: there is no group 'g'"),
        ("h", "a\n[g:children]\nx\n", ":3: there is no group 'x'"),
        ("h", "[a:children]\nb\n[b:children]\na\n", ":1: group 'a' is in itself: a → b → a"),
        ("h.yml", "- a\n", ":1: names with a colon behind each should stand here"),
        ("h.yml", "all:\n  hosts: [a]\n", ":2: names with a colon behind each"),
        ("h.yml", "a: {children: {b: {children: {a: }}}}\n", ":1: group 'a' is in itself"),
        ("h.yml", "a: 1\nb: c: d\n", ":2: not valid YAML"),
        ("h.yml", "", ":1: the file is empty"),
        ("h.yml", "plugin: aws_ec2\n", ":1: this configures a plugin"),
        ("h", "#!/bin/sh\n", ":1: this is no plain inventory but a program"),
        ("h", "a ansible_connection=local\n", ": no host in it can be a board"),
    ],
)
def test_a_mistake_is_named_with_its_line(
    tmp_path: Path, name: str, text: str, problem: str
) -> None:
    path = tmp_path / name
    path.write_text(text)

    with pytest.raises(ConfigError) as caught:
        import_ansible(path)

    assert caught.value.message.startswith(f"{path}{problem}")


def test_a_line_that_cannot_be_read_does_not_show_its_password(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("a hunter2 ansible_password='hunter2\n")

    with pytest.raises(ConfigError) as caught:
        import_ansible(path)

    assert "hunter2" not in repr(caught.value)
