"""Why a build failed: which entry of the catalogue its log and its end show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from orchestrator.errors import CompileError
from orchestrator.pulsar2.catalogue import Rule, catalogue
from orchestrator.pulsar2.evidence import Evidence, gather

#: Stands for every error class of the vendor.
_ANY = "*"


class AxmodelState(StrEnum):
    """What is found where the axmodel should be."""

    GOOD = "good"
    MISSING = "missing"
    EMPTY = "empty"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Failure:
    """What is known of a failed build.

    Attributes:
        id: the entry of the catalogue.
        code: what a machine may match on.
        cause: one line: what the log says, or where the build was at.
        node: the node or input that is named; empty if none is.
        op_type: the type of op that is named; empty if none is.
    """

    id: str
    code: str
    cause: str
    meaning: str
    hint: str
    node: str = ""
    op_type: str = ""


def diagnose(
    text: str,
    returncode: int | None,
    *,
    timed_out: bool = False,
    axmodel_state: AxmodelState | None = None,
) -> Failure:
    """Say why a build failed.

    Args:
        text: the whole log, or what there is of it.
        returncode: of `pulsar2`, the shell or Docker, whichever ended last; negative for signals.
            None when the engine went away before it could be told.
        timed_out: the build was ended because it took too long.
        axmodel_state: what is in the place of the axmodel; None if nobody looked.
    """
    evidence, known = gather(text), catalogue()
    if timed_out:
        rule = known.named("timeout")
    elif returncode is None:
        rule = known.named("engine-gone")
    else:
        failed = returncode != 0 or evidence.exception
        rule = (
            _by_end(evidence, returncode)
            or (_by_log(evidence) if failed else None)
            or _by_rest(evidence, returncode, axmodel_state)
        )
    return Failure(
        id=rule.id,
        code=rule.code,
        cause=_cause(rule, evidence),
        meaning=rule.meaning,
        hint=rule.hint,
        node=_named(known.nodes, evidence) if evidence.exception else "",
        op_type=_named(known.op_types, evidence) if evidence.exception else "",
    )


def compile_error(what: str, failure: Failure, log: Path) -> CompileError:
    """Give the error to raise.

    Args:
        what: subject and numbers: `segformer-b0: pulsar2 5.2 exited with 1 for AX650/NPU3`.
        failure: as diagnosed.
        log: where the whole log is.
    """
    node = f" at {failure.node}" if failure.node and failure.node not in failure.cause else ""
    hint = f"{failure.meaning}; {failure.hint}; the whole log: {log}"
    return CompileError(f"{what}: {failure.cause}{node}", hint, failure.code)


def _by_end(evidence: Evidence, returncode: int) -> Rule | None:
    """Give the entry that the return code alone decides."""
    return next(
        (
            rule
            for rule in catalogue().rules
            if rule.decisive
            and returncode in rule.returncodes
            and (not rule.patterns or _shows(rule, evidence.lines))
        ),
        None,
    )


def _by_log(evidence: Evidence) -> Rule | None:
    """Give the entry that the log shows; its last words count for more than the rest."""
    for scope in (evidence.last_words, evidence.lines):
        for rule in catalogue().rules:
            if not rule.decisive and _fits(rule, evidence, scope):
                return rule
    return None


def _by_rest(evidence: Evidence, returncode: int, axmodel_state: AxmodelState | None) -> Rule:
    """Give the entry of a build whose log tells nothing that is known."""
    known = catalogue()
    if evidence.exception:
        return known.named("python")
    for rule in known.rules:
        if returncode == 0 and axmodel_state in rule.axmodel:
            return rule
    if returncode == 0 and evidence.complete:
        return known.named("unknown")
    ended_so = (rule for rule in known.rules if not rule.decisive)
    found = (rule for rule in ended_so if returncode in rule.returncodes)
    return next(found, known.named("unknown"))


def _fits(rule: Rule, evidence: Evidence, scope: Sequence[str]) -> bool:
    """Tell whether the log shows this entry."""
    if rule.error and evidence.error != rule.error and not (rule.error == _ANY and evidence.error):
        return False
    if rule.patterns:
        return _shows(rule, scope)
    # Entries of a whole class come last: only when no line of the log is known.
    return bool(rule.error) and scope is evidence.lines


def _shows(rule: Rule, lines: Sequence[str]) -> bool:
    return _line_of(rule, lines) is not None


def _line_of(rule: Rule, lines: Sequence[str]) -> str | None:
    """Give the last line that one of the patterns is in."""
    for line in reversed(lines):
        if any(pattern.search(line) for pattern in rule.patterns):
            return line
    return None


def _cause(rule: Rule, evidence: Evidence) -> str:
    """Give one line."""
    shown = _line_of(rule, evidence.lines)
    if rule.place and shown is None and evidence.place:
        return f"it was at {evidence.place}"
    if evidence.error or (rule.id == "python" and evidence.cause):
        return evidence.cause
    if rule.axmodel:
        return "it returned 0 and the axmodel is " + " or ".join(rule.axmodel)
    return (shown or evidence.cause or "the log is empty").strip()[:300]


def _named(patterns: Sequence[re.Pattern[str]], evidence: Evidence) -> str:
    """Give the first name that a pattern finds; what the log ends with goes first."""
    for lines in (evidence.last_words, evidence.lines):
        text = "\n".join(lines).replace("\\n", "\n")
        for pattern in patterns:
            if found := pattern.search(text):
                return found[1].strip("'\"")
    return ""
