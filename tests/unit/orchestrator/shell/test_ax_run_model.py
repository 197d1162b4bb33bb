from __future__ import annotations

import pytest

from orchestrator.shell.ax_run_model import failure_code, parse_run

OLD = """\
[Axera version]: libax_sys.so V1.13.0 Apr 26 2023 16:24:35
Run AxModel:
      model: /opt/data/npu/models/yolov5s.axmodel
       type: NPU1
       vnpu: Disable
   affinity: 0b001
     repeat: 100
     warmup: 10
      batch: 1
pulsar2 ver: 1.2-patch2 7e6b2b5f
 engine ver: [Axera version]: libax_engine.so V1.13.0 Apr 26 2023 16:48:53 1.1.0
   tool ver: 1.0.0
   cmm size: 12730188 Bytes
------------------------------------------------------
min =   7.658 ms   max =   7.672 ms   avg =   7.662 ms
------------------------------------------------------
"""
MID = """\
Run AxModel:
      model: a.axmodel
       type: 1 Core
       vnpu: Disable
     warmup: 10
     repeat: 50
      batch: { auto: 1 }
   parallel: false
 engine ver: 2.3.0a
min =   1.000 ms   max =   1.500 ms   avg =   1.250 ms
"""
NEW = """\
WARN,Func(__is_valid_file),NOT find file = '/etc/ax_syslog.conf'
   Run AxModel:
         model: ./yolo11s.axmodel
          type: 3 Core
          vnpu: Disable
      affinity: 0b001
        warmup: 10
        repeat: 100
         batch: { auto: 0 }
      parallel: false
   pulsar2 ver: 3.2 99cf147d
    engine ver: 2.12.0s
      tool ver: 2.5.1a
      cmm size: 10488066 Bytes
  ---------------------------------------------------------------------------
  min =   3.169 ms   max =   3.180 ms   avg =   3.174 ms  median =   3.174 ms
   5% =   3.171 ms   90% =   3.178 ms   95% =   3.179 ms     99% =   3.180 ms
  ---------------------------------------------------------------------------
"""


def test_the_layout_of_old_sdks_is_read() -> None:
    found = parse_run(OLD)

    assert found is not None
    assert (found.min_ms, found.max_ms, found.mean_ms) == (7.658, 7.672, 7.662)
    assert (found.median_ms, found.percentiles_ms) == (None, {})
    assert (found.repeat, found.cores, found.cmm_bytes) == (100, 1, 12730188)
    assert found.engine_version == "V1.13.0 Apr 26 2023 16:48:53 1.1.0"
    assert found.pulsar2_version == "1.2-patch2 7e6b2b5f"


def test_the_layout_between_is_read() -> None:
    found = parse_run(MID)

    assert found is not None
    assert (found.mean_ms, found.repeat, found.cores) == (1.25, 50, 1)
    assert (found.engine_version, found.cmm_bytes) == ("2.3.0a", None)


def test_the_layout_of_new_sdks_is_read_with_its_percentiles() -> None:
    found = parse_run(NEW)

    assert found is not None
    assert (found.cores, found.median_ms) == (3, 3.174)
    assert found.percentiles_ms == {5: 3.171, 90: 3.178, 95: 3.179, 99: 3.18}
    assert found.vnpu == "Disable"


@pytest.mark.parametrize(
    "text", ["", "usage: ax_run_model --model=string [options] ...", "min = 1.0 ms"]
)
def test_what_has_no_figures_is_no_run(text: str) -> None:
    assert parse_run(text) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[Engine] The model type {2} is not allowed with npu mode {1}.", "VNPU_CONFLICT"),
        (
            "[Engine] Init engine with mode { 0 } failed, NPU has already inited to mode{ 1 }.",
            "VNPU_CONFLICT",
        ),
        ("[Engine] Create handle from memory {size: 0x1f bytes} failed.", "MODEL_REJECTED"),
        ("[Engine] Get model CMM info was failed{0x80060087}.", "CMM_FULL"),
        ("Segmentation fault", "RUN_FAILED"),
    ],
)
def test_a_failure_is_named_by_what_was_printed(text: str, code: str) -> None:
    assert failure_code(text) == code
