"""The demo's tables: tales with what is told, seen and heard in them, plain where standard output is no terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tfrec.cli.demo.tastes import HEARD, SEEN, TOLD, Tastes

LIKED = "bold green"
GAP = 1  # beside the one column that rich puts between columns
LEAST_TITLE = 16


class Row(NamedTuple):
    """A line of a table: what stands before the title, the item, its title, and the names of the traits to mark."""

    lead: str
    item: str
    title: str
    marked: set[str] | frozenset[str] = frozenset()


def tales(heading: str, rows: Sequence[Row], tastes: Tastes, width: int) -> Padding:
    """A table of tales that fits `width` columns; marked traits carry a star and colour, long titles are cut."""
    traits = [[_traits(row, names, tastes) for names in (TOLD, SEEN, HEARD)] for row in rows]
    lead = max(len(row.lead) for row in rows)
    taken = sum(max(len(cells[column]) for cells in traits) + GAP + 1 for column in range(3)) + (
        lead + GAP + 1 if lead else 0
    )
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
    if lead:
        table.add_column("", justify="right", no_wrap=True)
    room = max(width - taken - GAP, LEAST_TITLE)
    table.add_column(
        Text(heading, style="bold not dim"), no_wrap=True, overflow="ellipsis", min_width=min(room, 36), max_width=room
    )
    for column in ("told", "seen", "heard"):
        table.add_column(column, no_wrap=True)
    for row, cells in zip(rows, traits):
        table.add_row(*[row.lead] * bool(lead), Text(row.title), *cells)
    return Padding(table, (0, 0, 1, 0), expand=False)


def _traits(row: Row, names: Sequence[str], tastes: Tastes) -> Text:
    text = Text()
    for number, name in enumerate(names):
        marked = name in row.marked
        text.append(", " if number else "")
        text.append(tastes.traits[row.item][name] + ("*" if marked else ""), style=LIKED if marked else "")
    return text
