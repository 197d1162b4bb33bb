"""A folder to run `orch` in, as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ORCH = Path(sys.executable).with_name("orch")


@dataclass(frozen=True, slots=True)
class Desk:
    """A folder with an inventory, and what else a test puts there."""

    folder: Path

    def orch(self, *argv: str) -> tuple[int, str, str]:
        """Give exit code, stdout and stderr."""
        done = subprocess.run(
            [str(ORCH), *argv],
            cwd=self.folder,
            env=os.environ | {"HF_HUB_OFFLINE": "1", "COLUMNS": "250"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr
