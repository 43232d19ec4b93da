"""Memory of what was unloaded goes back to the system, as TensorFlow Serving has it go."""

from __future__ import annotations

import ctypes
import gc
import os

_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None  # of glibc


def give_back() -> None:
    """Free graphs, whose parts hold one another, now rather than some day, and hand their memory to the system.

    Otherwise hundreds of them are held before they are looked for, and the holes they leave make the process grow.
    """
    gc.collect()
    if _TRIM is not None:
        _TRIM(0)


def keep_what_is_there() -> None:
    """Let `give_back` look through what comes from now on only, which takes a millisecond instead of a hundred."""
    gc.collect()
    gc.freeze()
