"""The databases that a ledger may lie in; a new backend is one line in `BACKENDS`."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.backends.sql_ledger import SqlLedger

BACKENDS = ("sqlite", pytest.param("postgresql", marks=pytest.mark.slow))
#: Who may run PostgreSQL where the tests run as root.
_NOBODY = 65534


def url_of(backend: str, folder: Path) -> str:
    """Name a new, empty database."""
    if backend == "sqlite":
        return f"sqlite:///{folder / 'state' / 'orch.db'}"
    socket = os.environ["ORCH_TEST_POSTGRES"]
    name = f"orch_{os.urandom(6).hex()}"
    _psql(socket, f'CREATE DATABASE "{name}"')
    return f"postgresql+psycopg://orch@/{name}?host={socket}"


def open_ledger(url: str) -> SqlLedger:
    return SqlLedger(url)


@contextmanager
def postgres() -> Iterator[Path]:
    """A PostgreSQL of this test's own, reached by a socket in a folder; nothing is synced."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    missing = "" if programs else "there is no PostgreSQL on this machine: package postgresql"
    if missing and os.environ.get("CI") == "true":
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    folder = Path(tempfile.mkdtemp(prefix="orch-pg-"))  # a socket's path is at most 107 bytes
    user = {"user": _NOBODY, "group": _NOBODY} if os.getuid() == 0 else {}
    if user:
        os.chown(folder, _NOBODY, _NOBODY)
    programs_folder = programs[-1].parent
    data = folder / "data"
    made = [str(programs_folder / "initdb"), "-D", str(data), "-U", "orch", "-A", "trust", "-N"]
    subprocess.run(made, check=True, capture_output=True, timeout=60, cwd="/", **user)  # type: ignore[call-overload] # ids only
    settings = ["fsync=off", "listen_addresses=", f"unix_socket_directories={folder}"]
    argv = [str(programs[-1]), "-D", str(data), *(word for one in settings for word in ("-c", one))]
    server = subprocess.Popen(  # type: ignore[call-overload] # ids only
        argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **user
    )
    try:
        ready = [str(programs_folder / "pg_isready"), "-h", str(folder), "-q"]
        for _ in range(100):
            if subprocess.run(ready, check=False, timeout=10).returncode == 0:
                break
            server.poll()
            assert server.returncode is None, "postgres ended at once"
        yield folder
    finally:
        server.terminate()
        server.wait(timeout=30)
        shutil.rmtree(folder)


def _psql(socket: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(f"host={socket} user=orch dbname=postgres", autocommit=True) as line:
        line.execute(statement)
