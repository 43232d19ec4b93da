"""What every benchmark of the command line does with what it measured: shows it, and writes its page and numbers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tfrec.cli.evaluation_tables import table_of
from tfrec.cli.output import Output

if TYPE_CHECKING:
    from tfrec.speed.measured import Measurement


def measured(measure: Callable[[], Measurement], command: str, out: str, output: Output) -> dict[str, Any]:
    """Measure, show the tables, write `out`.json and `out`.md where it is not "", and return what the JSON holds.

    Args:
        measure: what is measured; called once.
        command: what to type for the same result.
    """
    from tfrec.data.files import write_text
    from tfrec.speed.measured import page
    from tfrec.steps.quality import environment

    before = os.getloadavg()[0]
    measurement = measure()
    machine = {**environment(), "load": [before, os.getloadavg()[0]]}
    for table in measurement.tables:
        output.say(table.heading)
        output.show(table_of(table.rows))
    document = {"command": command, "environment": machine, "about": measurement.about, **measurement.numbers}
    if out:
        write_text(f"{out}.json", json.dumps(document, indent=1) + "\n")
        write_text(f"{out}.md", page(measurement, command, machine))
        output.say(f"wrote {out}.json and {out}.md")
    return document
