from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from board_agent import protocol, runtime
from board_agent.answer import answer
from board_agent.places import Board as Place
from board_agent.places import worker_environment

LINES = """\
[INFO] Available providers:  ['AxEngineExecutionProvider']
ERROR,Func(__syslog_parma_cfg_get), NOT find = '/etc/ax_syslog.conf'
[INFO] Using provider: AxEngineExecutionProvider
[INFO] Chip type: ChipType.MC50
[INFO] VNPU type: VNPUType.DISABLED
[INFO] Engine version: 2.10.1s
[INFO] Model type: 0 (single core)
[INFO] Compiler version: 1.2-patch2 7e6b2b5f
"""


#: As releases after 0.1.3 say it, on stderr.
LOGGED = """\
2026-10-01 12:00:00,123 - axengine._session - INFO - Using provider: AxEngineExecutionProvider
2026-10-01 12:00:00,124 - axengine._axe - INFO - Chip type: ChipType.MC50
2026-10-01 12:00:00,124 - axengine._axe - INFO - VNPU type: VNPUType.DISABLED
2026-10-01 12:00:00,124 - axengine._axe - INFO - Engine version: 2.10.1s
2026-10-01 12:00:00,125 - axengine._axe - INFO - Model type: 0 (single core)
2026-10-01 12:00:00,126 - axengine._axe - INFO - Compiler version: 1.2-patch2 7e6b2b5f
"""


@pytest.mark.parametrize(
    ("log", "available"), [(LINES, "['AxEngineExecutionProvider']"), (LOGGED, None)]
)
def test_the_lines_become_facts_printed_or_logged(log: str, available: str | None) -> None:
    assert runtime.printed_facts(log) == {
        "available_providers": available,
        "provider": "AxEngineExecutionProvider",
        "chip": "MC50",
        "vnpu": "DISABLED",
        "engine_version": "2.10.1s",
        "model_type": "0 (single core)",
        "compiler_version": "1.2-patch2 7e6b2b5f",
    }


def test_lines_that_were_not_printed_are_unknown() -> None:
    assert set(runtime.printed_facts("").values()) == {None}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Failed to initialize ax sys.", "INIT_FAILED"),
        ("Failed to initialize ax sys engine.", "INIT_FAILED"),
        ("Failed to get VNPU attribute.", "INIT_FAILED"),
        (
            "Model type 'ModelType.TRIPLE' is not allowed when vnpu is inited as VNPUType.ENABLED.",
            "VNPU_CONFLICT",
        ),
        ("Failed to load model.", "MODEL_REJECTED"),
        ("Failed to get model type.", "MODEL_REJECTED"),
        ("5 is not a valid ModelType", "MODEL_REJECTED"),
        ("cannot mmap an empty file", "MODEL_REJECTED"),
        ("Failed to allocate memory for input.", "CMM_FULL"),
        ("Selected provider: 'X' is not available.", "NO_RUNTIME"),
        ("Failed to find library ax_engine. Please ensure it is installed", "NO_RUNTIME"),
        ("cannot load library '/soc/lib/libax_engine.so': wrong ELF class", "NO_RUNTIME"),
        ("function/symbol 'AX_SYS_Init' not found in library 'libax_sys.so'", "NO_RUNTIME"),
    ],
)
def test_a_text_at_the_start_has_a_code(text: str, code: str) -> None:
    assert runtime.start_error(RuntimeError(text)).code == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Failed to run model.", "RUN_FAILED"),
        ("Required inputs (['input']) are missing from input feed ({}).", "INPUT_MISMATCH"),
        ("model inputs(input) expect shape [1, 4, 4, 3] and dtype uint8", "INPUT_MISMATCH"),
        ("", "RUN_FAILED"),
    ],
)
def test_a_text_of_a_run_has_a_code(text: str, code: str) -> None:
    assert runtime.run_error(RuntimeError(text)).code == code


@pytest.mark.parametrize(
    ("python", "code"), [((3, 8), "OLD_PYTHON"), ((3, 9), "OLD_PYTHON"), ((3, 10), "NO_RUNTIME")]
)
def test_an_import_that_fails_blames_an_old_python(python: tuple[int, int], code: str) -> None:
    error = runtime.import_error(TypeError("unsupported operand type(s) for |"), python)

    assert error.code == code
    assert "unsupported operand" in error.details["import_error"]


@pytest.mark.parametrize(
    ("error", "python", "code"),
    [
        (TypeError("unsupported operand type(s) for |"), (3, 9), "OLD_PYTHON"),
        (TypeError("Unable to load model from type"), (3, 10), "MODEL_REJECTED"),
        (ModuleNotFoundError("No module named 'cffi'"), (3, 11), "NO_RUNTIME"),
    ],
)
def test_what_the_package_imports_at_the_start_may_fail_as_an_import(
    error: Exception, python: tuple[int, int], code: str
) -> None:
    assert runtime.start_error(error, python).code == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x"), "DISK_FULL"),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "/x"), "DISK_FULL"),
        (OSError(errno.EACCES, "Permission denied", "/x"), "NOT_WRITABLE"),
        (OSError(errno.EIO, "Input/output error", "/x"), "INTERNAL"),
        (ZeroDivisionError("division by zero"), "INTERNAL"),
    ],
)
def test_whatever_goes_wrong_becomes_a_reply(error: Exception, code: str) -> None:
    def work() -> dict[str, Any]:
        raise error

    reply = answer(work)

    assert reply["error"]["code"] == code
    assert ("traceback" in reply["error"]["details"]) == (code == "INTERNAL")
    assert protocol.unpack(protocol.pack(reply)) == reply


def test_the_worker_gets_the_environment_of_a_login() -> None:
    given = {"PATH": "/bin", "PYTHONOPTIMIZE": "2", "HOME": "/root"}

    made = worker_environment(Place(""), given, Path("/w/agent.pyz"))

    assert made["PATH"] == "/opt/bin:/soc/bin:/bin"
    assert made["LD_LIBRARY_PATH"].startswith("/soc/lib:/opt/lib:/usr/lib")
    assert made["PYTHONPATH"] == "/w/agent.pyz"
    assert made["HOME"] == "/root"
    assert "PYTHONOPTIMIZE" not in made
    assert made["AXENGINE_LOG_LEVEL"] == "INFO"


def test_a_simulated_board_has_its_libraries_under_its_root() -> None:
    made = worker_environment(Place("/sim"), {}, Path("/w/agent.pyz"))

    assert made["LD_LIBRARY_PATH"].split(os.pathsep)[0] == "/sim/soc/lib"
