"""What speaks against a board, all at once and with both sides' numbers, before a byte is copied.

Pure: facts as the board told them, a release, and what is known already. A fact that a board does
not tell is no reason to refuse it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.boards.compatibility import Finding, check_learned, check_rules, pairing_of, rules
from orchestrator.boards.need import Need, number
from orchestrator.domain import CompatibilityFact, Json, Release
from orchestrator.errors import AgentError, Refused
from orchestrator.pulsar2.targets import HARDWARE_OF_CHIP
from orchestrator.replies import Holder

#: check → the code of a board that only this keeps out; the others are REFUSED.
CODES = {
    "cmm": "CMM_FULL",
    "disk": "DISK_FULL",
    "held": "LEASED",
    "inodes": "DISK_FULL",
    "temperature": "TOO_HOT",
    "uid": "DUPLICATE_UID",
    "work_dir": "NOT_WRITABLE",
}
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Known:
    """What is known beside the board's own word.

    Attributes:
        now_unix_s: this host's clock.
        holder: who has the board's lease; None: nobody, or we.
        loaded: what boards made of models by the same Pulsar2.
        ignore_learned: let a board try what such boards have rejected.
    """

    now_unix_s: float
    holder: Holder | None = None
    loaded: Sequence[CompatibilityFact] = ()
    ignore_learned: bool = False


def check_board(
    facts: Mapping[str, Json], release: Release, need: Need, known: Known
) -> list[Finding]:
    """Give everything that speaks against a board, or is worth knowing; refusals first."""
    found = [
        *_held(known.holder),
        *_kind(facts, release),
        *_chip(facts, release),
        *_software(facts, release, need, known),
        *_memory(facts, release, need),
        *_disk(facts, need),
        *_state(facts, known.now_unix_s),
    ]
    order = ("refuse", "warn", "note")
    return sorted(found, key=lambda one: order.index(one.level))


def refuse(board: str, findings: Sequence[Finding]) -> None:
    """End here where a board cannot take a release, naming every reason.

    Raises:
        Refused: a rule keeps it out.
        AgentError: only its state does, and that may pass; the code is one of CODES.
    """
    bad = [one for one in findings if one.level == "refuse"]
    if not bad:
        return
    message = f"{board}: " + "; ".join(one.message for one in bad)
    hint = "; ".join(dict.fromkeys(one.hint for one in bad if one.hint))
    if all(one.check in CODES for one in bad):
        raise AgentError(message, hint, CODES[bad[0].check])
    raise Refused(message, hint)


def _held(holder: Holder | None) -> list[Finding]:
    if holder is None:
        return []
    since = f"last heard of {holder.age_s:.0f} s ago, its lease holds {holder.ttl_s:.0f} s"
    if holder.foreign:
        message = f"{holder.owner} (not orch) holds the board, {since}"
        return [Finding("refuse", "held", message, "wait until that program is done with it")]
    message = f"{holder.owner} holds the board, {since}"
    hint = "wait for it; orch fleet locks shows it, orch fleet unlock takes it away"
    return [Finding("refuse", "held", message, hint)]


def _kind(facts: Mapping[str, Json], release: Release) -> list[Finding]:
    simulated = facts.get("simulated") is True
    if simulated == release.simulated:
        return []
    kinds = {True: "simulated", False: "genuine"}
    message = f"a {kinds[simulated]} board does not run a {kinds[release.simulated]} axmodel"
    hint = "deploy to a fleet whose toolchain fits its boards: fleets.*.toolchain"
    return [Finding("refuse", "simulated", message, hint)]


def _chip(facts: Mapping[str, Json], release: Release) -> list[Finding]:
    chip, target, found = facts.get("chip_type"), release.target, []
    hardware = HARDWARE_OF_CHIP.get(str(chip))
    if hardware != target.hardware:
        message = f"its chip is {chip} ({hardware or 'unknown'}), the model is for {target}"
        fits = f"set compile.target_hardware: {hardware}" if hardware else "is this an AXERA board?"
        found.append(Finding("refuse", "chip", message, fits))
    if target.npu_mode != "NPU1" and facts.get("vnpu") == "enable":
        message = f"its NPU is split (vnpu enable), the model is for {target}"
        hint = "set compile.npu_mode: NPU1, or turn the virtual NPU off on the board"
        found.append(Finding("refuse", "vnpu", message, hint))
    return found


def _software(
    facts: Mapping[str, Json], release: Release, need: Need, known: Known
) -> list[Finding]:
    pairing = pairing_of(release.pulsar2_version, facts)
    found = [check_rules(release, pairing, need.dtypes, need.task)]
    learned = check_learned(release, pairing, known.loaded)
    if learned is not None and learned.level == "refuse" and known.ignore_learned:
        learned = Finding("warn", learned.check, f"{learned.message}; tried all the same")
    return [*found, learned] if learned else found


def _memory(facts: Mapping[str, Json], release: Release, need: Need) -> list[Finding]:
    """Compare NPU memory: with what was measured, else with what it cannot be less than."""
    free, total = number(facts, "cmm_free_bytes"), number(facts, "cmm_total_bytes")
    model = sum(
        item.size_bytes for name, item in release.files.items() if name.endswith(".axmodel")
    )
    least, seen = model + need.tensor_bytes, need.cmm_bytes or 0
    if free is None or free >= max(least, seen):
        return []
    of_all = "" if total is None else f" of {_mb(total)}"
    wants = (
        f"takes {_mb(seen)}, measured on another board"
        if seen > least
        else f"takes {_mb(least)} at least (file {_mb(model)}, tensors {_mb(need.tensor_bytes)})"
    )
    message = f"{_mb(free)}{of_all} of NPU memory (CMM) are free, the model {wants}"
    hint = "stop what holds it: /proc/ax_proc/mem_cmm_info names it; or give the board more CMM"
    return [Finding("refuse", "cmm", message, hint)]


def _disk(facts: Mapping[str, Json], need: Need) -> list[Finding]:
    limits, found = rules().limits, []
    hint = "free some room on the board, or set work_dir to a larger disk"
    free, inodes = number(facts, "disk_free_bytes"), number(facts, "inodes_free")
    wanted = (need.send_bytes + need.unpack_bytes) * limits.disk_margin
    if free is not None and wanted > free:
        packed = f", {_mb(need.unpack_bytes)} come of it" if need.unpack_bytes else ""
        message = (
            f"{_mb(free)} of disk are free, {_mb(need.send_bytes)} are sent{packed}: "
            f"with a margin {_mb(wanted)}"
        )
        found.append(Finding("refuse", "disk", message, hint))
    files = need.files + limits.min_free_inodes
    if inodes is not None and need.files and files > inodes:
        message = f"{inodes:.0f} inodes are free, {files} are needed"
        found.append(Finding("refuse", "inodes", message, hint))
    if facts.get("work_dir_writable") is False:
        message = "its work_dir cannot be written to"
        mend = "is its file system read-only, is it another user's? set boards.*.work_dir"
        found.append(Finding("refuse", "work_dir", message, mend))
    return found


def _state(facts: Mapping[str, Json], now_unix_s: float) -> list[Finding]:
    limits, found = rules().limits, []
    temperature, clock = number(facts, "temperature_c"), number(facts, "clock_unix_s")
    if temperature is not None and temperature > limits.max_temperature_c:
        message = f"it has {temperature:.1f} °C, the limit is {limits.max_temperature_c:.0f} °C"
        hint = "is its fan running, what keeps it busy? try again when it has cooled down"
        found.append(Finding("refuse", "temperature", message, hint))
    skew = 0.0 if clock is None else clock - now_unix_s
    if abs(skew) > limits.max_clock_skew_s:
        side = "ahead of" if skew > 0 else "behind"
        days = f" ({abs(skew) / _DAY_S:.1f} days)" if abs(skew) > _DAY_S else ""
        message = f"its clock is {abs(skew):.0f} s{days} {side} this host's"
        found.append(Finding("warn", "clock", message, "set up NTP on the board"))
    return found


def _mb(size_bytes: float) -> str:
    return f"{size_bytes / 1e6:.1f} MB"
