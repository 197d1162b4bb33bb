"""Fabric as one writes it by hand: a thread per host, put a file, run a command.

argv: hosts by comma, key, file or `-`, target, command.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor, as_completed

from fabric import Config, Connection


def work(host: str) -> str:
    config = Config(overrides={"load_ssh_configs": False})
    keys = {"key_filename": KEY, "banner_timeout": 10, "look_for_keys": False}
    with Connection(
        host, user="root", config=config, connect_timeout=10, connect_kwargs=keys
    ) as line:
        if FILE != "-":
            line.put(FILE, TARGET)
        line.run(COMMAND, hide=True)
    return host


if __name__ == "__main__":
    hosts, KEY, FILE, TARGET, COMMAND = sys.argv[1:]
    failed = 0
    named = hosts.split(",")
    with ThreadPoolExecutor(len(named)) as pool:
        for future in as_completed([pool.submit(work, host) for host in named]):
            error = future.exception()
            failed += error is not None
            print("failed" if error else f"done {future.result()}", flush=True)
    sys.exit(1 if failed else 0)
