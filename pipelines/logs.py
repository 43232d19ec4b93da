"""Keeps the noise of TFX, Beam and C++ libraries out of the terminal and in a log file."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator

_PROGRESS = logging.getLogger("tfrec.pipelines")


@contextlib.contextmanager
def noise_in(path: str) -> Iterator[None]:
    """Send standard error, also of C++ code, and all logging into the file at `path` until the block ends.

    Standard output is left alone. The folder must be there.
    """
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with open(path, "w", encoding="utf-8") as file, _standard_error_in(file.fileno()):
        root.handlers = [_handler(file)]
        root.setLevel(logging.INFO)
        try:
            yield
        except BaseException:
            logging.exception("the run ended with this error")
            raise
        finally:
            root.handlers, root.level = handlers, level


@contextlib.contextmanager
def progress_to(say: Callable[[str], None]) -> Iterator[None]:
    """Pass what the components log as progress on to `say`, a line at a time."""
    handler = _Saying(say)
    level = _PROGRESS.level
    _PROGRESS.addHandler(handler)
    _PROGRESS.setLevel(logging.INFO)
    try:
        yield
    finally:
        _PROGRESS.removeHandler(handler)
        _PROGRESS.setLevel(level)


class _Saying(logging.Handler):
    def __init__(self, say: Callable[[str], None]):
        super().__init__(logging.INFO)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        self._say(f"  {record.getMessage()}")


def _handler(file) -> logging.Handler:
    handler = logging.StreamHandler(file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    return handler


@contextlib.contextmanager
def _standard_error_in(descriptor: int) -> Iterator[None]:
    sys.stderr.flush()
    saved = os.dup(2)
    os.dup2(descriptor, 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(saved, 2)
        os.close(saved)
