"""Tables of evaluations in the terminal."""

from __future__ import annotations

import json
import os
from typing import Any

from tfrec.cli.output import Output


def show_evaluation(folder: str, output: Output) -> None:
    """Show known items and, where there were any, held-out items from the report.json in `folder`."""
    from tfrec.evaluation.console import console_table
    from tfrec.evaluation.result import Evaluation

    with open(os.path.join(folder, "report.json"), encoding="utf-8") as file:
        report = json.load(file)
    for part in ("warm", "cold"):
        if report[part]:
            evaluation = Evaluation.from_json(report[part])
            output.show(console_table(evaluation))


def table_of(rows: list[list[str]]) -> Any:
    """Header and rows as a table for the terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    header, *rest = rows
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), title_justify="left")
    for number, column in enumerate(header):
        table.add_column(column, justify="right" if number else "left")
    for row in rest:
        table.add_row(*row)
    return table
