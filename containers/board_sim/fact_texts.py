"""The texts of a board's sensor files, as AXERA's drivers write them. Pure.

This runs on the boards too, and one of them has Python 3.9.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_CMM_TEXT = """\
--------------------SDK VERSION-------------------
[Axera version]: ax_cmm {version}
+---PARTITION: Phys(0x{first:X}, 0x{last:X}), Size={total}KB({total_mb}MB),    NAME="anonymous"
 nBlock(Max={count}, Cur={count}, New={count}, Free=0)  \
nbytes(Max={used_b}B({used}KB,{used_mb}MB), \
Cur={used_b}B({used}KB,{used_mb}MB), New={used_b}B({used}KB,{used_mb}MB), Free=0B(0KB,0MB))  \
Block(Max={used_b}B({used}KB,{used_mb}MB), Min={used_b}B({used}KB,{used_mb}MB), \
Avg={used_b}B({used}KB,{used_mb}MB))\x20
{blocks}
---CMM_USE_INFO:
 total size={total}KB({total_mb}MB),used={used}KB({used_mb}MB + {used_rest}KB),\
remain={free}KB({free_mb}MB + {free_rest}KB),partition_number=1,block_number={count}
"""
_BLOCK_TEXT = """\
   |-Block: phys(0x{first:X}, 0x{last:X}), cache =non-cacheable, \
length={size}KB({size_mb}MB),    name="{name}"
"""
_LOAD_TEXT = "core:vnpu-Non\ntime:{busy}\nperiod:1000000\nutilization:{load}%\n"
_IDLE_TEXT = "nputop info is empty!\n"
_HEAD = re.compile(r"ax_cmm (.+)\n.*Phys\(0x([0-9A-F]+)")
_SUM = re.compile(r"total size=(\d+)KB.*?used=(\d+)KB")
_BLOCK = re.compile(r"\|-Block: .*length=(\d+)KB.*name=\"([^\"]+)\"")
#: Who holds what no block of the list accounts for.
_DRIVERS = "vdec_ko"


class Cmm(NamedTuple):
    """The NPU's memory: where its pool begins, and who holds how much of it.

    Attributes:
        version: of the driver, as its file has it.
    """

    version: str
    base: int
    total_kb: int
    holders_kb: Mapping[str, int]

    @property
    def free_kb(self) -> int:
        """What nobody holds."""
        return self.total_kb - sum(self.holders_kb.values())


def cmm_text(cmm: Cmm) -> str:
    """The text of `mem_cmm_info`: a block for each holder."""
    blocks, first = [], cmm.base
    for name, size in cmm.holders_kb.items():
        last = first + size * 1024 - 1
        blocks.append(
            _BLOCK_TEXT.format(first=first, last=last, size=size, size_mb=size // 1024, name=name)
        )
        first = last + 1
    total, free = cmm.total_kb, cmm.free_kb
    used = total - free
    return _CMM_TEXT.format(
        version=cmm.version,
        first=cmm.base,
        last=cmm.base + total * 1024 - 1,
        blocks="".join(blocks),
        count=len(blocks),
        total=total,
        total_mb=total // 1024,
        used=used,
        used_b=used * 1024,
        used_mb=used // 1024,
        used_rest=used % 1024,
        free=free,
        free_mb=free // 1024,
        free_rest=free % 1024,
    )


def read_cmm(text: str) -> Cmm:
    """Read `mem_cmm_info`; it may have the last line only. Raises ValueError."""
    total = _SUM.search(text)
    if total is None:
        raise ValueError(f"no list of the NPU's memory: {text[:80]!r}")
    holders: dict[str, int] = {}
    for size, name in _BLOCK.findall(text):
        holders[name] = holders.get(name, 0) + int(size)
    rest = int(total.group(2)) - sum(holders.values())
    if rest:
        holders[_DRIVERS] = holders.get(_DRIVERS, 0) + rest
    head = _HEAD.search(text)
    version, base = head.groups() if head else ("V0.0.0", "200000000")
    return Cmm(version, int(base, 16), int(total.group(1)), holders)


def load_text(percent: int) -> str:
    """The text of `npu/top`."""
    if not percent:
        return _IDLE_TEXT
    return _LOAD_TEXT.format(busy=min(percent, 100) * 10_000, load=percent)
