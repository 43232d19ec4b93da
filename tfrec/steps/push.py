"""Pushes a servable to the folder TensorFlow Serving watches."""

from __future__ import annotations

import os

import tensorflow as tf

from tfrec.errors import ServableError
from tfrec.export.atomic import written_folder


def push(servable: str, push_directory: str) -> str:
    """Copy a servable to the next version below `push_directory`, which appears whole or not at all.

    Returns:
        The folder of the new version.

    Raises:
        ServableError: if there is no servable.
        TrainingError: if the disk is full.
    """
    if not tf.io.gfile.exists(os.path.join(servable, "saved_model.pb")):
        raise ServableError(f"{servable} holds no SavedModel; give the folder with saved_model.pb in it")
    destination = os.path.join(push_directory, str(next_version(push_directory)))
    with written_folder(destination) as folder:
        _copy(servable, folder)
    return destination


def next_version(push_directory: str) -> int:
    """One more than the largest version below `push_directory`; 1 where there is none."""
    return max(versions(push_directory), default=0) + 1


def versions(push_directory: str) -> list[int]:
    """The versions below `push_directory`, ascending."""
    if not tf.io.gfile.isdir(push_directory):
        return []
    names = (name.rstrip("/") for name in tf.io.gfile.listdir(push_directory))
    return sorted(int(name) for name in names if name.isdigit())


def _copy(source: str, destination: str) -> None:
    for folder, _, files in tf.io.gfile.walk(source):
        target = os.path.join(destination, os.path.relpath(folder, source)) if folder != source else destination
        tf.io.gfile.makedirs(target)
        for name in files:
            tf.io.gfile.copy(os.path.join(folder, name), os.path.join(target, name), overwrite=True)
