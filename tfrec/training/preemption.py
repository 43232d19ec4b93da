"""SIGTERM, with which clusters take a machine away: noted when it comes, acted on between two steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

from tfrec.training.cluster import Workers


class Preemption:
    """A context in which SIGTERM ends nothing by itself; in other threads than the main one it stays as it was.

    Args:
        workers: who trains together. What one of them is told, all hear of.
    """

    def __init__(self, workers: Workers):
        self._workers = workers
        self._noted = False
        self._before: Any = None

    def __enter__(self) -> Preemption:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def told(self) -> bool:
        """Whether to end now, the same on all workers; they wait for each other here."""
        return self._workers.mean(self._noted) > 0

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._noted = True
