"""Folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator

import tensorflow as tf

from tfrec.data.files import move_folder
from tfrec.errors import ServableError
from tfrec.training.checkpoints import disk_guard


@contextlib.contextmanager
def written_folder(destination: str) -> Iterator[str]:
    """Give a temporary folder beside `destination` and rename it into place when the block ends well.

    Raises:
        ServableError: if `destination` exists already.
        TrainingError: if the disk is full.
    """
    if tf.io.gfile.exists(destination):
        raise ServableError(f"{destination} exists already; remove it or write elsewhere")
    parent, name = os.path.split(destination.rstrip("/"))
    # TensorFlow Serving takes any folder with a numeric name for a version, so the temporary name must not be one.
    temporary = os.path.join(parent, f".writing-{name}-{uuid.uuid4().hex[:8]}")
    with disk_guard(parent or os.curdir):
        tf.io.gfile.makedirs(temporary)
        try:
            yield temporary
            move_folder(temporary, destination)
        except BaseException:
            if tf.io.gfile.exists(temporary):
                tf.io.gfile.rmtree(temporary)
            raise
