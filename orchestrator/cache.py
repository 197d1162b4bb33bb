"""Work that is done once: an action's key says all that its result depends on."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from orchestrator.clock import now
from orchestrator.domain import ActionRecord, Json
from orchestrator.hashing import sha256_json
from orchestrator.locks import hold
from orchestrator.seams import Blobs, Ledger, Progress

#: Stands for the version of a package that this host has not.
NOT_INSTALLED = "none"
#: The lock, below `work`, that is shared by all that use the cache and held alone to clear it.
TURN = "cache.lock"


@dataclass(frozen=True, slots=True)
class Produced:
    """What a stage made: files by role, and facts worth keeping."""

    files: Mapping[str, Path]
    facts: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Wanted:
    """An action to be had: `fields` is everything its result depends on, flat and readable."""

    stage: str
    recipe: str
    fields: Mapping[str, str]

    @property
    def key(self) -> str:
        """The sha256 of the stage and its fields."""
        return sha256_json({"stage": self.stage, "fields": dict(self.fields)})


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an action hits or misses; `changed` maps a field to (last run, now)."""

    stage: str
    hit: bool
    key: str
    last_key: str | None
    changed: Mapping[str, tuple[str | None, str | None]]


@dataclass(frozen=True, slots=True)
class Cache:
    """Finished actions in the ledger, their files among the blobs, scratch under `work`."""

    ledger: Ledger
    blobs: Blobs
    work: Path

    def find(self, wanted: Wanted) -> ActionRecord | None:
        """Give the finished action, if all its files are still there."""
        action = self.ledger.find_action(wanted.key) or self._made_elsewhere(wanted)
        if action is None:
            return None
        whole = all(self.blobs.has(artifact.sha256) for artifact in action.outputs.values())
        return action if whole else None

    def _made_elsewhere(self, wanted: Wanted) -> ActionRecord | None:
        """Give what a build host made, where this host lacks the packages to make it.

        The newest action of the stage must differ in the versions of those packages alone.
        """
        last = self.ledger.last_action(wanted.stage, wanted.recipe)
        absent = {name for name, value in wanted.fields.items() if value == NOT_INSTALLED}
        if last is None or not absent:
            return None
        same = {name: value for name, value in wanted.fields.items() if name not in absent}
        return last if same == {n: v for n, v in last.fields.items() if n not in absent} else None

    @contextmanager
    def steady(self) -> Iterator[None]:
        """Nothing is thrown away meanwhile: what is seen, or put and recorded, is there at the end.

        What a process has used or recorded stays for as long as it is `locks.present`. Clearing
        takes seconds, so nothing is said of a wait.
        """
        with hold(self.work / TURN, lambda: None, shared=True):
            yield

    def use(self, wanted: Wanted) -> ActionRecord | None:
        """Give what `find` does, and write down that it was used."""
        with self.steady():
            action = self.find(wanted)
            if action is not None:
                self.ledger.record_use(action.key, now())
            return action

    def do(
        self, wanted: Wanted, run_id: str, progress: Progress, make: Callable[[Path], Produced]
    ) -> tuple[ActionRecord, bool]:
        """Give the action and whether it was a hit; two processes with one key work once.

        `make` gets a fresh, empty folder, which is gone afterwards, whatever happens.
        """
        if action := self.use(wanted):
            return action, True
        waiting = partial(
            progress.event, wanted.stage, "another orch is at the same work; waiting for it"
        )
        with hold(self.work / f"{wanted.key}.lock", waiting):
            if action := self.use(wanted):
                return action, True
            folder = self.work / f"{wanted.stage}-{wanted.key[:16]}"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            started = time.monotonic()
            try:
                produced = make(folder)
                seconds = time.monotonic() - started
                return self._keep(wanted, run_id, produced, seconds), False
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def _keep(
        self, wanted: Wanted, run_id: str, produced: Produced, seconds: float
    ) -> ActionRecord:
        with self.steady():
            outputs = {
                role: self.blobs.put(path, path.name) for role, path in produced.files.items()
            }
            action = ActionRecord(
                key=wanted.key,
                stage=wanted.stage,
                recipe=wanted.recipe,
                run_id=run_id,
                fields=wanted.fields,
                outputs=outputs,
                facts=produced.facts,
                seconds=seconds,
                created_at=now(),
            )
            self.ledger.record_action(action)
        return action

    def explain(self, wanted: Wanted) -> Explanation:
        """Say whether an action would hit, and which fields differ from the last run's."""
        last = self.ledger.last_action(wanted.stage, wanted.recipe)
        before = dict(last.fields) if last else {}
        names = sorted({*before, *wanted.fields}) if last else []
        changed = {
            name: (before.get(name), wanted.fields.get(name))
            for name in names
            if before.get(name) != wanted.fields.get(name)
        }
        hit = self.find(wanted) is not None
        return Explanation(wanted.stage, hit, wanted.key, last.key if last else None, changed)
