"""The cells of an image or audio column -> normalised bytes in catalogue order; what cannot be used is reported."""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from tfrec.data import pictures, sound
from tfrec.data.columns import ABSENT_WORDS
from tfrec.data.files import is_remote
from tfrec.data.pictures import normalise_picture
from tfrec.data.quarantine import Quarantine
from tfrec.data.read import Table
from tfrec.data.reasons import Refusal
from tfrec.data.sound import normalise_clip
from tfrec.schema import Feature

Progress = Callable[[str, int, int], None]
"""Called as progress(what is being done, done, total)."""

_CHUNK = 256
_LONGEST_PATH = 1024
_SHORTEST_BASE64 = 64
_BASE64 = re.compile(r"(?:data:[\w/+.-]+;base64,)?(?P<digits>[A-Za-z0-9+/\s]+={0,2}\s*)")


class _Kind(NamedTuple):
    """How one kind of content is normalised, how long its files may be, and the code where they are longer."""

    normalise: Callable[[bytes], bytes]
    most_bytes: int
    too_long: str


_KINDS = {
    "image": _Kind(normalise_picture, pictures.MOST_BYTES, "picture_bomb"),
    "audio": _Kind(normalise_clip, sound.MOST_BYTES, "clip_bomb"),
}


def normalised_contents(
    table: Table, feature: Feature, folder: str, quarantine: Quarantine, progress: Progress | None = None
) -> Iterator[bytes]:
    """The normalised picture or clip of every row of `table`, b"" where absent; decoded in parallel threads.

    A cell holds bytes, base64, or a path that starts from `folder` and stays in it. An item whose content cannot be
    used is kept without it and noted in the quarantine.
    """
    column, kind = feature.columns[0], _KINDS[feature.modality]
    cells, rows = table.frame[column].to_numpy(), table.frame.index.to_numpy()

    def outcome(cell: Any) -> bytes | Refusal:
        try:
            content = _content(cell, folder, kind)
            return b"" if content is None else kind.normalise(content)
        except Refusal as refusal:
            return refusal

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
        for start in range(0, len(cells), _CHUNK):
            chunk = cells[start : start + _CHUNK]
            for row, cell, result in zip(rows[start:], chunk, threads.map(outcome, chunk)):
                if isinstance(result, Refusal):
                    quarantine.note_cell(table, int(row), column, cell, result.code, str(result))
                    result = b""
                yield result
            if progress is not None:
                progress(f"{feature.modality} {feature.name}", min(start + _CHUNK, len(cells)), len(cells))


def _content(cell: Any, folder: str, kind: _Kind) -> bytes | None:
    """The bytes that a cell holds or points to, None where it is absent."""
    if isinstance(cell, bytes):
        return cell
    cell = str(cell).strip()
    if cell in ABSENT_WORDS:
        return None
    if cell.startswith("data:") or (len(cell) >= _SHORTEST_BASE64 and _BASE64.fullmatch(cell)):
        is_path = len(cell) <= _LONGEST_PATH and os.path.exists(os.path.join(folder, cell))
        if not is_path:
            return _from_base64(cell)
    return _remote_content(cell, folder, kind) if is_remote(folder) else _local_content(cell, folder, kind)


def _local_content(cell: str, folder: str, kind: _Kind) -> bytes:
    root, path = os.path.realpath(folder), os.path.realpath(os.path.join(folder, cell))
    if os.path.commonpath([root, path]) != root:
        raise Refusal("outside_media")
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise Refusal("missing_file", "this is no regular file")
        if status.st_size > kind.most_bytes:
            raise Refusal(kind.too_long, f"{status.st_size:,} bytes, at most {kind.most_bytes:,} are read")
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError as error:
        raise Refusal("missing_file") from error
    except OSError as error:
        raise Refusal("missing_file", str(error.strerror)) from error


def _remote_content(cell: str, folder: str, kind: _Kind) -> bytes:
    import tensorflow as tf

    if is_remote(cell) or cell.startswith("/") or ".." in cell.split("/"):
        raise Refusal("outside_media")
    path = f"{folder.rstrip('/')}/{cell}"
    try:
        size = tf.io.gfile.stat(path).length
        if size > kind.most_bytes:
            raise Refusal(kind.too_long, f"{size:,} bytes, at most {kind.most_bytes:,} are read")
        with tf.io.gfile.GFile(path, "rb") as file:
            return file.read()
    except tf.errors.OpError as error:
        raise Refusal("missing_file", error.message) from error


def _from_base64(cell: str) -> bytes:
    match = _BASE64.fullmatch(cell)
    if match is None:
        raise Refusal("bad_base64")
    try:
        return base64.b64decode("".join(match["digits"].split()), validate=True)
    except binascii.Error as error:
        raise Refusal("bad_base64", str(error)) from error
