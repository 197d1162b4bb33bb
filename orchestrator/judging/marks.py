"""What is known to have been changed on boards from one night to the next. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orchestrator.domain import Figures, Mark, MarkKind

_SHOWN = 12


def marks(tonight: Sequence[Figures], before: Sequence[Figures]) -> tuple[Mark, ...]:
    """Give what was changed on boards since each one's newest night; `before` is newest first."""
    newest: dict[str, Figures] = {}
    for one in before:
        if not one.error_code:
            newest.setdefault(one.board, one)
    changed: dict[tuple[MarkKind, str, str], list[str]] = {}
    for one in tonight:
        earlier = newest.get(one.board)
        if earlier is not None and not one.error_code:
            for kind, was, now in changes(earlier, one):
                changed.setdefault((kind, was, now), []).append(one.board)
    at = tonight[0].at if tonight else ""
    return tuple(
        Mark(kind, at, was, now, tuple(sorted(boards)))
        for (kind, was, now), boards in sorted(changed.items())
    )


def since(tonight: Sequence[Figures], before: Sequence[Figures]) -> tuple[Mark, ...]:
    """Give what tonight has otherwise than nights it is compared with; `before` is newest first.

    A change is named for as long as a night from before it is among them. `at` is the first night
    that any of the boards had it.
    """
    own: dict[str, list[Figures]] = {}
    for one in before:
        own.setdefault(one.board, []).append(one)
    found: dict[tuple[MarkKind, str, str], tuple[str, list[str]]] = {}
    for one in tonight:
        later, named = one, set[MarkKind]()
        for earlier in own.get(one.board, ()):
            for kind, was, now in changes(earlier, one):
                if kind not in named:
                    named.add(kind)
                    first, boards = found.get((kind, was, now), (later.at, []))
                    found[kind, was, now] = (min(first, later.at), [*boards, one.board])
            later = earlier
    return tuple(
        Mark(kind, first, was, now, tuple(sorted(boards)))
        for (kind, was, now), (first, boards) in sorted(found.items())
    )


def changes(earlier: Figures, later: Figures) -> Iterable[tuple[MarkKind, str, str]]:
    """Give what two nights of one board tell apart, and both know."""
    pairs: tuple[tuple[MarkKind, str, str], ...] = (
        ("SDK", earlier.sdk, later.sdk),
        ("kernel", earlier.kernel, later.kernel),
        ("release", earlier.release_id, later.release_id),
        ("toolchain", _toolchain(earlier), _toolchain(later)),
    )
    return [(kind, was, now) for kind, was, now in pairs if was and now and was != now]


def _toolchain(one: Figures) -> str:
    if not one.toolchain_digest:
        return ""
    return f"{one.pulsar2} ({one.toolchain_digest.removeprefix('sha256:')[:_SHOWN]})"


def in_words(mark: Mark) -> str:
    """Say what was changed: `toolchain 5.2 (ab…) → 6.0 (cd…)`."""
    return f"{mark.kind} {mark.before} → {mark.after}"
