"""Bring a bare board to where the agent can run a model: Python packages under its work_dir."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from orchestrator.agent import Agent
from orchestrator.bootstrap.axengine_builds import name_build
from orchestrator.bootstrap.board_python import (
    BoardPython,
    parse_python,
    parse_selftest,
    platform_of,
)
from orchestrator.bootstrap.wheelhouse import Wheelhouse
from orchestrator.bootstrap.wheels import (
    OLDEST_PYTHON,
    Wheel,
    check_axengine,
    file_sha256,
    set_name,
)
from orchestrator.domain import Board, Caps, Json
from orchestrator.errors import AgentError, ConfigError, Refused
from orchestrator.fleet.errands import Answer, Courier, run_errands
from orchestrator.leases import leased, look
from orchestrator.replies import Probe
from orchestrator.shell.agent import ShellAgent

#: What unpacking takes of a slow flash, and the vendor's model of a slow runtime.
INSTALL_DEADLINE_S, SELFTEST_DEADLINE_S = 600.0, 60.0
#: What one transfer may take: a start, and a slow link of 100 kB/s.
_TRANSFER_START_S, _SLOWEST_BYTES_PER_S = 60.0, 100_000.0
#: A board's disk must hold the wheels, what is in them, and some room beside it.
_DISK_MARGIN = 1.2
_AXE_ONLY = "ax_run_model only: {}"


@dataclass(frozen=True, slots=True)
class Bootstrapped:
    """What a board has now, and what was done for it.

    Attributes:
        state: `ready`, `installed`, `would install`, `limited` (no Python that axengine loads
            in), `incomplete`, `failed`.
        packages: versions by name, as a worker would import them.
        selftest: the result of the vendor's own model; None where the board has none.
    """

    board: str
    state: str
    can: str = ""
    python: str = ""
    machine: str = ""
    libc: str = ""
    axengine: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    installed: str | None = None
    uploaded_bytes: int = 0
    selftest: Mapping[str, Json] | None = None
    simulated: bool = False
    error_code: str = ""
    error: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Supplies:
    """What boards are brought; `owner` names us in their leases."""

    wheelhouse: Wheelhouse
    axengine: Wheel | None
    owner: str
    dry_run: bool = False


def bootstrap_fleet(
    boards: Sequence[Board], caps: Caps, supplies: Supplies, courier: Courier
) -> list[Bootstrapped]:
    """Bootstrap every board; one that fails does not stop the others."""
    errand = partial(_visit, supplies=supplies)
    answers = run_errands(boards, caps, courier, errand, _in_one_line)
    return [one.value or _failed(one) for one in answers]


def _failed(one: Answer[Bootstrapped]) -> Bootstrapped:
    return Bootstrapped(
        one.board, "failed", error_code=one.error_code, error=one.error, hint=one.hint
    )


def _visit(agent: Agent, supplies: Supplies) -> Bootstrapped:
    """Bootstrap one board, over one connection."""
    name = agent.board.name
    if isinstance(agent, ShellAgent):
        return Bootstrapped(name, "limited", _AXE_ONLY.format("it has no python3"))
    try:
        return bootstrap(agent, supplies)
    except ConfigError as error:  # no wheels for this board: another one may have them
        return Bootstrapped(
            name, "failed", error_code="NO_WHEELS", error=f"{name}: {error}", hint=error.hint
        )


def bootstrap(agent: Agent, supplies: Supplies) -> Bootstrapped:
    """Install what one board lacks and try it.

    Raises:
        ConfigError: there are no wheels for it.
        BoardError: Refused before a byte is copied, or what failed on the way.
    """
    name = agent.board.name
    before = parse_python(name, agent.ask("runtime", {}))
    found = _told(name, before)
    if before.version < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        can = _AXE_ONLY.format(f"Python {before.text} < {oldest}")
        return replace(found, state="limited", can=can)
    wheels = _lacking(name, before, supplies)
    if supplies.dry_run:
        return replace(found, state="would install") if wheels else found
    if not wheels and not _untested(before):
        return found
    return _bring(agent, supplies, before, wheels)


def _lacking(name: str, before: BoardPython, supplies: Supplies) -> tuple[Wheel, ...]:
    """Give the set that the board is to have; none where it has all it needs."""
    own = supplies.axengine
    lacks = [one for one, version in before.packages.items() if version is None]
    bare = [one for one in lacks if one != "axengine"]
    if not bare and (own is None or before.axengine_sha256 == file_sha256(own, "axengine/_axe.py")):
        return ()
    platform = platform_of(name, before)
    wheels = supplies.wheelhouse.wheels_for(platform)
    if own is not None:
        check_axengine(own, platform)
        wheels = (*wheels, own)
    if before.installed == set_name(platform, wheels):
        return ()
    room = sum(one.size_bytes + one.unpacked_bytes for one in wheels) * _DISK_MARGIN
    if room > before.disk_free_bytes:
        raise Refused(
            f"{name}: {before.disk_free_bytes / 1e6:.1f} MB of disk are free, the packages "
            f"need {room / 1e6:.1f} MB",
            "free some room on the board, or set work_dir to a larger disk",
        )
    return wheels


def _bring(
    agent: Agent, supplies: Supplies, before: BoardPython, wheels: tuple[Wheel, ...]
) -> Bootstrapped:
    """Under the lease: send, install, try."""
    name = agent.board.name
    with leased(agent, supplies.owner, [one.sha256 for one in wheels]) as probe:
        after, sent = before, 0
        if wheels:
            sent = _send(agent, probe, wheels)
            sent += _install(agent, set_name(platform_of(name, before), wheels), wheels)
            after = parse_python(name, agent.ask("runtime", {}))
        found = replace(_told(name, after), uploaded_bytes=sent)
        if wheels and after.complete:
            found = replace(found, state="installed")
        if not _untested(after):
            return found
        limit_s = SELFTEST_DEADLINE_S
        tried = agent.ask("selftest", {"deadline_s": limit_s}, limit_s + _TRANSFER_START_S)
        return replace(found, selftest=parse_selftest(name, tried))


def _send(agent: Agent, probe: Probe, wheels: tuple[Wheel, ...]) -> int:
    missing = [one for one in wheels if one.sha256 not in probe.blobs]
    return sum(_upload(agent, one, probe.parts) for one in missing)


def _upload(agent: Agent, wheel: Wheel, parts: Mapping[str, int]) -> int:
    offset = parts.get(wheel.sha256, 0)
    if offset > wheel.size_bytes:
        offset = 0
    deadline = _TRANSFER_START_S + wheel.size_bytes / _SLOWEST_BYTES_PER_S
    path = agent.incoming(wheel.sha256)
    return agent.transport.put(wheel.path, path, offset, deadline_s=agent.left(deadline))


def _install(agent: Agent, name: str, wheels: tuple[Wheel, ...]) -> int:
    """Have the wheels unpacked; give the bytes that had to be sent again, once, for damage."""
    listed: dict[str, Json] = {
        one.path.name: {"sha256": one.sha256, "size_bytes": one.size_bytes} for one in wheels
    }
    request: dict[str, Json] = {"name": name, "manifest": {"files": listed}}
    try:
        agent.ask("install", request, INSTALL_DEADLINE_S)
    except AgentError as error:
        if error.code != "HASH_MISMATCH":
            raise
        # The agent has thrown away what did not arrive as it was sent.
        again = _send(agent, look(agent, [one.sha256 for one in wheels]), wheels)
        agent.ask("install", request, INSTALL_DEADLINE_S)
        return again
    return 0


def _untested(found: BoardPython) -> bool:
    """Say whether there is a model to try, everything to run it with, and no result yet."""
    return found.complete and bool(found.models) and found.selftest is None


def _told(name: str, found: BoardPython) -> Bootstrapped:
    ready = found.complete
    lacks = [one for one, version in found.packages.items() if version is None]
    lacking = "axengine is on no index: name its wheel with --axengine and --sha256"
    return Bootstrapped(
        board=name,
        state="ready" if ready else "incomplete",
        can="axengine" if ready else _AXE_ONLY.format("its Python lacks " + ", ".join(lacks)),
        python=found.text,
        machine=found.machine,
        libc=found.libc or "",
        axengine=name_build(found.axengine_sha256, simulated=found.simulated),
        packages={one: version or "" for one, version in found.packages.items()},
        installed=found.installed,
        selftest=found.selftest,
        simulated=found.simulated,
        hint=lacking if "axengine" in lacks else "",
    )


def _in_one_line(one: Bootstrapped) -> str:
    if one.error:
        return one.error
    sent = f", {one.uploaded_bytes:,} bytes uploaded" if one.uploaded_bytes else ""
    return f"{one.state}{sent}: {one.can}" if one.can else one.state
