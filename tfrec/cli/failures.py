"""Which exceptions are the user's to read, and in what words."""

from __future__ import annotations

import errno
import sys

from tfrec.errors import TfrecError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_SAID_BY_TENSORFLOW = {
    "No space left": "the disk is full",
    "Disk quota exceeded": "the disk quota is used up",
    "File too large": "a file has reached the largest size allowed here",
    "Read-only file system": "the file system is read-only",
    "Permission denied": "permission is denied",
}


def sentence_of(error: BaseException) -> str:
    """One sentence for an error that is no fault of the program, "" for any other."""
    if isinstance(error, TfrecError):
        return " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        advice = "; free some space and run the same command again" if error.errno in _FULL else ""
        return f"{where}{error.strerror}{advice}"
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None and isinstance(error, tensorflow.errors.OpError):
        text = str(error)
        for said, meaning in _SAID_BY_TENSORFLOW.items():
            if said in text:
                return f"a file cannot be written because {meaning}; make room and run the same command again"
    return ""
