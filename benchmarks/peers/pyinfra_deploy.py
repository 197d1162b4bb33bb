"""pyinfra's deploy file: put a file, run a command. FILE, TARGET and COMMAND in the environment."""

from __future__ import annotations

import os

from pyinfra.operations import files, server

if os.environ["FILE"] != "-":
    files.put(name="put", src=os.environ["FILE"], dest=os.environ["TARGET"])
server.shell(name="command", commands=[os.environ["COMMAND"]])
