"""A hash of this package's source, so that results of older code are not taken for results of this one."""

from __future__ import annotations

import functools
import hashlib
import os

LEFT_OUT = ("__pycache__", "cli")  # The command line only calls the rest: it decides no result.


@functools.lru_cache
def code_hash() -> str:
    """Hexadecimal sha256 over the Python files that results depend on, in the order of their paths."""
    root = os.path.dirname(os.path.abspath(__file__))
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT)
        for name in sorted(files):
            if name.endswith(".py"):
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    digest.update(os.path.relpath(path, root).encode() + b"\0" + file.read())
    return digest.hexdigest()
