"""The command line of `pulsar2`: version, build, run; its program calls itself main.py."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .build import build
from .config import merge, read_config
from .failure import CodeException, ToolFailure, render
from .run import Simulation, run
from .schema import Option, Schema, load_schema, options
from .toolversion import ToolVersion, load_version

_TRUE = {"1": True, "true": True, "True": True}
_FALSE = {"0": False, "false": False, "False": False}


def main(argv: Sequence[str]) -> int:
    """Run the command; give the exit code: 0, or 1 after a failure. Usage errors exit with 2."""
    prefix = "yamain"
    try:
        version = load_version()
        prefix = version.wording.exceptions
        return _run_command(argv, version)
    except (ToolFailure, CodeException) as error:
        print(render(error, prefix), file=sys.stderr, flush=True)
        return 1


def _run_command(argv: Sequence[str], version: ToolVersion) -> int:
    if argv[:1] == [version.llm_command]:
        raise ToolFailure("NotImplementedError", f"{version.llm_command} is not simulated")
    schema = load_schema(version)
    parser = _parser(schema, version)
    arguments = parser.parse_args(argv)
    if arguments.command == "version":
        print(f"version: {version.version}\ncommit: {version.commit}")
    elif arguments.command == "build":
        given = {
            option.path: getattr(arguments, option.path)
            for option in options(schema)
            if getattr(arguments, option.path) is not None
        }
        config = read_config(Path(arguments.config)) if arguments.config else {}
        build(merge(schema, config, given), version)
    elif arguments.command == "run":
        run(_simulation(arguments))
    else:
        parser.print_help()
    return 0


def _parser(schema: Schema, version: ToolVersion) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="main.py", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("version", allow_abbrev=False, help="print version and commit")
    building = commands.add_parser("build", allow_abbrev=False, help="compile an ONNX file")
    formats = "json / yaml / toml / prototxt"
    described = f"config file path, {formats}. type: string. required: false. default: ."
    building.add_argument("--config", metavar="", help=described)
    for option in options(schema):
        _add_option(building, option, version)
    building.add_argument("--debug.dump_frontend_graph", nargs="?", help=argparse.SUPPRESS)
    _add_run(commands.add_parser("run", allow_abbrev=False, help="run a model on the CPU"))
    commands.add_parser(version.llm_command, help="not simulated")
    return parser


def _add_option(parser: argparse.ArgumentParser, option: Option, version: ToolVersion) -> None:
    flag, note = f"--{option.path}", option.note
    required = "true" if note.required else "false"
    described = f"type: {option.kind}. required: {required}. default: {note.default}."
    if option.path == "onnx_opt.enable_onnxsim":
        described = f"simplify by {version.wording.simplifier}. {described}"
    for label, text in (("format", note.format), ("limitation", note.limitation)):
        described += f" {label}: {text}." if text else ""
    if option.choices:
        described += f" option: {', '.join(option.choices)}."
        parser.add_argument(flag, choices=option.choices, metavar="", help=described)
    elif option.kind == "bool":
        parser.add_argument(flag, nargs="?", const=True, type=_bool, metavar="", help=described)
    else:
        kinds: dict[str, Any] = {"int32": int, "float": float, "double": float, "string": str}
        many = "*" if option.repeated else None
        parser.add_argument(flag, type=kinds[option.kind], nargs=many, metavar="", help=described)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="", help=argparse.SUPPRESS)
    parser.add_argument("--model", metavar="", required=True, help="ONNX or simulated axmodel")
    parser.add_argument("--input_dir", metavar="", default=".", help="folder of the .bin inputs")
    parser.add_argument("--output_dir", metavar="", default=".", help="folder of the .bin outputs")
    parser.add_argument("--list", metavar="", default="", help="file: one sub-folder a line")
    parser.add_argument("--random_input", nargs="?", const=True, default=False, type=_bool)
    parser.add_argument("--batch_size", metavar="", type=int, default=0, help="times to run")
    parser.add_argument(
        "--enable_perlayer_output", nargs="?", const=True, default=False, type=_bool
    )
    for ignored in ("--mode", "--target_hardware", "--group_index"):
        parser.add_argument(ignored, nargs="?", metavar="", help="taken, without effect here")


def _simulation(arguments: argparse.Namespace) -> Simulation:
    return Simulation(
        model=Path(arguments.model),
        input_dir=Path(arguments.input_dir),
        output_dir=Path(arguments.output_dir),
        list_file=Path(arguments.list) if arguments.list else None,
        random_input=arguments.random_input,
        batch_size=arguments.batch_size,
        per_layer=arguments.enable_perlayer_output,
    )


def _bool(value: str) -> bool:
    known = _TRUE | _FALSE
    if value not in known:
        raise argparse.ArgumentTypeError(f"invalid bool value: {value!r}")
    return known[value]
