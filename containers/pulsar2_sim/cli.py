"""The command line of `pulsar2`: version, build, run; its program calls itself main.py."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .config import merge, read_config
from .console import MODULES
from .failure import CodeException, ToolFailure, render
from .protobuf_config import config_type
from .schema import Option, Schema, load_schema, options
from .toolversion import ToolVersion, load_version

if TYPE_CHECKING:
    from .run import Simulation

_TRUE = {"1": True, "true": True, "True": True}
_MODES = ("Reference", "NPUBackend")
_FALSE = {"0": False, "false": False, "False": False}


def main(argv: Sequence[str]) -> int:
    """Run the command; give the exit code: 0, or 1 after a failure. Usage errors exit with 2."""
    try:
        version = load_version()
        MODULES.set(version.wording.modules)
        return _run_command(argv, version)
    except (ToolFailure, CodeException) as error:
        print(render(error, MODULES.get()), file=sys.stderr, flush=True)
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
        kind = config_type(schema)
        config = read_config(Path(arguments.config), kind) if arguments.config else {}
        from .build import build  # `version` does not wait for onnxruntime

        build(merge(kind, config, given), version)
    elif arguments.command == "run":
        from .run import run

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
    running = commands.add_parser("run", allow_abbrev=False, help="run a model on the CPU")
    _add_run(running, version)
    commands.add_parser(version.llm_command, help="not simulated")
    return parser


def _add_option(parser: argparse.ArgumentParser, option: Option, version: ToolVersion) -> None:
    flag, note = f"--{option.path}", option.note
    modes = "; ".join(f"{n}: {' / '.join(c.npu_modes)}" for n, c in version.hardware.items())
    about = note.about.format(simplifier=version.wording.simplifier, modes=modes)
    required = "true" if note.required else "false"
    described = f"{about}. type: {option.type_name}. required: {required}. default: {note.default}."
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


def _add_run(parser: argparse.ArgumentParser, version: ToolVersion) -> None:
    chips = tuple(version.hardware)
    texts = {
        "--config": ("config file; not simulated", "", ()),
        "--model": ("ONNX, quantized or simulated axmodel", "", ()),
        "--input_dir": ("folder of the .bin inputs", ".", ()),
        "--output_dir": ("folder of the .bin outputs", ".", ()),
        "--list": ("file that names a folder below both in each line", "", ()),
        "--mode": ("what computes a QuantAxModel; without effect", "Reference", _MODES),
        "--target_hardware": ("chip of a QuantAxModel; without effect", "AX650", chips),
    }
    for flag, (about, default, choices) in texts.items():
        required = "true" if flag == "--model" else "false"
        described = f"{about}. type: {'enum' if choices else 'string'}. required: {required}. "
        described += f"default: {default}."
        described += f" option: {', '.join(choices)}." if choices else ""
        parser.add_argument(
            flag, metavar="", default=default, choices=choices or None, help=described
        )
    for flag, about in (("--batch_size", "samples in each file"), ("--group_index", "ignored")):
        described = f"{about}. type: int. required: false. default: 0."
        parser.add_argument(flag, metavar="", type=int, default=0, help=described)
    for flag, about in (
        ("--random_input", "make inputs"),
        ("--enable_perlayer_output", "write every tensor"),
    ):
        described = f"{about}. type: bool. required: false. default: false."
        parser.add_argument(
            flag, metavar="", nargs="?", const=True, default=False, type=_bool, help=described
        )


def _simulation(arguments: argparse.Namespace) -> "Simulation":
    from .run import Simulation

    if arguments.config:
        raise ToolFailure("NotImplementedError", "run --config is not simulated")
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
