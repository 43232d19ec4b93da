"""Shows the evaluation that a report holds as tables in the terminal."""

from __future__ import annotations

import json
import os

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
            output.show(console_table(evaluation, k=min(10, max(evaluation.ks))))
