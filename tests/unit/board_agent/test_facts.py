from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from board_agent import facts, sensors
from board_agent.sensors import Cmm

if TYPE_CHECKING:
    from tests.unit.board_agent.board import Board

CMM = """\
--------------------SDK VERSION-------------------
[Axera version]: ax_cmm V3.10.2 Jun  9 2026 16:56:30
+---PARTITION: Phys(0x1E0000000, 0x2FFFFFFFF), Size=4718592KB(4608MB),    NAME="anonymous"
 nBlock(Max=1330, Cur=1330, New=1330, Free=0)  nbytes(Max=1694826496B(1655104KB,1616MB), …)
   |-Block: phys(0x1E0000000, 0x1E05FFFFF), cache =non-cacheable, length=6144KB(6MB),    name="v"

---CMM_USE_INFO:
 total size=4718592KB(4608MB),used=1655104KB(1616MB + 320KB),remain=3063488KB(2991MB + 704KB),\
partition_number=1,block_number=1330"""
BLOCKS = """
   |-Block: phys(0x1E0600000, 0x1E07FFFFF), cache =cacheable, length=4096KB(4MB),    name="PyEngine"
   |-Block: phys(0x1E0800000, 0x1E08FFFFF), cache =cacheable, length=3072KB(3MB),    name="PyEngine"
"""
TOP = "core:vnpu-Non\ntime:568387\nperiod:1000000\nutilization:96%"


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (facts.uid, "ax_uid: 0x6007080746221049", "0x6007080746221049"),
        (facts.uid, "ax_uid: none", None),
        (facts.sdk_version, "Ax_Version V1.45.0_P39_20240830020829", "V1.45.0_P39_20240830020829"),
        (facts.sdk_version, "Ax_Version V3.6.2_20250731140456", "V3.6.2_20250731140456"),
        (facts.sdk_version, "", None),
        (sensors.temperature_c, "49263", 49.263),
        (sensors.temperature_c, "-500", -0.5),
        (sensors.temperature_c, "hot", None),
        (sensors.clock_mhz, "800M", 800),
        (sensors.clock_mhz, "off", None),
        (facts.vnpu, "disable", "disable"),
        (facts.vnpu, "cat: no such device", None),
        (sensors.npu_load_percent, TOP, 96.0),
        (sensors.npu_load_percent, TOP + "\ncore:vnpu_stdd_2\nutilization:97%", 97.0),
        (sensors.npu_load_percent, "nputop info is empty!", 0.0),
        (sensors.npu_load_percent, "nputop info not updated over 1000 ms!", None),
        (sensors.npu_load_percent, "nputop info is not enabled!", None),
        (sensors.cmm, CMM, Cmm(4718592 * 1024, 1655104 * 1024, 3063488 * 1024)),
        (sensors.cmm, "", None),
        (sensors.cpu_clock_mhz, "1700000", 1700),
        (sensors.cpu_clock_mhz, "<unknown>", None),
        (sensors.cmm_holders, CMM, {"v": 6144 * 1024}),
        (sensors.cmm_holders, CMM + BLOCKS, {"PyEngine": 7168 * 1024, "v": 6144 * 1024}),
        (sensors.cmm_holders, "", {}),
    ],
)
def test_a_fact_is_read_from_the_vendors_text(
    read: Callable[[str], object], text: str, value: object
) -> None:
    assert read(text) == value


def listing(**kib: int) -> str:
    """What `mem_cmm_info` says of these holders."""
    used = sum(kib.values())
    blocks = (
        f'|-Block: phys(0x1, 0x2), length={size}KB, name="{name}"' for name, size in kib.items()
    )
    return "\n".join([f" total size=90000KB,used={used}KB,remain={90000 - used}KB", *blocks])


@pytest.mark.parametrize(
    ("before", "first", "after", "left_kib"),
    [
        # Who came meanwhile, or took more, is not the model.
        ({"v": 9}, {"v": 9, "m": 8}, {"v": 9, "isp": 50}, 0),
        ({"v": 9}, {"v": 9, "m": 8}, {"v": 70, "m": 2}, 2),
        # Nor does it make up for the model that another has gone.
        ({"v": 9}, {"v": 9, "m": 8}, {"m": 3}, 3),
        ({"v": 9, "m": 1}, {"v": 9, "m": 8}, {"v": 9, "m": 5}, 4),
        # No name tells: all that is more.
        ({"v": 9}, {}, {"v": 12}, 3),
        ({"v": 9}, {"v": 9}, {"v": 5}, 0),
    ],
)
def test_what_did_not_come_back_is_counted_by_the_models_own_names(
    before: dict[str, int], first: dict[str, int], after: dict[str, int], left_kib: int
) -> None:
    held = {name: kib * 1024 for name, kib in first.items()}

    assert sensors.left_bytes(listing(**before), listing(**after), held) == left_kib * 1024


