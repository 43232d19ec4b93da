"""What a speed benchmark gives, how ratios are told, and the page it makes."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfrec.evaluation.quality_page import markdown_table
from tfrec.evaluation.wording import machine_sentence


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of the page: a heading, the header row and others below it, and what is said about it."""

    heading: str
    rows: list[list[str]]
    remark: str = ""


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What was measured.

    Attributes:
        title: of the page.
        about: what ran and how, before the tables.
        numbers: every single measurement, for machines.
    """

    title: str
    about: str
    tables: tuple[Table, ...]
    numbers: Mapping[str, Any]


class Stopwatch:
    """Wall-clock and processor seconds of consecutive parts of a run; the processor's are of all threads."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []
        self.start()

    def start(self) -> None:
        """Begin a part now."""
        self._at = (time.perf_counter(), time.process_time())

    def lap(self) -> None:
        """End a part and begin the next."""
        now = (time.perf_counter(), time.process_time())
        self.wall.append(now[0] - self._at[0])
        self.cpu.append(now[1] - self._at[1])
        self._at = now


def spread(values: Sequence[float] | np.ndarray) -> dict[str, float]:
    """Smallest, median and largest."""
    return {"min": float(np.min(values)), "median": float(np.median(values)), "max": float(np.max(values))}


def told(values: Mapping[str, float], form: str = "{:.1f}") -> str:
    """A spread as `median (min to max)`."""
    return "{} ({} to {})".format(*(form.format(values[name]) for name in ("median", "min", "max")))


def page(measurement: Measurement, command: str, environment: Mapping[str, Any]) -> str:
    """The Markdown page of a measurement; `environment` has `load`, the load averages before and after it."""
    lines = [f"# {measurement.title}", "", "```", command, "```", "", measurement.about, ""]
    for table in measurement.tables:
        lines += [f"## {table.heading}", "", *markdown_table(table.rows), ""]
        lines += [table.remark, ""] if table.remark else []
    before, after = environment["load"]
    machine = (
        f"{machine_sentence(environment)} "
        f"Load average {before:.1f} before and {after:.1f} after, this measurement included."
    )
    return "\n".join([*lines, "## Machine and versions", "", machine]) + "\n"
