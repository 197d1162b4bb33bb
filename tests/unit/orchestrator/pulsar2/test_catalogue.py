from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.pulsar2.catalogue import Rule, catalogue
from orchestrator.pulsar2.failures import diagnose

REFERENCE = Path(__file__).parents[4] / "docs" / "reference"
RULES = catalogue().rules


def raised(error: str, number: int, cause: str, prefix: str = "yamain.") -> str:
    """A log that ends with the vendor's exception."""
    return (
        "8 File(s) Loaded.\nTraceback (most recent call last):\n"
        '  File "<frozen yamain.main>", line 281, in <module>\n'
        f"{prefix}common.error.CodeException: (<ErrorCode.{error}: {number}>, {cause})\n"
    )


ONNX, FRONTEND, QUANT, NPU = (
    ("OnnxOptimizationError", 13),
    ("FrontendError", 6),
    ("QuantError", 3),
    ("NPUBackendError", 8),
)


@pytest.mark.parametrize("prefix", ["yamain.", "axnn.yamain."])
@pytest.mark.parametrize(
    ("error", "cause", "rule", "node", "op_type"),
    [
        (
            ONNX,
            "KeyError('dont support IsNaN opr in AXOPS/ONNXOPS')",
            "op-unsupported",
            "",
            "IsNaN",
        ),
        (ONNX, "KeyError('dont support onnx.Mod opr in AXOPS')", "op-unsupported", "", "Mod"),
        (
            ONNX,
            "Exception('op name: /a/Mod, Mod, {\\'fmod\\': 0} get opr failed')",
            *("op-attribute", "/a/Mod", "Mod"),
        ),
        (ONNX, "KeyError('op Mod attr fmod does not exist')", "op-attribute", "", "Mod"),
        (ONNX, "AssertionError(\"check onnx parser e2e failed, ['y']\")", "parser-check", "", ""),
        (ONNX, "RuntimeError('something new')", "onnx-optimization", "", ""),
        (FRONTEND, "KeyError('node_LSTM')", "frontend", "node_LSTM", ""),
        (
            QUANT,
            "E('Graph op: /Seq(x) has no backend implementation on target platform')",
            *("quant-no-kernel", "/Seq", ""),
        ),
        (QUANT, "RuntimeError('Op Execution Error')", "quant-no-kernel", "", ""),
        (
            QUANT,
            'Exception("Quant doesn\'t support Reciprocal operation")',
            *("quant-op", "", "Reciprocal"),
        ),
        (
            QUANT,
            "DecodeError(\"Error parsing message with type 'onnx.ModelProto'\")",
            *("model-too-large", "", ""),
        ),
        (
            QUANT,
            "E('Numpy File(a/ids/0.npy) has dtype(float32), however inputs(ids) is int64')",
            *("calibration-dtype", "ids", ""),
        ),
        (QUANT, "AssertionError('inputs num 52 and 54 not match')", "calibration-count", "", ""),
        (
            QUANT,
            'NotImplementedError("Seems config of input(images) doesn\'t exist")',
            *("input-config", "images", ""),
        ),
        (
            QUANT,
            "FileNotFoundError(\"Could not find file `images' in `calib_data'\")",
            *("calibration-missing", "", ""),
        ),
        (QUANT, "IndexError('list index out of range')", "quant-layer-norm", "", ""),
        (QUANT, "TypeError('AxClip does not take S32')", "quant-clip", "", "AxClip"),
        (QUANT, "ValueError('something new')", "quant", "", ""),
        (QUANT, "OSError(28, 'No space left on device')", "disk-full", "", ""),
        (QUANT, "MemoryError()", "out-of-memory", "", ""),
        (QUANT, "RuntimeError('No CUDA GPUs are available')", "cuda", "", ""),
        (
            NPU,
            'TileFailException("AxX, AxX dont support\\n    op: /a/X\\n    mem_limit: M")',
            *("npu-tiling", "/a/X", "AxX"),
        ),
        (
            NPU,
            "OpBuildException('dont support lut_float opr in AXOPS')",
            *("op-build", "", "lut_float"),
        ),
        (NPU, "TypeError('integer 84599 does not fit uint16_t')", "npu-range", "", ""),
        (NPU, "AssertionError('ocm alloc with 9')", "npu-memory", "", ""),
        (NPU, "RuntimeError('something new')", "npu-backend", "", ""),
        (("NewError", 99), "RuntimeError('something new')", "vendor", "", ""),
    ],
)
def test_each_line_of_the_catalogue_is_its_own_failure(
    prefix: str, error: tuple[str, int], cause: str, rule: str, node: str, op_type: str
) -> None:
    failure = diagnose(raised(*error, cause, prefix), 1)

    assert (failure.id, failure.node, failure.op_type) == (rule, node, op_type)
    assert failure.cause.startswith(f"{error[0]} {error[1]}: ")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_entry_says_what_it_comes_to_and_what_to_do(rule: Rule) -> None:
    for text in (rule.meaning, rule.hint):
        assert text
        assert not text.endswith(".")
    assert re.fullmatch(r"[A-Z][A-Z_]+", rule.code)


def test_each_entry_has_its_own_name() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)


def reference(rule: Rule) -> str:
    """The section of an entry in the reference."""
    seen = []
    if rule.error and rule.error != "*":
        seen.append(f"the log ends with `ErrorCode.{rule.error}`")
    if rule.error == "*":
        seen.append("the log ends with any other `ErrorCode`")
    if rule.patterns:
        seen.append("the log has " + " or ".join(f"`{one.pattern}`" for one in rule.patterns))
    if rule.returncodes:
        seen.append("the return code is " + " or ".join(str(one) for one in rule.returncodes))
    if rule.axmodel:
        seen.append(f"it returned 0 and the axmodel is {' or '.join(rule.axmodel)}")
    return (
        f"### `{rule.id}`\n\n"
        f"Code `{rule.code}`: {rule.meaning}.\n\n"
        f"- **Seen by**: {'; '.join(seen) or 'nothing else fits'}.\n"
        f"- **Try**: {rule.hint}.\n"
    )


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_entry_is_in_the_reference_as_it_is_in_the_data(rule: Rule) -> None:
    assert reference(rule) in (REFERENCE / "build-failures.md").read_text(encoding="utf-8")


def test_the_reference_has_no_entry_that_the_data_has_not() -> None:
    page = (REFERENCE / "build-failures.md").read_text(encoding="utf-8")

    named = re.findall(r"^### `(.+)`$", page, re.MULTILINE)
    assert named == [rule.id for rule in RULES]
