"""`orch`: the commands, and how errors end."""

from __future__ import annotations

import gc
import os
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from orchestrator import __version__
from orchestrator.cli import (
    baseline,
    boards,
    bootstrap,
    build,
    cache,
    check_colour,
    compare,
    deploy,
    diverge,
    fleet_state,
    history,
    inspect,
    ledger,
    preflight,
    recipe,
    releases,
    report,
    simulate,
    toolchain,
    tune,
    verify,
    verify_accuracy,
    why,
)
from orchestrator.cli.options import JsonOption
from orchestrator.errors import INTERRUPTED, OrchError

app = typer.Typer(
    name="orch",
    help="Take a Hugging Face checkpoint to a measured fleet of AX650N boards.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("deploy")(deploy.deploy)
app.command("build")(build.build)
app.command("run")(deploy.run)
app.command("verify")(verify.verify)
app.command("verify-accuracy")(verify_accuracy.verify_accuracy)
app.command("report")(report.report)
app.command("history")(history.history)
app.command("compare")(compare.compare)
app.add_typer(baseline.app, name="baseline")
app.add_typer(ledger.app, name="ledger")
app.command("releases")(releases.releases)
app.command("rollback")(releases.rollback)
boards.app.command("bootstrap")(bootstrap.bootstrap)
boards.app.command("gc")(releases.gc)
boards.app.command("status")(fleet_state.status)
boards.app.command("readmit")(fleet_state.readmit)
boards.app.command("locks")(fleet_state.locks)
boards.app.command("unlock")(fleet_state.unlock)
app.add_typer(boards.app, name="fleet")
app.add_typer(simulate.app, name="sim")
app.command("inspect")(inspect.inspect)
app.add_typer(recipe.app, name="recipe")
app.command("preflight")(preflight.preflight)
app.command("why")(why.why)
app.command("tune")(tune.tune)
app.command("diverge")(diverge.diverge)
app.command("check-colour")(check_colour.check_colour)
app.add_typer(cache.app, name="cache")
app.add_typer(toolchain.app, name="toolchain")
app.command("schema")(inspect.schema)


@app.command()
def version(json: JsonOption = False) -> None:
    """Print the version of orch."""
    typer.echo(f'{{"orch": "{__version__}"}}' if json else f"orch {__version__}")


@app.callback()
def _options(
    *,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show the traceback of errors.")
    ] = False,
) -> None:
    if verbose:
        os.environ["ORCH_VERBOSE"] = "1"


def main() -> None:
    """Run a command and end with its exit code.

    0 all good, 1 a stage or a board failed, 2 usage or configuration, 3 a gate failed,
    130 interrupted.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app(standalone_mode=True)
    except OrchError as error:
        _say(error.message, error.hint)
        if os.environ.get("ORCH_VERBOSE"):
            traceback.print_exc()
        sys.exit(error.exit_code)
    except SystemExit as end:
        if end.code == INTERRUPTED:  # what Typer makes of Ctrl-C
            _say("interrupted", _clear_up())
        raise
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the last resort: keep the traceback, say where
        _say(
            f"{type(error).__name__}: {error}", f"a bug in orch; traceback in {_write_debug_log()}"
        )
        sys.exit(1)
    finally:
        # The process ends: what it has is not looked through for cycles once more. onnxsim's
        # binding takes what that would have freed for leaks, and says so.
        if "onnxsim" not in sys.modules:
            gc.freeze()


def _interrupt(_: int, __: FrameType | None) -> None:
    """Treat SIGTERM as Ctrl-C."""
    raise KeyboardInterrupt


def _clear_up() -> str:
    """Free the boards that are held, and say what is left for whoever interrupted."""
    from orchestrator.leases import TTL_S, give_all_back

    try:
        boards = give_all_back()
    except KeyboardInterrupt:  # once more: at once
        boards = {}
    freed = [name for name, gone in sorted(boards.items()) if gone]
    held = [name for name, gone in sorted(boards.items()) if not gone]
    said = ["containers and simulated boards are stopped"]
    if freed:
        said.append(f"free again, with nothing running: {', '.join(freed)}")
    if held:
        said.append(f"not reached, free in {TTL_S:g} s at the latest: {', '.join(held)}")
    said.append("boards keep their release and what has arrived: run the same command again")
    return "; ".join(said)


def _say(message: str, hint: str) -> None:
    """Print the one line, and the hint under it."""
    red, plain = ("\x1b[31m", "\x1b[0m") if _colour() else ("", "")
    sys.stderr.write(f"{red}error:{plain} {message}\n")
    if hint:
        sys.stderr.write(f"hint:  {hint}\n")


def _colour() -> bool:
    return sys.stderr.isatty() and "NO_COLOR" not in os.environ


def _write_debug_log() -> Path:
    import tempfile

    descriptor, name = tempfile.mkstemp(prefix="orch-", suffix=".log")
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        traceback.print_exc(file=stream)
    return Path(name)
