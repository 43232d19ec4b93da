"""Arrays for what is prepared anew by each process: in memory, or in a file without a name where they are too large."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Sequence

import numpy as np

from tfrec.errors import DataError

MOST_IN_MEMORY = 2**30  # Bytes.


def scratch_array(shape: Sequence[int], dtype: type, directory: str) -> np.ndarray:
    """Zeros of this shape; of more than `MOST_IN_MEMORY` bytes in a mapped file, which is gone with the array.

    Args:
        directory: where the file is made; the system's place for such files if it is "" or in an object store.

    Raises:
        DataError: if there is no room on the disk.
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if size <= MOST_IN_MEMORY:
        return np.zeros(shape, dtype)
    folder = directory if directory and "://" not in directory else tempfile.gettempdir()
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            _take_room(file.fileno(), size)
            return np.memmap(file, dtype, "r+", shape=tuple(shape))
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else str(error)
        raise DataError(
            f"cannot keep {size / 1e9:.1f} GB of prepared content in {folder}: {reason}; make room, or choose smaller "
            "pictures, shorter sounds or a frozen encoder"
        ) from error


def _take_room(descriptor: int, size: int) -> None:
    """Make the file `size` bytes long; to write to a mapped file that lacks room on the disk would end the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.truncate(descriptor, size)
