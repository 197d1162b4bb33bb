"""parallel-ssh: put a file, run a command. argv as in fabric_threads.py."""

from __future__ import annotations

import sys

from gevent import joinall
from pssh.clients import ParallelSSHClient

if __name__ == "__main__":
    hosts, key, file, target, command = sys.argv[1:]
    named = hosts.split(",")
    client = ParallelSSHClient(
        named, user="root", pkey=key, pool_size=len(named), num_retries=1, timeout=10
    )
    if file != "-":
        joinall(client.copy_file(file, target), raise_error=True)
    failed = 0
    for one in client.run_command(command, stop_on_errors=False):
        if one.exception is not None:
            failed += 1
            continue
        list(one.stdout)
        failed += one.exit_code != 0
        print(f"done {one.host}", flush=True)
    sys.exit(1 if failed else 0)
