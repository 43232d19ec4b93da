"""Reads and writes whole files, local or in an object store that tf.io.gfile knows; failures are one clear sentence."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from tfrec.errors import DataError


def is_remote(path: str) -> bool:
    """Whether `path` has a scheme such as gs:// and must be opened by tf.io.gfile."""
    return "://" in path


def read_bytes(path: str, setting: str) -> bytes:
    """The content of the file at `path`; `setting` is the configuration key that named it, for the error.

    Raises:
        DataError: if the file is missing or unreadable.
    """
    try:
        if is_remote(path):
            import tensorflow as tf

            with tf.io.gfile.GFile(path, "rb") as file:
                return file.read()
        with open(path, "rb") as file:
            return file.read()
    except Exception as error:
        raise DataError(f"cannot read {path}: {_explanation(error)}; check {setting} in the configuration") from error


def write_text(path: str, text: str) -> None:
    """Write `text` as UTF-8 so that a reader sees the old file or the whole new one, never a part.

    Raises:
        DataError: if it cannot be written, for instance because the disk is full.
    """
    partial = f"{path}.partial"
    with writing(path):
        if is_remote(path):
            import tensorflow as tf

            with tf.io.gfile.GFile(partial, "w") as remote:
                remote.write(text)
            tf.io.gfile.rename(partial, path, overwrite=True)
            return
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(partial, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)


@contextlib.contextmanager
def writing(path: str) -> Iterator[None]:
    """Turn a failure to write `path` (full disk, no permission) into a DataError of one sentence."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, (OSError, *_tensorflow_errors())):
            raise
        raise DataError(
            f"cannot write {path}: {_explanation(error)}; free some space or choose another data.output"
        ) from error


def _tensorflow_errors() -> tuple[type[Exception], ...]:
    """TensorFlow's base error, if TensorFlow is loaded at all."""
    tensorflow = sys.modules.get("tensorflow")
    return (tensorflow.errors.OpError,) if tensorflow is not None else ()


def _explanation(error: Exception) -> str:
    if isinstance(error, FileNotFoundError) or type(error).__name__ == "NotFoundError":
        return "there is no such file"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    message = getattr(error, "message", None) or str(error)
    return " ".join(str(message).split())
