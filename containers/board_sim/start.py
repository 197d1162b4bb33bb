"""Process 1 of a board's container: makes the board below /sim, then becomes sshd.

Environment: AUTHORIZED_KEY, a public key that may log in as root; BOARD_NAME; BOARD_UID, 16 hex
digits, from the name when it is not set; PROFILE; FAULTS, by commas. The host key is the private
key in HOST_KEY, or the file /run/board/host_key, or a new one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from containers.board_sim.profiles import FAULTS, PROFILES, identity_of, with_faults
from containers.board_sim.root import make_root

_HOST_KEY = Path("/etc/ssh/board_host_key")
_MOUNTED_KEY = Path("/run/board/host_key")
#: Those of the faults that a container can have.
_FAULTS_HERE = ("no-sftp", "vnpu", "old-sdk")


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text.strip() + "\n", encoding="ascii")


def _place_keys(env: Mapping[str, str]) -> None:
    _write_private(Path("/root/.ssh/authorized_keys"), env["AUTHORIZED_KEY"])
    if "HOST_KEY" in env:
        _write_private(_HOST_KEY, env["HOST_KEY"])
    elif _MOUNTED_KEY.exists():
        _write_private(_HOST_KEY, _MOUNTED_KEY.read_text(encoding="ascii"))
    elif not _HOST_KEY.exists():
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(_HOST_KEY)]
        subprocess.run(argv, check=True)


def main(env: Mapping[str, str]) -> None:
    """Make the board and become its sshd. Exits when the environment makes no sense."""
    name = env.get("BOARD_NAME", "sim")
    profile = env.get("PROFILE", "m4n-debian12")
    asked = {fault for fault in env.get("FAULTS", "").split(",") if fault}
    faults = [fault for fault in FAULTS if fault in asked]
    if profile not in PROFILES:
        sys.exit(f"board_sim: PROFILE {profile!r}: there are {', '.join(PROFILES)}")
    if asked - set(_FAULTS_HERE):
        sys.exit(f"board_sim: FAULTS {sorted(asked)}: there are {', '.join(_FAULTS_HERE)}")
    if not env.get("AUTHORIZED_KEY"):
        sys.exit("board_sim: AUTHORIZED_KEY is not set: there is no login without a key")
    identity = identity_of(name)
    if env.get("BOARD_UID"):
        identity = replace(identity, uid=int(env["BOARD_UID"], 16))
    make_root(Path("/sim"), with_faults(PROFILES[profile], faults), identity)
    _place_keys(env)
    Path("/run/sshd").mkdir(exist_ok=True)
    sftp = [] if "no-sftp" in faults else ["-o", "Subsystem=sftp internal-sftp"]
    print(f"board_sim: {name} ({profile}), simulated, sshd on port 22", flush=True)
    os.execv("/usr/sbin/sshd", ["/usr/sbin/sshd", "-D", "-e", *sftp])  # noqa: S606 - becomes it


if __name__ == "__main__":
    main(os.environ)
