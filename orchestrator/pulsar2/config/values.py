"""The scalar types of the build config: enums with their numbers, numbers with their limits."""

from __future__ import annotations

from typing import Annotated, Literal

from orchestrator.pulsar2.config.limits import Above, Fits, Length, Numbers, Within

ModelType = Annotated[Literal["ONNX", "QuantAxModel", "QuantONNX"], Numbers((0, 1, 3))]
#: The numbers of the later ones are not published.
Hardware = Annotated[
    Literal["AX650", "AX620E", "M76H", "AX615", "AX637", "AX8860", "M57", "AX620L"],
    Numbers((0, 1, 2)),
]
NpuMode = Annotated[Literal["NPU1", "NPU2", "NPU3", "NPU4"], Numbers((0, 1, 2, 3))]
CalibrationFormat = Annotated[
    Literal["Image", "Numpy", "Binary", "NumpyObject"], Numbers((0, 1, 2, 3))
]
CalibrationMethod = Annotated[Literal["MinMax", "Percentile", "MSE", "KL"], Numbers((0, 1, 2))]
AnalysisMethod = Annotated[Literal["PerLayer", "EndToEnd"], Numbers((0, 1))]
AnalysisMode = Annotated[Literal["Reference", "NPUBackend"], Numbers((0, 1))]
CheckMode = Annotated[Literal["CheckOutput", "CheckPerLayer"], Numbers((0, 1))]
CscMode = Annotated[Literal["NoCSC", "Matrix", "FullRange", "LimitedRange"], Numbers((0, 1, 2, 3))]
Schedule = Annotated[Literal["Tile", "Slice"], Numbers((0, 1))]
MatchMode = Annotated[Literal["Op", "Tensor"], Numbers((0, 1))]
Layout = Annotated[Literal["DefaultLayout", "NHWC", "NCHW"], Numbers((0, 1, 2))]
TensorFormat = Annotated[Literal["AutoColorSpace", "GRAY", "BGR", "RGB"], Numbers((0, 1, 2, 3))]
SourceFormat = Annotated[
    Literal[
        "AutoColorSpace",
        "GRAY",
        "BGR",
        "RGB",
        "RGBA",
        "YUV420SP",
        "YVU420SP",
        "YUYV422",
        "UYVY422",
        "RAW",
    ],
    Numbers((0, 1, 2, 3, 4, 6, 7, 8, 9)),
]
LayerType = Annotated[
    Literal["DefaultDataType", "U8", "S8", "U16", "S16", "FP32", "BF16", "NVFP4"],
    Numbers((0, 1, 2, 3, 4, 10)),
]
#: The prose allows S8 and FP32; published configs of working models have U16 and S32 too.
WeightType = Annotated[
    Literal["DefaultDataType", "U8", "S8", "U16", "S16", "S32", "FP32", "BF16", "NVFP4"],
    Numbers((0, 1, 2, 3, 4, 6, 10)),
]
SourceType = Annotated[
    Literal[
        "DefaultDataType", "U8", "S8", "U16", "S16", "U32", "S32", "U64", "S64", "FP16", "FP32"
    ],
    Numbers((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)),
]
BiasType = Annotated[Literal["DefaultDataType", "S32", "FP32"], Numbers((0, 6, 10))]
ScaleType = Annotated[Literal["DefaultDataType", "U32", "S32", "FP32"], Numbers((0, 5, 6, 10))]
#: Documented are FP32 and U8; a list that the vendor ships with its own driver has them all.
OutputType = Annotated[
    Literal["DefaultDataType", "U8", "S8", "U16", "S16", "U32", "S32", "FP32"],
    Numbers((0, 1, 2, 3, 4, 5, 6, 10)),
]

Share = Annotated[float, Within(0, 1)]
Cosine = Annotated[float, Within(-1, 1)]
NotNegative = Annotated[float, Within(0)]
Positive = Annotated[float, Above(0)]
Threshold = Annotated[float, Within(0, 1e-4, also=(-1,))]
Count = Annotated[int, Within(1)]
CountOrAll = Annotated[int, Within(1, also=(-1,))]
CountOrNone = Annotated[int, Within(0)]
Level1 = Annotated[int, Within(0, 1)]
Level2 = Annotated[int, Within(0, 2)]
Level3 = Annotated[int, Within(0, 3)]

Floats = tuple[float, ...]
Positives = tuple[Positive, ...]
Texts = tuple[str, ...]
Counts = tuple[Count, ...]
Axes = tuple[Annotated[int, Within(0)], ...]
#: The start and the end of each axis.
Pairs = Annotated[tuple[int, ...], Length(even=True)]
#: 3x4, row by row.
Matrix = Annotated[Floats, Length(exactly=12)]

InputShapes = Annotated[
    str, Fits(r"[^;]+:\d+(x\d+)*(;[^;]+:\d+(x\d+)*)*;?", "of the form NAME:1x3x224x224;…")
]
Device = Annotated[str, Fits(r"cpu|cuda:[0-7]", "cpu or cuda:0 to cuda:7")]
