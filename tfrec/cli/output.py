"""What a command prints: sentences and tables for people, or one JSON document for machines."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

Progress = Callable[[str, int, int], None]

WIDEST = 100
WIDTH_OF_FILES = 96


class Output:
    """Prints to standard output, and progress bars to standard error.

    Args:
        machine: whether only `result` is printed, as JSON.
    """

    def __init__(self, machine: bool = False):
        self.machine = machine
        self._console: Console | None = None

    def say(self, text: str) -> None:
        """Print a line for people."""
        if self.machine:
            return
        if "tqdm" in sys.modules:  # a bar may be on the terminal
            from tqdm import tqdm

            tqdm.write(text, file=sys.stdout)
            sys.stdout.flush()
        else:
            print(text, flush=True)

    def tell(self, text: str) -> None:
        """Print a line for people that may be long: continued below its own beginning."""
        if self.machine:
            return
        margin = " " * (len(text) - len(text.lstrip()))
        indent = margin + "    " if margin else ""
        # Long words stay whole: they are paths, to be copied.
        wrapper = textwrap.TextWrapper(
            self.console.width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
        )
        for part in wrapper.wrap(text) or [""]:
            self.say(part)

    def show(self, table: Any) -> None:
        """Print a rich table or text for people."""
        if not self.machine:
            self.console.print(table)

    def result(self, document: Any) -> None:
        """Print the outcome for machines."""
        if self.machine:
            print(json.dumps(document, indent=1, ensure_ascii=False, default=str), flush=True)

    @property
    def console(self) -> Console:
        """A rich console of at most 100 columns, plain where standard output is no terminal."""
        if self._console is None:
            from rich.console import Console

            terminal = sys.stdout.isatty() or "COLUMNS" in os.environ
            width = min(shutil.get_terminal_size((WIDTH_OF_FILES, 24)).columns, WIDEST) if terminal else WIDTH_OF_FILES
            self._console = Console(width=width, highlight=False, soft_wrap=False, legacy_windows=False)
        return self._console

    @contextlib.contextmanager
    def progress(self) -> Iterator[Progress]:
        """Give progress(what, done, total), which moves a bar on standard error; silent where that is no terminal."""
        if self.machine or not sys.stderr.isatty():
            yield lambda what, done, total: None
            return
        from tqdm import tqdm

        bars: dict[str, tqdm] = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in bars:
                for other in bars.values():
                    other.close()
                bars.clear()
                bars[what] = tqdm(desc=what, total=total or None, unit="", leave=False, dynamic_ncols=True)
            bar = bars[what]
            bar.total = total or None
            bar.update(done - bar.n)

        try:
            yield progress
        finally:
            for bar in bars.values():
                bar.close()
