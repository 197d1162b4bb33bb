"""What `ax_run_model` prints, from one SDK to the next."""

from __future__ import annotations

#: SDK V1.13 on AX650.
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
#: The same layout without a compiler's version.
OLDEST = """\
Run AxModel:
      model: mobilenetv2.axmodel
       type: NPU1
       vnpu: Disable
   affinity: 0b001
     repeat: 10
     warmup: 3
      batch: 1
 engine ver: 2.0.1
   tool ver: 1.0.0
   cmm size: 4401724 Bytes
  ------------------------------------------------------
  min =   0.554 ms   max =   0.559 ms   avg =   0.556 ms
  ------------------------------------------------------
"""
ENGINE_V1_27 = "V1.27.0_P3_20230627143603 Jun 27 2023 14:58:22 JK 1.1.0"
#: SDK V1.27: a library's whole line as the engine's version.
V1_27 = f"""\
 Run AxModel:
       model: image_encoder.axmodel
        type: NPU3
        vnpu: Disable
    affinity: 0b001
      repeat: 10
      warmup: 3
       batch: 1
 pulsar2 ver: 1.8-patch1 6fa8d395
  engine ver: [Axera version]: libax_engine.so {ENGINE_V1_27}
    tool ver: 1.0.0
    cmm size: 93238580 Bytes
  ------------------------------------------------------
  min =   4.158 ms   max =   4.220 ms   avg =   4.198 ms
  ------------------------------------------------------
"""
#: Engine 2.3.
MID = """\
  Run AxModel:
        model: mobilenetv2.axmodel
         type: 1 Core
         vnpu: Disable
     affinity: 0b001
       warmup: 3
       repeat: 10
        batch: { auto: 1 }
     parallel: false
  pulsar2 ver: 1.2-patch2 7e6b2b5f
   engine ver: 2.3.0a
     tool ver: 2.1.2c
     cmm size: 4428624 Bytes
  ------------------------------------------------------
  min =   0.719 ms   max =   0.726 ms   avg =   0.721 ms
  ------------------------------------------------------
"""
#: AX620E with its NPU split: more lines that begin with vnpu, and a type of its own.
SPLIT = """\
Run AxModel:
      model: mobilenetv2.axmodel
        type: HalfOCM
        vnpu: Enable
    affinity: 0b11
      warmup: 3
      repeat: 10
      batch: { auto: 1 }
vnpu 0 quota: max
vnpu 1 quota: 1.0 TOPS
  vnpu 0 bw: max
  vnpu 1 bw: max
vnpu latency: 0
pulsar2 ver: 1.8 4c70a98c
  engine ver: 2.2.1b
    tool ver: 2.1.0b
    cmm size: 4422232 Bytes
------------------------------------------------------
min =   1.933 ms   max =   1.999 ms   avg =   1.946 ms
------------------------------------------------------
"""
#: Tool 2.3.3: its 5 % is the slowest.
DOWNWARDS = """\
   Run AxModel:
         model: /root/kws_int8.axmodel
          type: Half
          vnpu: Disable
      affinity: 0b01
        warmup: 10
        repeat: 100
         batch: { auto: 0 }
   pulsar2 ver: 4.2 751f68f9
    engine ver: 2.6.3sp
      tool ver: 2.3.3sp
      cmm size: 748716 Bytes
  ---------------------------------------------------------------------------
  min =   1.056 ms   max =   1.079 ms   avg =   1.058 ms  median =   1.058 ms
   5% =   1.062 ms   90% =   1.057 ms   95% =   1.057 ms     99% =   1.056 ms
  ---------------------------------------------------------------------------
"""
#: SDK V3.
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
#: The tool for cards in a host: a runtime's version in place of an engine's, and no affinity.
CARD = """\
   Run AxModel:
         model: yolov8s_640x640_npu3.axmodel
          type: 3 Core
          vnpu: Disable
        warmup: 1
        repeat: 100
         batch: { auto: 1 }
    axclrt ver: 1.0.0
   pulsar2 ver: 6.0-dirty a498e20d-dirty
      tool ver: 0.0.1
      cmm size: 11857538 Bytes
  ---------------------------------------------------------------------------
  min =   3.815 ms   max =   4.759 ms   avg =   4.406 ms  median =   4.449 ms
   5% =   4.048 ms   90% =   4.648 ms   95% =   4.672 ms     99% =   4.759 ms
  ---------------------------------------------------------------------------
"""
#: With folders of inputs there is no head at all.
FOLDERS = """\
[Axera version]: libax_sys.so V1.13.0 Apr 26 2023 16:24:35
 total found {1} input drive folders.
 infer model, total 1/1. Done.
 ------------------------------------------------------
 min =   3.347 ms   max =   3.347 ms   avg =   3.347 ms
 ------------------------------------------------------
"""
#: A model that loads and does not run.
FAILED = """\
   Run AxModel:
         model: yolo11n_u16.axmodel
          type: Full
          vnpu: Disable
      affinity: 0b01
        warmup: 1
        repeat: 1
         batch: { auto: 0 }
   pulsar2 ver: 4.0 64a0e58f
    engine ver: 2.6.3sp
      tool ver: 2.3.3sp
      cmm size: 12437212 Bytes
[ERROR] Run model failed.
[ERROR] Run model in warmup failed.
[ERROR] Run model {yolo11n_u16.axmodel} failed.
"""
