"""Progress of long work inside a component, as log lines: every runner shows them in its own way."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

_SECONDS_BETWEEN = 5.0


def steps_logged(log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> Callable[[str, int, int], None]:
    """Return progress(what, done, total) that logs a line every few seconds of work that takes longer than that."""
    last = {"time": clock()}

    def progress(what: str, done: int, total: int) -> None:
        now = clock()
        if now - last["time"] >= _SECONDS_BETWEEN:
            last["time"] = now
            log.info(f"{what}: {done:,} of {total:,}")

    return progress
