"""Process 1 of a board's container: makes the board below /sim, then becomes its SSH server.

Environment: AUTHORIZED_KEY, a public key that may log in; BOARD_NAME; BOARD_UID, 16 hex digits,
from the name when it is not set; PROFILE; FAULTS, by commas; AXENGINE, the build whose quirks it
has; TRACE and SEED of a scripted board; SUDO_PASSWORD of a board whose user is not root. The host
key is the private key in HOST_KEY, or the file /run/board/host_key, or a new one. The image sets
BOARD_USER, SSH_SERVER and VENDOR_LIBRARIES.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from containers.board_sim.board_clock import CLOCK
from containers.board_sim.profiles import (
    AXENGINE_BUILDS,
    FAULTS,
    PROFILES,
    identity_of,
    with_faults,
)
from containers.board_sim.replaying import Script
from containers.board_sim.root import make_root
from containers.board_sim.traces import KINDS

_HOST_KEY = Path("/etc/ssh/board_host_key")
_DROPBEAR_KEY = "/etc/dropbear/board_host_key"
_MOUNTED_KEY = Path("/run/board/host_key")
#: Those of the faults that a container can have.
_FAULTS_HERE = ("no-sftp", "vnpu", "old-sdk", "cmm-full", "hot", "tenant", "clock-1970")
#: How far after the epoch a clock without a battery begins.
_BOOTED_S = 30


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text.strip() + "\n", encoding="ascii")


def _place_keys(env: Mapping[str, str]) -> None:
    user = env.get("BOARD_USER", "root")
    home = Path("/root" if user == "root" else f"/home/{user}")
    _write_private(home / ".ssh/authorized_keys", env["AUTHORIZED_KEY"])
    if user != "root":
        # sshd without PAM refuses a user whose password is locked.
        words = f"{user}:{env.get('SUDO_PASSWORD') or os.urandom(12).hex()}\n"
        subprocess.run(["chpasswd"], input=words, text=True, check=True)
        for path in (home / ".ssh", home / ".ssh/authorized_keys"):
            shutil.chown(path, user, user)
    if "HOST_KEY" in env:
        _write_private(_HOST_KEY, env["HOST_KEY"])
    elif _MOUNTED_KEY.exists():
        _write_private(_HOST_KEY, _MOUNTED_KEY.read_text(encoding="ascii"))
    elif not _HOST_KEY.exists() and env.get("SSH_SERVER") != "dropbear":
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(_HOST_KEY)]
        subprocess.run(argv, check=True)


def _place_libraries(root: Path) -> None:
    """Put libraries of the vendor's names where his are, off the linker's path."""
    system = Path("/usr/lib/x86_64-linux-gnu/libdl.so.2")
    for name in ("sys", "interpreter", "engine"):
        shutil.copyfile(system, root / f"soc/lib/libax_{name}.so")


def server_argv(env: Mapping[str, str], faults: tuple[str, ...]) -> list[str]:
    """Give the command line of the board's SSH server."""
    if env.get("SSH_SERVER") == "dropbear":
        return ["/usr/sbin/dropbear", "-F", "-E", "-s", "-r", _DROPBEAR_KEY]
    argv = ["/usr/sbin/sshd", "-D", "-e"]
    if "no-sftp" not in faults:
        argv += ["-o", "Subsystem=sftp internal-sftp"]
    return argv


def _prepare_server(server: str) -> None:
    Path("/run/sshd").mkdir(parents=True, exist_ok=True)
    if server == "dropbear":
        made = ["dropbearkey", "-t", "ed25519", "-f", _DROPBEAR_KEY]
        given = ["dropbearconvert", "openssh", "dropbear", str(_HOST_KEY), _DROPBEAR_KEY]
        Path(_DROPBEAR_KEY).unlink(missing_ok=True)
        subprocess.run(given if _HOST_KEY.exists() else made, check=True, capture_output=True)


def _script(env: Mapping[str, str]) -> Script | None:
    """Give the trace of the board, if it has one. Exits when there is none of that name."""
    asked = env.get("TRACE", "")
    for kind in KINDS:
        if asked == kind:
            return Script(kind, int(env.get("SEED", "0")))
    if asked:
        sys.exit(f"board_sim: TRACE {asked!r}: there are {', '.join(KINDS)}")
    return None


def main(env: Mapping[str, str]) -> None:
    """Make the board and become its SSH server. Exits when the environment makes no sense."""
    name = env.get("BOARD_NAME", "sim")
    profile = env.get("PROFILE", "m4n-debian12")
    asked = {fault for fault in env.get("FAULTS", "").split(",") if fault}
    if profile not in PROFILES:
        sys.exit(f"board_sim: PROFILE {profile!r}: there are {', '.join(PROFILES)}")
    if asked - set(_FAULTS_HERE):
        sys.exit(f"board_sim: FAULTS {sorted(asked)}: there are {', '.join(_FAULTS_HERE)}")
    if not env.get("AUTHORIZED_KEY"):
        sys.exit("board_sim: AUTHORIZED_KEY is not set: there is no login without a key")
    identity = identity_of(name)
    if env.get("BOARD_UID"):
        identity = identity._replace(uid=int(env["BOARD_UID"], 16))
    facts = with_faults(PROFILES[profile], [fault for fault in FAULTS if fault in asked])
    build = env.get("AXENGINE", facts.axengine)
    if build not in AXENGINE_BUILDS:
        sys.exit(f"board_sim: AXENGINE {build!r}: there are {', '.join(AXENGINE_BUILDS)}")
    facts = facts._replace(axengine=build)
    make_root(Path("/sim"), facts, identity, _script(env))
    if env.get("VENDOR_LIBRARIES"):
        _place_libraries(Path("/sim"))
    if "clock-1970" in asked and not CLOCK.exists():
        CLOCK.write_text(f"-{int(time.time()) - _BOOTED_S}\n", encoding="ascii")
    _place_keys(env)
    server = env.get("SSH_SERVER", "sshd")
    _prepare_server(server)
    print(f"board_sim: {name} ({profile}), simulated, {server} on port 22", flush=True)
    argv = server_argv(env, tuple(asked))
    os.execv(argv[0], argv)  # noqa: S606 - becomes it


if __name__ == "__main__":
    main(os.environ)
