from __future__ import annotations

import base64
from pathlib import Path

import pytest

from orchestrator.backends.known_hosts import (
    HostKey,
    host_key_name,
    known_keys,
    parse_key,
    remember,
)
from orchestrator.errors import HostKeyError


def key(letter: str, kind: str = "ssh-ed25519") -> HostKey:
    body = (
        len(kind).to_bytes(4, "big") + kind.encode() + bytes([0, 0, 0, 32]) + letter.encode() * 32
    )
    return HostKey(kind, body)


A, B = key("a"), key("b")


@pytest.mark.parametrize(
    ("names", "host", "port", "matches"),
    [
        ("board", "board", 22, True),
        ("board", "board", 2222, False),
        ("[board]:2222", "board", 2222, True),
        ("[board]:2222", "board", 22, False),
        ("other,Board", "board", 22, True),
        ("10.0.0.*", "10.0.0.7", 22, True),
        ("10.0.0.?", "10.0.0.17", 22, False),
        ("[10.0.0.*]:2222", "10.0.0.7", 2222, True),
        ("*,!10.0.0.7", "10.0.0.7", 22, False),
        ("!10.0.0.7,*", "10.0.0.8", 22, True),
        # `board` hashed by ssh-keygen -H with this salt, and a hash that is cut short.
        ("|1|MDEyMzQ1Njc4OWFiY2RlZmdoaWo=|RsMMrwZ/XWwUTiDlxHfNOgdptuk=", "board", 22, True),
        ("|1|MDEyMzQ1Njc4OWFiY2RlZmdoaWo=|RsMMrwZ/XWwUTiDlxHfNOgdptuk=", "bored", 22, False),
        ("|1|MDEy", "board", 22, False),
    ],
)
def test_a_line_is_for_the_names_that_openssh_takes_it_for(
    tmp_path: Path, names: str, host: str, port: int, *, matches: bool
) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"# a comment\n\n{names} {A.line} root@somewhere\n")
    found = known_keys([tmp_path / "absent", file], host_key_name(host, port), "b1")
    assert found.trusted == ((A,) if matches else ())


def test_keys_of_all_files_count_and_markers_are_kept_apart(tmp_path: Path) -> None:
    (tmp_path / "one").write_text(f"b {A.line}\n@cert-authority * {B.line}\n@revoked b {B.line}\n")
    (tmp_path / "two").write_text(f"b {B.line}\n")
    found = known_keys([tmp_path / "one", tmp_path / "two"], "b", "b1")
    assert (found.trusted, found.revoked) == ((A, B), (B,))


def test_a_broken_line_of_another_server_harms_nobody(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"other ssh-ed25519 rubbish\n@revoked\nalone\nb {A.line}\n")
    assert known_keys([file], "b", "b1").trusted == (A,)
    with pytest.raises(HostKeyError, match=r"b1: .*known_hosts has a line without a public key"):
        known_keys([file], "other", "b1")


def test_a_file_that_was_changed_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"b {A.line}\n")
    assert known_keys([file], "b", "b1").trusted == (A,)
    remember("b", [A, B], file)
    assert known_keys([file], "b", "b1").trusted == (A, B)


def test_what_is_remembered_replaces_what_was_known_of_that_server_only(tmp_path: Path) -> None:
    file = tmp_path / "below" / "known_hosts"
    remember("b", [A], file)
    remember("[b]:2222", [A], file)
    remember("b", [B, key("c", "ssh-rsa")], file)
    assert file.read_text().splitlines() == [
        f"[b]:2222 {A.line}",
        f"b {B.line}",
        f"b {key('c', 'ssh-rsa').line}",
    ]
    assert [path.name for path in file.parent.iterdir()] == ["known_hosts"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 not-base64!",
        "ssh-rsa " + A.line.split()[1],
        "ssh-ed25519 " + base64.b64encode(A.blob[:15]).decode(),
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_key(text)


def test_a_key_is_read_with_its_comment_and_written_without() -> None:
    assert parse_key(f"{A.line} root@ax650").line == A.line
