"""pyinfra's inventory: HOSTS by comma and KEY in the environment."""

from __future__ import annotations

import os

hosts = [
    (host, {"ssh_user": "root", "ssh_key": os.environ["KEY"], "ssh_connect_timeout": 10})
    for host in os.environ["HOSTS"].split(",")
]
