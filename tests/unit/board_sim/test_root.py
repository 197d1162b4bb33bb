from __future__ import annotations

import re
from pathlib import Path

import pytest

from board_agent import sensors
from containers.board_sim.profiles import PROFILES, Fault, identity_of, with_faults
from containers.board_sim.root import AXENGINE, board_files, make_root


def test_facts_have_the_vendors_form() -> None:
    files = board_files(PROFILES["m4n-debian12"], identity_of("sim-01"))
    assert files["proc/ax_proc/version"] == "Ax_Version V1.45.0_P39_20240830020829\n"
    assert re.fullmatch(r"ax_uid: 0x[0-9a-f]{16}\n", files["proc/ax_proc/uid"])
    assert files["proc/ax_proc/chip_type"] == "AX650N_CHIP\n"
    assert files["proc/ax_proc/npu/clk"] == "800M\n"
    assert files["proc/ax_proc/npu/vnpu"] == "disable\n"
    assert 40_000 < int(files["sys/class/thermal/thermal_zone0/temp"]) < 70_000


def test_memory_of_the_npu_adds_up() -> None:
    text = board_files(PROFILES["m4n-ubuntu22"], identity_of("x"))["proc/ax_proc/mem_cmm_info"]
    found = re.search(r"total size=(\d+)KB.*used=(\d+)KB.*remain=(\d+)KB", text)
    assert found is not None
    total, used, free = map(int, found.groups())
    assert total == 4 * 1024 * 1024
    assert used + free == total


def test_no_two_boards_have_the_same_uid_and_one_keeps_its_own() -> None:
    uids = {identity_of(f"sim-{number:02d}").uid for number in range(64)}
    assert len(uids) == 64
    assert identity_of("sim-01") == identity_of("sim-01")


def test_a_board_says_that_it_is_a_simulation(tmp_path: Path) -> None:
    make_root(tmp_path, PROFILES["m4n-ubuntu22"], identity_of("sim-01"))
    assert "simulation" in (tmp_path / "etc/orch-simulated-board").read_text()


def test_a_board_made_anew_keeps_its_home_and_gets_the_package_of_today(tmp_path: Path) -> None:
    make_root(tmp_path, PROFILES["m4n-ubuntu22"], identity_of("sim-01"))
    package = next(tmp_path.glob("opt/site-packages/local/lib/python3*/dist-packages/axengine"))
    (tmp_path / "root/kept").write_text("mine")
    (package / "stale.py").write_text("")
    (package / "_axe.py").write_text("")
    make_root(tmp_path, PROFILES["m4n-debian12"], identity_of("sim-01"))
    assert (tmp_path / "root/kept").read_text() == "mine"
    assert not (package / "stale.py").exists()
    assert (package / "_axe.py").read_bytes() == (AXENGINE / "_axe.py").read_bytes()


@pytest.mark.parametrize(
    ("faults", "free_bytes", "load"),
    [
        ((), (4096 * 1024 - 18876) * 1024, 0.0),
        (("tenant",), (3072 * 1024 - 18876) * 1024, 97.0),
        (("cmm-full",), 64 * 1024, 0.0),
        (("tenant", "cmm-full"), 64 * 1024, 97.0),
    ],
)
def test_the_agent_reads_what_a_fault_says_of_the_npu(
    faults: tuple[Fault, ...], free_bytes: int, load: float
) -> None:
    files = board_files(with_faults(PROFILES["m4n-ubuntu22"], faults), identity_of("x"))
    memory = sensors.cmm(files["proc/ax_proc/mem_cmm_info"])
    assert memory is not None
    assert memory.free_bytes == free_bytes
    assert sensors.npu_load_percent(files["proc/ax_proc/npu/top"]) == load


def test_a_hot_board_has_110_degrees_and_its_tenant_a_live_lease(tmp_path: Path) -> None:
    make_root(tmp_path, with_faults(PROFILES["m5-pyramid"], ["hot", "tenant"]), identity_of("x"))
    text = (tmp_path / "sys/class/thermal/thermal_zone0/temp").read_text().strip()
    assert (sensors.temperature_c(text) or 0.0) >= 110
    assert (tmp_path / "tmp/magnetar-lease/lock").is_dir()
