"""Collects every row and cell that is not used, with its row number and the reason, so nothing is lost silently."""

from __future__ import annotations

import json
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, overload

import numpy as np
import pyarrow as pa

from tfrec.data.files import read_bytes, write_text
from tfrec.data.read import Table
from tfrec.data.reasons import REASONS

_LONGEST_VALUE = 80
_ORDER = {"items": 0, "users": 1, "events": 2}


class Problem(NamedTuple):
    """One row or cell that is not used.

    Attributes:
        table, file: items, users or events, and the name of its file.
        row: row number as a person counts in the file.
        column: the column at fault, "" for the whole row.
        value: what the cell holds, shortened.
        code, reason: a key of `REASONS` and a sentence.
        kept: whether the row is kept and only this cell counts as absent.
    """

    table: str
    file: str
    row: int
    column: str
    value: str
    code: str
    reason: str
    kept: bool


class Kind(NamedTuple):
    """What problems have in common that are counted as one."""

    table: str
    file: str
    column: str
    code: str
    kept: bool


class Found(NamedTuple):
    """Problems of one kind that were found together; arrays, since a log may have millions of them.

    Attributes:
        rows: int64 [n].
        values: strings [n]; `reasons`: strings [n], or None where all have that of the code.
    """

    kind: Kind
    rows: np.ndarray
    values: pa.StringArray
    reasons: pa.StringArray | None = None

    def problem(self, number: int) -> Problem:
        """One of them."""
        reason = REASONS[self.kind.code] if self.reasons is None else self.reasons[number].as_py()
        table, file, column, code, kept = self.kind
        return Problem(table, file, int(self.rows[number]), column, self.values[number].as_py(), code, reason, kept)


class Problems(Sequence):
    """All problems, items before users before events, each in the order of rows; made when they are asked for."""

    def __init__(self, found: Sequence[Found]):
        self._found = found
        lengths = [len(one.rows) for one in found]
        group = np.repeat(np.arange(len(found)), lengths)
        table = np.array([_ORDER[one.kind.table] for one in found], np.int64)[group]
        rows = np.concatenate([np.zeros(0, np.int64), *(one.rows for one in found)])
        starts = np.cumsum([0, *lengths])[:-1]
        order = np.lexsort((rows, table))
        self._group = group[order].astype(np.int32)
        self._number = (order - starts[self._group] if len(found) else order).astype(np.int64)

    def __len__(self) -> int:
        return len(self._group)

    @overload
    def __getitem__(self, index: int) -> Problem: ...

    @overload
    def __getitem__(self, index: slice) -> list[Problem]: ...

    def __getitem__(self, index: int | slice) -> Problem | list[Problem]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        return self._found[self._group[index]].problem(int(self._number[index]))

    def __iter__(self) -> Iterator[Problem]:
        return (self[place] for place in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Problems) and len(self) == len(other) and all(map(operator.eq, self, other))


class Quarantine:
    """The problems of one ingestion."""

    def __init__(self) -> None:
        self._found: list[Found] = []

    def add_malformed(self, table: Table) -> None:
        """Reject the rows that the reader could not read."""
        if table.malformed:
            kind = Kind(table.name, table.file, "", "malformed_row", kept=False)
            reasons = [f"{REASONS['malformed_row']}: {malformed.reason}" for malformed in table.malformed]
            rows = np.array([malformed.row for malformed in table.malformed], np.int64)
            self._add(kind, rows, (malformed.value for malformed in table.malformed), reasons)

    def reject(self, table: Table, bad: np.ndarray, column: str, code: str) -> None:
        """Reject the rows of `table.frame` where `bad` (bool, a value per row of the frame) holds."""
        self._add_cells(table, bad, Kind(table.name, table.file, column, code, kept=False))

    def reject_rows(self, table: Table, rows: np.ndarray, code: str) -> None:
        """Reject whole rows by their numbers, which need not be in `table.frame`."""
        if len(rows):
            self._add(Kind(table.name, table.file, "", code, kept=False), rows, [""] * len(rows))

    def note(self, table: Table, bad: np.ndarray, column: str, code: str) -> None:
        """Keep the rows where `bad` holds, but report that their cell in `column` counts as absent."""
        self._add_cells(table, bad, Kind(table.name, table.file, column, code, kept=True))

    def note_cell(self, table: Table, row: int, column: str, value: Any, code: str, reason: str) -> None:
        """Report one cell of a kept row, found at row number `row`, with a reason of its own."""
        self._add(Kind(table.name, table.file, column, code, kept=True), np.array([row]), [value], [reason])

    def add(self, other: Quarantine) -> None:
        """Add what another quarantine has found."""
        self._found += other._found

    def add_but(self, other: Quarantine, rows: np.ndarray) -> None:
        """Add what another quarantine has found, but for the row numbers `rows`."""
        for found in other._found:
            left = np.flatnonzero(~np.isin(found.rows, rows))
            reasons = None if found.reasons is None else found.reasons.take(pa.array(left))
            self._found.append(Found(found.kind, found.rows[left], found.values.take(pa.array(left)), reasons))

    def _add_cells(self, table: Table, bad: np.ndarray, kind: Kind) -> None:
        if bad.any():
            values = table.frame[kind.column].to_numpy()[bad] if kind.column else [""] * int(bad.sum())
            self._add(kind, table.frame.index.to_numpy(np.int64)[bad], values)

    def _add(self, kind: Kind, rows: np.ndarray, values: Iterable[Any], reasons: list[str] | None = None) -> None:
        shown = pa.array(map(shortened, values), pa.string())
        self._found.append(Found(kind, rows, shown, None if reasons is None else pa.array(reasons, pa.string())))

    @property
    def problems(self) -> Problems:
        """All problems, items before users before events, each in the order of rows."""
        return Problems(self._found)

    def kinds(self) -> dict[Kind, np.ndarray]:
        """The row numbers of the problems of each kind, ascending; the kinds in the order in which their first row
        comes, items before users before events."""
        rows: dict[Kind, list[np.ndarray]] = {}
        for found in self._found:
            rows.setdefault(found.kind, []).append(found.rows)
        sorted_rows = {kind: np.sort(np.concatenate(parts)) for kind, parts in rows.items()}
        some = {kind: found for kind, found in sorted_rows.items() if len(found)}
        return dict(sorted(some.items(), key=lambda entry: (_ORDER[entry[0].table], entry[1][0])))

    def rejected(self, table: str) -> int:
        """How many rows of a table are not kept."""
        return sum(len(found.rows) for found in self._found if found.kind.table == table and not found.kind.kept)

    @classmethod
    def read(cls, path: str) -> Quarantine:
        """Read what `write` wrote, to go on with it.

        Raises:
            DataError: if the file is missing.
        """
        quarantine = cls()
        lines = read_bytes(path, "data.output").decode().split("\n")
        for problem in (Problem(**json.loads(line)) for line in lines if line):
            kind = Kind(problem.table, problem.file, problem.column, problem.code, problem.kept)
            quarantine._add(kind, np.array([problem.row]), [problem.value], [problem.reason])
        return quarantine

    def write(self, path: str) -> None:
        """Write the problems as JSON Lines with the keys of `Problem`.

        Raises:
            DataError: if the file cannot be written.
        """
        write_text(path, (json.dumps(problem._asdict(), ensure_ascii=False) + "\n" for problem in self.problems))


def shortened(value: Any) -> str:
    """A cell as it is shown to people: at most 80 characters on one line; bytes by their number."""
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = ", ".join(map(str, value))
    text = str(value)[: 2 * _LONGEST_VALUE].encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
