from __future__ import annotations

import pickle
import threading
from dataclasses import replace

from orchestrator.boards.identity import UidRegistry, changed, duplicates
from orchestrator.domain import Board

ONE = Board("b1", "192.0.2.1", 22, "root")
TWO = Board("b2", "192.0.2.2", 22, "root", jump=("gate",))
THREE = Board("b3", "192.0.2.3", 22, "root")


def test_a_second_board_with_the_same_uid_is_refused_naming_the_first() -> None:
    registry = UidRegistry()

    assert registry.claim(ONE, "0x1") is None
    assert registry.claim(THREE, "0x3") is None
    found = registry.claim(TWO, "0x1")

    assert found is not None
    assert found.level == "refuse"
    assert "0x1 is that of b1 (192.0.2.1:22) too" in found.message
    assert "gate > 192.0.2.2:22" in found.message


def test_the_same_board_may_come_again_and_an_unknown_uid_is_nobodys() -> None:
    registry = UidRegistry()

    assert [registry.claim(ONE, "0x1"), registry.claim(ONE, "0x1")] == [None, None]
    assert [registry.claim(ONE, None), registry.claim(TWO, None)] == [None, None]


def test_one_address_under_two_names_is_said_to_be_one_board() -> None:
    registry = UidRegistry()
    registry.claim(ONE, "0x1")

    found = registry.claim(replace(ONE, name="b9"), "0x1")

    assert found is not None
    assert "the very board that is called b1" in found.message


def test_simulated_boards_are_not_one_board_for_being_on_this_machine() -> None:
    boards = [Board(name, "127.0.0.1", 22, "root", simulated=True) for name in ("s1", "s2")]

    found = duplicates(boards, {"s1": "0x1", "s2": "0x1"})

    assert "its uid 0x1 is that of s2 (simulated) too" in found["s1"].message


def test_of_many_that_come_at_once_one_is_first() -> None:
    registry, together = UidRegistry(), threading.Barrier(8)
    refused: list[str] = []

    def claim(board: Board) -> None:
        together.wait()
        if registry.claim(board, "0x1") is not None:
            refused.append(board.name)

    boards = [replace(ONE, name=f"b{n}", host=f"192.0.2.{n}") for n in range(8)]
    threads = [threading.Thread(target=claim, args=(board,)) for board in boards]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(refused)) == 7


def test_a_registry_reaches_a_worker_in_another_process_empty() -> None:
    registry = UidRegistry()
    registry.claim(ONE, "0x1")

    arrived = pickle.loads(pickle.dumps(registry))  # noqa: S301 - our own bytes

    assert isinstance(arrived, UidRegistry)
    assert arrived.claim(TWO, "0x1") is None


def test_all_boards_of_one_uid_name_each_other() -> None:
    boards = [ONE, TWO, THREE, replace(THREE, name="b4")]

    found = duplicates(boards, {"b1": "0x1", "b2": "0x1", "b3": "0x3", "b4": None, "x": "0x3"})

    assert set(found) == {"b1", "b2"}
    assert "b2 (gate > 192.0.2.2:22)" in found["b1"].message
    assert "b1 (192.0.2.1:22)" in found["b2"].message


def test_another_board_behind_a_name_is_a_warning_with_both_uids() -> None:
    found = changed("0x2", "0x1")

    assert found is not None
    assert (found.level, "0x2" in found.message, "0x1" in found.message) == ("warn", True, True)
    assert changed("0x1", "0x1") is changed(None, "0x1") is changed("0x1", None) is None
