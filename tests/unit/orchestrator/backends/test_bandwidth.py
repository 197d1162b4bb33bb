from __future__ import annotations

from orchestrator.backends.bandwidth import Meter, shared_meter


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_bytes_wait_until_those_before_them_are_paid_for() -> None:
    clock = Clock()
    meter = Meter(1000, clock)
    assert meter.book(100) == 0  # what has gathered in the pause
    assert [round(meter.book(500), 6) for _ in range(3)] == [0, 0.5, 1.0]
    clock.now += 1.5
    assert meter.book(500) == 0


def test_a_long_pause_gathers_no_more_than_a_tenth_of_a_second() -> None:
    clock = Clock()
    meter = Meter(1000, clock)
    clock.now += 3600
    meter.book(1100)
    assert round(meter.book(1), 6) == 1.0


def test_boards_of_a_site_share_its_meter_and_other_sites_do_not() -> None:
    assert shared_meter("site", "fra", 5) is shared_meter("site", "fra", 5)
    assert shared_meter("site", "fra", 5) is not shared_meter("site", "ber", 5)
    assert shared_meter("site", "fra", 5) is not shared_meter("board", "fra", 5)
