"""How each tool is told to put a file on hosts and to run a command there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.container_fleet import Fleet, Host

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "orch"
PEERS = CACHE / "peers"
PACKAGES = ("fabric==3.2.3", "pyinfra==3.10.0", "ansible-core==2.19.*", "parallel-ssh==2.16.*")
TARGET = "/root/bench/model.axmodel"
COMMAND = "uname -m"
#: The tools, and whether what arrived is verified there after it was sent.
TOOLS: Mapping[str, bool] = {
    "fabric": False,
    "fabric + sha256sum": True,
    "pyinfra": False,
    "ansible": True,
    "parallel-ssh": False,
    "rsync": True,
    "orch": True,
}


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do: `file` None is the command alone."""

    fleet: Fleet
    hosts: Sequence[Host]
    file: Path | None
    options: tuple[str, ...] = ()

    @property
    def addresses(self) -> str:
        return ",".join(host.address for host in self.hosts)

    @property
    def sent(self) -> str:
        return str(self.file) if self.file else "-"


def install_peers() -> None:
    """Give the peers an environment of their own, once."""
    if (PEERS / "bin" / "pyinfra").exists():
        return
    subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
    argv = [str(PEERS / "bin" / "pip"), "install", "--quiet", "--only-binary=:all:", *PACKAGES]
    subprocess.run(argv, check=True)


def command_of(tool: str, task: Task) -> list[str]:  # noqa: PLR0911 - one for each tool
    """Give the argv of a tool; a whole process, as a user starts it."""
    plain = [task.addresses, str(task.fleet.key), task.sent, TARGET]
    python = str(PEERS / "bin" / "python")
    if tool == "fabric":
        return [python, str(HERE / "peers/fabric_threads.py"), *plain, COMMAND]
    if tool == "fabric + sha256sum":
        command = f"sha256sum {TARGET}"
        return [python, str(HERE / "peers/fabric_threads.py"), *plain, command]
    if tool == "parallel-ssh":
        return [python, str(HERE / "peers/parallel_ssh.py"), *plain, COMMAND]
    if tool == "pyinfra":
        inventory, deploy = HERE / "peers/pyinfra_inventory.py", HERE / "peers/pyinfra_deploy.py"
        workers = str(len(task.hosts))
        return [
            str(PEERS / "bin/pyinfra"),
            "-y",
            "--parallel",
            workers,
            str(inventory),
            str(deploy),
        ]
    if tool == "ansible":
        return _ansible(task)
    if tool == "rsync":
        config = str(task.fleet.ssh_config)
        rest = [task.sent, TARGET, COMMAND, *task.options]
        return [str(HERE / "peers/rsync_all"), task.addresses, config, *rest]
    driver = [sys.executable, str(HERE / "orch_release.py")]
    return [*driver, str(write_inventory(task)), task.sent, str(len(task.hosts))]


def environment_of(tool: str, task: Task) -> dict[str, str]:
    """Give what a tool sees of the environment: the fleet's folder is its home."""
    env = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    env |= {"HOME": str(task.fleet.folder), "NO_COLOR": "1"}
    if tool == "pyinfra":
        env |= {"HOSTS": task.addresses, "KEY": str(task.fleet.key)}
        env |= {"FILE": task.sent, "TARGET": TARGET, "COMMAND": COMMAND}
    if tool == "ansible":
        env |= {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "false"}
    if tool == "orch":
        env |= {"ORCH_HOME": str(task.fleet.folder / "orch-home")}
    return env


def write_inventory(task: Task) -> Path:
    """Write the boards as orch wants to know them; JSON is YAML."""
    boards = {
        host.name: {
            "host": host.address,
            "user": "root",
            "host_key": host.host_key,
            "identity_file": str(task.fleet.key),
        }
        for host in task.hosts
    }
    bench = {"boards": [host.name for host in task.hosts], "max_parallel": len(task.hosts)}
    path = task.fleet.folder / f"inventory-{len(task.hosts)}.yaml"
    path.write_text(json.dumps({"boards": boards, "fleets": {"bench": bench}}))
    return path


def _ansible(task: Task) -> list[str]:
    told = {"file": task.sent, "target": TARGET, "command": COMMAND}
    return [
        str(PEERS / "bin/ansible-playbook"),
        *("--inventory", task.addresses + ",", "--forks", str(len(task.hosts))),
        *("--user", "root", "--private-key", str(task.fleet.key)),
        *("--ssh-common-args", f"-F {task.fleet.ssh_config}"),
        *("--extra-vars", json.dumps(told | {"ansible_python_interpreter": "/usr/bin/python3"})),
        str(HERE / "peers/playbook.yml"),
    ]
