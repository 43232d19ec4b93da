"""Reads and writes files, local or in an object store that tf.io.gfile knows; failures are one clear sentence."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from tfrec.errors import DataError


def is_remote(path: str) -> bool:
    """Whether `path` has a scheme such as gs:// and must be opened by tf.io.gfile."""
    return "://" in path


def read_bytes(path: str, setting: str) -> bytes:
    """The content of the file at `path`; `setting` is the configuration key that named it, for the error.

    Raises:
        DataError: if the file is missing or unreadable.
    """
    with opened(path, setting) as file:
        return file.read()


@contextlib.contextmanager
def opened(path: str, setting: str) -> Iterator[BinaryIO]:
    """The file at `path`, to be read piece by piece and from any place; `setting` as of `read_bytes`.

    Raises:
        DataError: if the file is missing or unreadable, now or while it is read.
    """
    try:
        with _remote(path) if is_remote(path) else open(path, "rb") as file:
            yield file
    except DataError:
        raise
    except Exception as error:
        if not isinstance(error, (OSError, *_tensorflow_errors())):
            raise
        raise DataError(f"cannot read {path}: {_explanation(error)}; check {setting} in the configuration") from error


@contextlib.contextmanager
def local_copy(path: str) -> Iterator[str]:
    """The file at `path` as one that libraries which know no object store can read: itself, or a copy for the while."""
    if not is_remote(path):
        yield path
        return
    import tensorflow as tf

    with tempfile.TemporaryDirectory(prefix="tfrec-") as folder:
        copy = os.path.join(folder, os.path.basename(path))
        tf.io.gfile.copy(path, copy)
        yield copy


def _remote(path: str) -> BinaryIO:
    import tensorflow as tf

    return io.BufferedReader(_RemoteFile(tf.io.gfile.GFile(path, "rb")))


class _RemoteFile(io.RawIOBase):
    """A file of tf.io.gfile as Python's own kind of file."""

    def __init__(self, file: Any):
        super().__init__()
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._file.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: self._file.size()}[whence]
        self._file.seek(start + offset)
        return self.tell()

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        super().close()


def write_text(path: str, text: str | Iterable[str]) -> None:
    """Write `text`, or pieces of it one after the other, as UTF-8; a reader sees the old file or the whole new one.

    Raises:
        DataError: if it cannot be written, for instance because the disk is full.
    """
    partial = f"{path}.partial"
    pieces = [text] if isinstance(text, str) else text
    with writing(path):
        if is_remote(path):
            import tensorflow as tf

            with tf.io.gfile.GFile(partial, "w") as remote:
                remote.write("")  # makes the file, which opening it does not
                for piece in pieces:
                    remote.write(piece)
            tf.io.gfile.rename(partial, path, overwrite=True)
            return
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(partial, "w", encoding="utf-8") as file:
            file.writelines(pieces)
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


def move_folder(source: str, destination: str) -> None:
    """Move a folder to where none is: locally at once, in an object store, which has no folders, file by file.

    There the files of subfolders come before its own, so that a SavedModel is none before all it reads is there.
    """
    if not is_remote(source):
        os.rename(source, destination)
        return
    import tensorflow as tf

    for folder, _, names in list(tf.io.gfile.walk(source, topdown=False)):
        target = destination + folder.rstrip("/").removeprefix(source)
        tf.io.gfile.makedirs(target)
        for name in names:
            tf.io.gfile.rename(tf.io.gfile.join(folder, name), tf.io.gfile.join(target, name), overwrite=True)
    with contextlib.suppress(tf.errors.NotFoundError):  # in some stores a folder is gone with its last file
        tf.io.gfile.rmtree(source)
