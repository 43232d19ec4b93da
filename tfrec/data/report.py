"""What ingestion read, kept, left out and quarantined, for people (sentences) and for machines (JSON)."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from tfrec.data.files import write_text
from tfrec.data.quarantine import Problem, Quarantine
from tfrec.data.reasons import REASONS

_ROWS_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class FileCount:
    """Rows of one file: `read` = `kept` + `quarantined` + `left_out`, the last below schema.events.minimum_value."""

    path: str
    read: int
    kept: int
    quarantined: int
    left_out: int = 0


@dataclasses.dataclass(frozen=True)
class ProblemCount:
    """How often one problem was met in one file; `rows` holds the numbers of the first few rows."""

    table: str
    file: str
    column: str
    code: str
    count: int
    kept: bool
    rows: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Part:
    """One part of the split: its events and their first and last time (seconds since 1970, None where empty)."""

    events: int
    first: int | None
    last: int | None


@dataclasses.dataclass(frozen=True)
class Report:
    """The outcome of `ingest` or `validate`.

    Attributes:
        files: row counts of items, users (if there is a file) and events.
        problems: counts of problems by file, column and code.
        items, users, held_out: sizes of the tables, and of the items kept out of training.
        coverage: for each item feature, how many items have it.
        split: what the events were divided by; `parts`: train, validation, test and cold.
        timed: whether the events have times (else `Part.first` and `last` are row numbers).
        warnings: sentences about what is no error but may surprise.
        found: every problem with its row number; not in the JSON, since `quarantine.jsonl` holds them.
    """

    files: Mapping[str, FileCount]
    problems: tuple[ProblemCount, ...]
    items: int
    users: int
    held_out: int
    coverage: Mapping[str, int]
    split: str
    parts: Mapping[str, Part]
    timed: bool
    warnings: tuple[str, ...] = ()
    found: Sequence[Problem] = ()

    @property
    def clean(self) -> bool:
        """Whether no row was quarantined and no cell was left unused."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """The report as nested dicts and lists."""
        document = dataclasses.asdict(dataclasses.replace(self, found=()))
        del document["found"]
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Report:
        """Make a report from what `to_json` gave; its `found` is empty."""
        problems = (ProblemCount(**{**problem, "rows": tuple(problem["rows"])}) for problem in document["problems"])
        values = {
            **document,
            "files": {name: FileCount(**count) for name, count in document["files"].items()},
            "problems": tuple(problems),
            "parts": {name: Part(**part) for name, part in document["parts"].items()},
            "warnings": tuple(document["warnings"]),
        }
        return cls(**values)

    def save(self, path: str) -> None:
        """Write the report as JSON.

        Raises:
            DataError: if the file cannot be written.
        """
        write_text(path, json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n")

    def sentences(self) -> list[str]:
        """The report for a terminal, a sentence per line."""
        lines = []
        for name, count in self.files.items():
            left_out = f", {count.left_out:,} left out by minimum_value" if count.left_out else ""
            lines.append(
                f"{os.path.basename(count.path)}: {count.read:,} rows read, {count.kept:,} kept, "
                f"{count.quarantined:,} quarantined{left_out}."
            )
            lines += [f"  {_sentence(problem)}" for problem in self.problems if problem.table == name]
        have = ", ".join(f"{name} {count:,}" for name, count in self.coverage.items())
        lines.append(f"{self.items:,} items and {self.users:,} users." + (f" Items that have {have}." if have else ""))
        parts = ", ".join(f"{name} {_part(part, self.timed)}" for name, part in self.parts.items() if part.events)
        lines.append(f"Events split by {self.split}: {parts}.")
        if self.held_out:
            lines.append(f"{self.held_out:,} items are held out of training with all their events (cold).")
        return lines + [f"Note: {warning}" for warning in self.warnings]


def problem_counts(quarantine: Quarantine) -> tuple[ProblemCount, ...]:
    """Problems counted by table, column and code, in the order in which their first row comes."""
    return tuple(
        ProblemCount(
            kind.table, kind.file, kind.column, kind.code, len(rows), kind.kept, tuple(rows[:_ROWS_SHOWN].tolist())
        )
        for kind, rows in quarantine.kinds().items()
    )


def _sentence(problem: ProblemCount) -> str:
    rows = ", ".join(map(str, problem.rows)) + (", …" if problem.count > len(problem.rows) else "")
    column = f", column {problem.column}" if problem.column else ""
    what = "cells" if problem.kept else "rows"
    what = what[:-1] if problem.count == 1 else what
    outcome = "row kept without it" if problem.kept else "quarantined"
    where = "row" if problem.count == 1 else "rows"
    return f"{problem.count:,} {what} ({where} {rows}{column}): {REASONS[problem.code]}; {outcome}."


def _part(part: Part, timed: bool) -> str:
    if not timed or part.first is None or part.last is None:
        return f"{part.events:,}"
    return f"{part.events:,} ({_day(part.first)} to {_day(part.last)})"


def _day(seconds: int) -> str:
    return (datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)).date().isoformat()
