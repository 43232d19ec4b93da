"""Collects every row and cell that is not used, with its row number and the reason, so nothing is lost silently."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tfrec.data.files import read_bytes, write_text
from tfrec.data.read import Table
from tfrec.data.reasons import REASONS

_LONGEST_VALUE = 80


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


class Quarantine:
    """The problems of one ingestion."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []

    def add_malformed(self, table: Table) -> None:
        """Reject the rows that the reader could not read."""
        for malformed in table.malformed:
            reason = f"{REASONS['malformed_row']}: {malformed.reason}"
            self._problems.append(
                Problem(
                    table.name,
                    table.file,
                    malformed.row,
                    "",
                    shortened(malformed.value),
                    "malformed_row",
                    reason,
                    kept=False,
                )
            )

    def reject(self, table: Table, bad: np.ndarray, column: str, code: str) -> None:
        """Reject the rows of `table.frame` where `bad` (bool, a value per row of the frame) holds."""
        self._add(table, bad, column, code, kept=False)

    def note(self, table: Table, bad: np.ndarray, column: str, code: str) -> None:
        """Keep the rows where `bad` holds, but report that their cell in `column` counts as absent."""
        self._add(table, bad, column, code, kept=True)

    def note_cell(self, table: Table, row: int, column: str, value: Any, code: str, reason: str) -> None:
        """Report one cell of a kept row, found at row number `row`, with a reason of its own."""
        self._problems.append(Problem(table.name, table.file, row, column, shortened(value), code, reason, kept=True))

    def _add(self, table: Table, bad: np.ndarray, column: str, code: str, kept: bool) -> None:
        if not bad.any():
            return
        values = table.frame[column].to_numpy()[bad] if column else np.full(int(bad.sum()), "", object)
        self._problems += [
            Problem(table.name, table.file, int(row), column, shortened(value), code, REASONS[code], kept)
            for row, value in zip(table.frame.index.to_numpy()[bad], values)
        ]

    @property
    def problems(self) -> list[Problem]:
        """All problems, items before users before events, each in the order of rows."""
        order = {"items": 0, "users": 1, "events": 2}
        return sorted(self._problems, key=lambda problem: (order[problem.table], problem.row))

    def rejected(self, table: str) -> int:
        """How many rows of a table are not kept."""
        return sum(problem.table == table and not problem.kept for problem in self._problems)

    @classmethod
    def read(cls, path: str) -> Quarantine:
        """Read what `write` wrote, to go on with it.

        Raises:
            DataError: if the file is missing.
        """
        quarantine = cls()
        lines = read_bytes(path, "data.output").decode().split("\n")
        quarantine._problems = [Problem(**json.loads(line)) for line in lines if line]
        return quarantine

    def write(self, path: str) -> None:
        """Write the problems as JSON Lines with the keys of `Problem`.

        Raises:
            DataError: if the file cannot be written.
        """
        write_text(path, "".join(json.dumps(problem._asdict(), ensure_ascii=False) + "\n" for problem in self.problems))


def shortened(value: Any) -> str:
    """A cell as it is shown to people: at most 80 characters on one line; bytes by their number."""
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = ", ".join(map(str, value))
    text = str(value)[: 2 * _LONGEST_VALUE].encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
