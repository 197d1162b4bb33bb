"""The texts of an inventory that mean something: rates, shares, jump hosts, secrets."""

from __future__ import annotations

import re
import shlex
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

#: What a value begins with that stands in the environment.
ENV = "env:"
_ENV = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*")
_RATE = re.compile(r"(\d+(?:\.\d+)?) *([kMG]i?)?(B|bit)/s")
_FACTORS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_SHARE = re.compile(r"(\d+(?:\.\d+)?) *%")
_STEP = re.compile(r"(\d+)(%?)")
_HOP = re.compile(r"(?:[^\s@\[\]]+@)?(?:[^\s@:\[\]]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
_PERCENT = 100


def bytes_per_s(text: str) -> int:
    """Read `500kB/s`, `2MiB/s`, `10Mbit/s`. Raises ValueError."""
    found = _RATE.fullmatch(text.strip())
    if found is None:
        raise ValueError("a rate looks like 500kB/s, 2MB/s or 10Mbit/s")
    number = float(found[1]) * _FACTORS[found[2] or ""] / (8 if found[3] == "bit" else 1)
    if number < 1:
        raise ValueError("a rate is at least 1B/s")
    return round(number)


def share(value: object) -> float:
    """Read `5%` or 0.05. Raises ValueError."""
    if isinstance(value, str) and (found := _SHARE.fullmatch(value.strip())):
        return float(found[1]) / _PERCENT
    if isinstance(value, float | int) and not isinstance(value, bool) and 0 <= value < 1:
        return float(value)
    raise ValueError("a share looks like 5% or 0.05")


def step(value: object) -> str:
    """Read a number of boards, `2`, or a share of them, `10%`. Raises ValueError."""
    found = _STEP.fullmatch(str(value)) if isinstance(value, int | str) else None
    if found is None or isinstance(value, bool):
        raise ValueError("a number of boards (2) or a share of them (10%) stands here")
    if found[2] and int(found[1]) > _PERCENT:
        raise ValueError("a share is at most 100%")
    return f"{int(found[1])}{found[2]}"


def waves(steps: list[str]) -> list[str]:
    """Check that waves grow and end with all boards. Raises ValueError."""
    if not steps or steps[-1] != "100%":
        raise ValueError("the last wave is 100%: --limit deploys to fewer boards")
    for unit in ("%", ""):
        sizes = [int(one.rstrip("%")) for one in steps if one.endswith("%") == bool(unit)]
        if sizes != sorted(set(sizes)) or 0 in sizes:
            raise ValueError("each wave goes further than the one before it: 1, 10%, 50%, 100%")
    return steps


def hops(value: object) -> list[str]:
    """Read one jump host, several with commas between, or a list of them. Raises ValueError."""
    texts = value.split(",") if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
        raise ValueError("a jump host or a list of them stands here")
    found = [one.strip() for one in texts]
    for hop in found:
        if not (_env_name(hop) if hop.startswith(ENV) else _HOP.fullmatch(hop)):
            raise ValueError("a jump host looks like gate, user@gate or user@gate:2222")
    return found


def names(value: object) -> object:
    """Let one name stand for a list of one. Raises ValueError for none."""
    if value in ("", []):
        raise ValueError("at least one stands here")
    return [value] if isinstance(value, str) else value


def words(value: object) -> object:
    """Split a command as a shell would, and keep secrets out of it. Raises ValueError."""
    found = shlex.split(value) if isinstance(value, str) else value
    if not isinstance(found, list) or not found or not all(isinstance(w, str) for w in found):
        raise ValueError("a command is a text or a list of words, at least the program")
    if any(word.startswith(ENV) for word in found):
        raise ValueError("every user of this host sees a command: give it env:NAME by environment")
    return found


def _env_name(text: str) -> str:
    if text.startswith(ENV) and not _ENV.fullmatch(text):
        raise ValueError("env: is followed by the name of a variable: env:BOARD_USER")
    return text


def _login(text: str) -> str:
    if not text or re.search(r"[\s@]", text):
        raise ValueError("a login is a name without blanks and without @")
    return _env_name(text)


def _secret(value: object) -> str:
    """Refuse a password that stands in the file, and never repeat it."""
    if value == "prompt" or (isinstance(value, str) and _ENV.fullmatch(value)):
        return str(value)
    raise ValueError("a password never stands in a file: write env:NAME or prompt")


def _own_folder(path: str) -> str:
    if path.removeprefix("~").strip("/") in {"", ".", ".."}:
        raise ValueError("orch wants a folder of its own, such as .orch")
    if path.startswith(ENV):
        raise ValueError("a work_dir is not taken from the environment")
    return path


Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86400)]
Rounds = Annotated[int, Field(ge=1, le=100)]
MoreRounds = Annotated[int, Field(ge=0, le=100)]
Nights = Annotated[int, Field(ge=1, le=365)]
Milliseconds = Annotated[float, Field(ge=0, le=60_000)]
Parallel = Annotated[int, Field(ge=1, le=1024)]
EnvText = Annotated[str, Field(min_length=1), AfterValidator(_env_name)]
Login = Annotated[str, AfterValidator(_login)]
Secret = Annotated[str, BeforeValidator(_secret)]
WorkDir = Annotated[str, AfterValidator(_own_folder)]
_TEXT = WithJsonSchema({"type": "string"})
_NUMBER_OR_TEXT = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}]})
_TEXTS = WithJsonSchema(
    {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
)
Words = Annotated[list[str], BeforeValidator(words), _TEXTS]
Interval = Annotated[float, Field(ge=0.05, le=3600)]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Rate = Annotated[int, BeforeValidator(lambda value: bytes_per_s(str(value))), _TEXT]
Share = Annotated[float, BeforeValidator(share), _NUMBER_OR_TEXT]
Step = Annotated[str, BeforeValidator(step), _NUMBER_OR_TEXT]
Waves = Annotated[list[Step], AfterValidator(waves)]
Hops = Annotated[list[str], BeforeValidator(hops), _TEXTS]
Names = Annotated[list[str], BeforeValidator(names), _TEXTS]
