from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import ConfigError
from orchestrator.yaml_file import read_yaml


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    return caught.value.message


def test_every_key_and_item_knows_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("# first\na:\n  b: [1,\n    2]\n  c: {d: 1}\n")

    file = read_yaml(path)

    assert file.data == {"a": {"b": [1, 2], "c": {"d": 1}}}
    assert file.lines["a", "b"] == 3
    assert file.lines["a", "b", 1] == 4
    assert file.lines["a", "c", "d"] == 5


@pytest.mark.parametrize(
    ("place", "where"),
    [
        (("a", "b", 1), "4: a.b[1]"),
        (("a", "missing"), "2: a.missing"),
        ((), "2: file"),
        (("z",), "2: z"),
    ],
)
def test_an_error_says_file_line_and_dotted_key(
    tmp_path: Path, place: tuple[str | int, ...], where: str
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("# first\na:\n  b: [1,\n    2]\n")

    assert str(read_yaml(path).error(place, "is wrong")) == f"{path}:{where}: is wrong"


def test_a_key_named_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a:\n  b: 1\n  c: 2\n  b: 3\n")

    assert refusal(path) == f"{path}:4: a.b: named twice, first on line 2"


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: [1,\nb: 2\n", 3), ("a: 1\n b: 2\n", 2), ("a: !!python/none 1\n", 1), ("- 1\n---\n", 2)],
)
def test_invalid_yaml_names_the_line(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)

    assert refusal(path).startswith(f"{path}:{line}: not valid YAML: ")


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\x00bad",
        b"a: \x00\n",
        b"a: 2024-99-99\n",
        b"a: &a [*a]\n",
        b"a: " + b"[" * 100_000,  # libyaml would end the process
        b"- " * 100_000,
        b"{[a, b]: 1}\n",
    ],
    ids=[
        "no UTF-8",
        "control character",
        "no date",
        "holds itself",
        "too deep",
        "deep items",
        "list as key",
    ],
)
def test_what_cannot_be_read_is_one_line_that_names_the_file(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(content)

    message = refusal(path)

    assert message.startswith(f"{path}:")
    assert "\n" not in message


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.yaml") == f"{tmp_path / 'no.yaml'}: no such file"
    assert refusal(tmp_path).startswith(f"{tmp_path}: cannot be read")


def test_an_empty_file_is_an_empty_mapping(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("# only a comment\n")

    assert read_yaml(path).data == {}


def test_aliases_of_aliases_are_read_in_no_time(tmp_path: Path) -> None:
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 30)]
    path = tmp_path / "bomb.yaml"
    path.write_text("\n".join(["l0: &l0 [x]", *levels]) + "\n")

    file = read_yaml(path)

    assert file.lines["l29",] == 30