def test_a_board_that_tells_no_memory_tells_none_that_is_left() -> None:
    assert sensors.left_bytes("", listing(v=1), {}) is None
    assert sensors.left_bytes(listing(v=1), "", {}) is None


def test_a_probe_names_what_the_look_alike_imitates(board: Board) -> None:
    board.near = False  # the package is looked for where Python looks
    (board.sysroot / "etc/orch-simulated-board").write_text("a test\naxengine: 0.1.3.rc2\n")

    facts = board.result("probe", blobs=[])["facts"]

    assert facts["axengine_build"] == "look-alike of 0.1.3.rc2"


def test_a_probe_tells_the_facts_of_the_board(board: Board) -> None:
    board.near = False  # the package is looked for where Python looks
    (board.sysroot / "soc/lib").mkdir(parents=True)
    (board.sysroot / "soc/lib/libax_engine.so").touch()

    found = board.result("probe", blobs=[])["facts"]

    package = board.site / "axengine" / "__init__.py"
    expected = {
        "uid": "0x6007080746221049",
        "chip_type": "AX650N_CHIP",
        "board_id": "AX650N_Demo",
        "sdk_version": "V1.45.0_P39_20240830020829",
        "kernel": "5.15.73",
        "temperature_c": 49.263,
        "npu_clock_mhz": 800,
        "vnpu": "disable",
        "npu_load_percent": 0.0,
        "cmm_total_bytes": 4718592 * 1024,
        "cmm_used_bytes": 1655104 * 1024,
        "cmm_free_bytes": 3063488 * 1024,
        "cpu_governor": "performance",
        "axengine_sha256": hashlib.sha256(package.read_bytes()).hexdigest(),
        "axengine_path": str(package.parent),
        "library_path": str(board.sysroot / "soc/lib"),
        "simulated": True,
    }
    assert {key: found[key] for key in expected} == expected
    assert {"machine", "hostname", "python", "disk_free_bytes", "clock_unix_s"} < set(found)
    assert board.noted("starts") == 0


def test_a_board_without_any_fact_file_is_probed_all_the_same(board: Board) -> None:
    board.environment["ORCH_SYSROOT"] = str(board.home / "nothing")
    board.environment.pop("PYTHONPATH")

    found = board.result("probe", blobs=[])["facts"]

    known = {"kernel", "machine", "hostname", "python", "disk_free_bytes", "clock_unix_s"}
    known |= {"inodes_free", "work_dir_writable", "uptime_s", "boot_id"}
    assert {key for key, value in found.items() if value is not None} == known | {"simulated"}
    assert found["simulated"] is False
    assert not board.work.exists()


def test_a_simulated_board_has_a_boot_of_its_own(board: Board) -> None:
    board.write_fact("proc/uptime", "12.9 3.0\n")
    board.write_fact("proc/sys/kernel/random/boot_id", "a-boot\n")

    found = board.result("probe", blobs=[])["facts"]

    assert (found["uptime_s"], found["boot_id"]) == (12, "a-boot")
    assert found["work_dir_writable"] is True
    assert found["inodes_free"] > 0


def test_a_disk_that_takes_no_lease_is_told_of_and_hides_no_fact(board: Board) -> None:
    board.work.symlink_to("/proc/self")  # nobody, not even root, makes a folder there

    found = board.result("probe", blobs=[], lease={"owner": "me", "ttl_s": 60})

    assert (found["lease"], found["holder"]) == (None, None)
    assert found["facts"]["work_dir_error"] == "No such file or directory"
    assert found["facts"]["uid"] == "0x6007080746221049"


def test_the_vendors_own_package_folder_is_looked_into(board: Board) -> None:
    folder = board.sysroot / "opt/site-packages/local/lib/python3.10/dist-packages"
    folder.mkdir(parents=True)
    (board.site / "axengine").rename(folder / "axengine")
    (folder / "axengine" / "_axe.py").write_text("engine")

    found = board.result("probe", blobs=[])["facts"]

    assert found["axengine_path"] == str(folder / "axengine")
    assert found["axengine_sha256"] == hashlib.sha256(b"engine").hexdigest()


def test_reading_the_load_turns_the_npus_counters_on(board: Board) -> None:
    board.write_fact("proc/ax_proc/npu/top", "nputop info is not enabled!\n")

    found = board.result("probe", blobs=[])["facts"]

    assert found["npu_load_percent"] is None
    assert (board.sysroot / "proc/ax_proc/npu/enable").read_text().startswith("1")
