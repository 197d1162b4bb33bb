"""Whether the ledger is as it was written, and what of it is kept how long."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, text, update

from orchestrator.backends.ledger_chain import (
    append,
    last_link,
    link_outcome,
    night_content,
    outcome_content,
    run_content,
)
from orchestrator.backends.ledger_database import SqlDatabase
from orchestrator.backends.ledger_packing import pack_json, pack_samples, unpack_json
from orchestrator.backends.ledger_schema import CHAIN, DETAILS, MEASUREMENTS, NIGHTS, OUTCOMES, RUNS
from orchestrator.chain import faults
from orchestrator.domain import Link

#: Packed samples are longer than this, but for none at all.
_EMPTY = len(pack_samples(()))


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was dropped: raw samples of so many boards' runs."""

    rows: int
    size_bytes: int


class SqlTrust(SqlDatabase):
    """The hash chain: its head, its faults, reports in it; and the pruning of old samples."""

    def head(self) -> Link | None:
        """Give the newest link."""
        with self._engine.connect() as connection:
            return last_link(connection)

    def links(self) -> Iterator[Link]:
        """Give all links in their order."""
        with self._engine.connect() as connection:
            query = select(CHAIN).order_by(CHAIN.c.number).execution_options(yield_per=1000)
            for row in connection.execute(query).mappings():
                yield Link(**row)

    def record_reports(self, files: Sequence[tuple[str, str]]) -> None:
        """Put written files into the chain: name and sha256 each."""
        with self._transaction() as connection:
            for name, sha256 in files:
                append(connection, "report", name, sha256)

    def report_sha256(self, name: str) -> list[str]:
        """Give the hashes that a file of this name was written with, the newest first."""
        same = (CHAIN.c.kind == "report") & (CHAIN.c.subject == name)
        query = select(CHAIN.c.content).where(same).order_by(CHAIN.c.number.desc())
        return [str(row["content"]) for row in self._rows(query)]

    def check(self) -> list[str]:
        """Name every link and row that is not as it was written; empty: all are."""
        found = faults(self.links())
        newest: dict[str, Link] = {}
        for link in self.links():
            if link.kind != "report":
                newest[link.subject] = link
        found += [fault for link in newest.values() if (fault := self._fault(link))]
        return found + self._unknown(newest) + self._damaged()

    def outcome_is_whole(self, run_id: str, board: str) -> bool:
        """Say whether a board's row is as the chain has it."""
        subject = CHAIN.c.subject == f"{run_id}/{board}"
        query = select(CHAIN.c.content).where(subject).order_by(CHAIN.c.number.desc()).limit(1)
        with self._engine.connect() as connection:
            kept = connection.execute(query).scalar()
            return kept is not None and kept == outcome_content(connection, run_id, board)

    def prune(self, before: str, keep: Collection[str], *, dry_run: bool) -> Pruned:
        """Drop the samples of runs that started before a time; figures and verdicts stay."""
        old = select(RUNS.c.run_id).where(RUNS.c.started_at < before)
        where = MEASUREMENTS.c.run_id.in_(old) & (func.length(MEASUREMENTS.c.samples_ns) > _EMPTY)
        query = select(
            MEASUREMENTS.c.run_id,
            MEASUREMENTS.c.board,
            func.length(MEASUREMENTS.c.samples_ns).label("size"),
        )
        rows = [row for row in self._rows(query.where(where)) if row["run_id"] not in keep]
        if not dry_run:
            for row in rows:
                self._prune_one(row["run_id"], row["board"])
            if rows and self._engine.dialect.name == "sqlite":
                with self._engine.connect() as connection:
                    connection.execution_options(isolation_level="AUTOCOMMIT")
                    connection.execute(text("VACUUM"))
        return Pruned(len(rows), sum(row["size"] for row in rows))

    def _prune_one(self, run_id: str, board: str) -> None:
        """Drop one board's samples, and say so in the chain."""
        none = pack_samples(())
        with self._transaction() as connection:
            same = (MEASUREMENTS.c.run_id == run_id) & (MEASUREMENTS.c.board == board)
            empty = {"samples_ns": none, "warmup_ns": none}
            connection.execute(update(MEASUREMENTS).where(same).values(**empty))
            same = (DETAILS.c.run_id == run_id) & (DETAILS.c.board == board)
            kept = connection.execute(select(DETAILS).where(same)).mappings().first()
            if kept is not None:
                measured = unpack_json(kept["measurement"]) | {"parts_ns": {}, "round_sizes": []}
                outcome = unpack_json(kept["outcome"]) | {"attempts": []}
                packed = {"measurement": pack_json(measured), "outcome": pack_json(outcome)}
                connection.execute(update(DETAILS).where(same).values(**packed))
            link_outcome(connection, run_id, board, "pruned")

    def _fault(self, link: Link) -> str:
        with self._engine.connect() as connection:
            if "/" in link.subject:
                run_id, board = link.subject.split("/", 1)
                content = outcome_content(connection, run_id, board)
            elif link.kind == "night":
                content = night_content(connection, link.subject)
            else:
                content = run_content(connection, link.subject)
        if content == link.content:
            return ""
        what = "is gone" if content is None else "was changed after it was written"
        return f"row {link.subject} ({link.kind} of {link.at}) {what}"

    def _unknown(self, known: Collection[str]) -> list[str]:
        """Name rows that the chain does not know."""
        outcomes = select(OUTCOMES.c.run_id, OUTCOMES.c.board)
        subjects = [f"{row['run_id']}/{row['board']}" for row in self._rows(outcomes)]
        ended = select(RUNS.c.run_id).where(RUNS.c.finished_at.is_not(None))
        subjects += [str(row["run_id"]) for row in self._rows(ended)]
        nights = select(NIGHTS.c.night_id).where(NIGHTS.c.finished_at.is_not(None))
        subjects += [str(row["night_id"]) for row in self._rows(nights)]
        return [f"row {one} is not in the chain" for one in subjects if one not in known]

    def _damaged(self) -> list[str]:
        if self._engine.dialect.name != "sqlite":
            return []
        with self._engine.connect() as connection:
            said = connection.execute(text("PRAGMA integrity_check")).scalars().all()
        return [] if list(said) == ["ok"] else [f"database: {one}" for one in said]
