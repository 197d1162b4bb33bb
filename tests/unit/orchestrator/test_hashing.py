from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from orchestrator.domain import Artifact, Evidence, Judged
from orchestrator.hashing import as_json, canonical_json, sha256_file, sha256_files, sha256_json


def test_a_file_is_named_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 100_000)

    assert sha256_file(path) == hashlib.sha256(b"x" * 100_000).hexdigest()


def test_a_folder_hash_knows_names_and_contents_and_no_order(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_text("1")
    b.write_text("2")
    first = sha256_files(tmp_path, [a, b])

    assert sha256_files(tmp_path, [b, a]) == first
    b.write_text("3")
    changed = sha256_files(tmp_path, [a, b])
    b.rename(tmp_path / "c")
    assert len({first, changed, sha256_files(tmp_path, [a, tmp_path / "c"])}) == 3


def test_a_folder_hash_does_not_know_where_the_folder_lies(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_text("same")

    assert sha256_files(tmp_path / "x", [tmp_path / "x" / "f"]) == sha256_files(
        tmp_path / "y", [tmp_path / "y" / "f"]
    )


def test_equal_values_have_one_text() -> None:
    assert canonical_json({"b": 1, "a": [1, "ä"]}) == '{"a":[1,"\\u00e4"],"b":1}'
    assert sha256_json({"a": 1, "b": 2}) == sha256_json({"b": 2, "a": 1})
    assert sha256_json({"a": 1}) != sha256_json({"a": "1"})


def test_dataclasses_become_objects_at_any_depth() -> None:
    value = {"a": (Artifact("00", 1, "f"), Judged("VALID", (Evidence("VALID", "samples", "x"),)))}

    assert as_json(value) == {
        "a": [
            {"sha256": "00", "size_bytes": 1, "name": "f"},
            {
                "verdict": "VALID",
                "evidence": [
                    {
                        "verdict": "VALID",
                        "sensor": "samples",
                        "text": "x",
                        "block": None,
                        "value": None,
                        "bound": None,
                    }
                ],
            },
        ]
    }


def test_what_has_no_json_form_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes has no JSON form"):
        as_json({"content": b"x"})


def test_a_path_is_its_text() -> None:
    assert as_json({"path": Path("/x")}) == {"path": "/x"}
