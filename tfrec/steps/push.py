"""Pushes a servable to the folder TensorFlow Serving watches, and removes versions that are no longer kept."""

from __future__ import annotations

import os
import uuid

import tensorflow as tf

from tfrec.data.files import move_folder
from tfrec.errors import ServableError
from tfrec.export.atomic import written_folder


def push(servable: str, push_directory: str, keep: int = 0) -> str:
    """Copy a servable to the next version below `push_directory`, which appears whole or not at all.

    Args:
        keep: how many versions are left afterwards, see `remove_old_versions`; 0 leaves all.

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
    remove_old_versions(push_directory, keep)
    return destination


def next_version(push_directory: str) -> int:
    """One more than the largest version below `push_directory`; 1 where there is none."""
    return max(versions(push_directory), default=0) + 1


def versions(push_directory: str) -> list[int]:
    """The versions below `push_directory`, ascending."""
    if not tf.io.gfile.isdir(push_directory):
        return []
    names = (name.rstrip("/") for name in tf.io.gfile.listdir(push_directory))
    return sorted(int(name) for name in names if _is_number(name))


def version_folder(push_directory: str, version: int) -> str:
    """The folder of a version; its name may have leading zeros.

    Raises:
        ServableError: if there is none.
    """
    for name in tf.io.gfile.listdir(push_directory) if tf.io.gfile.isdir(push_directory) else ():
        if _is_number(name.rstrip("/")) and int(name.rstrip("/")) == version:
            return os.path.join(push_directory, name.rstrip("/"))
    there = ", ".join(map(str, versions(push_directory))) or "none"
    raise ServableError(f"there is no version {version} in {push_directory}; the versions there are: {there}")


def latest_folder(push_directory: str) -> str:
    """The folder of the latest version, which servers serve unless they are told otherwise; "" where there is none."""
    numbers = versions(push_directory)
    return version_folder(push_directory, numbers[-1]) if numbers else ""


def remove_old_versions(push_directory: str, keep: int) -> list[int]:
    """Remove all versions but the latest `keep`, the oldest first; 0 keeps all.

    A version is moved to a name that no server takes for one before its files go, so that none sees it in parts.

    Returns:
        The numbers of those removed.
    """
    if not keep:
        return []
    old = versions(push_directory)[:-keep]
    for version in old:
        aside = os.path.join(push_directory, f".removing-{version}-{uuid.uuid4().hex[:8]}")
        move_folder(version_folder(push_directory, version), aside)
        if tf.io.gfile.exists(aside):
            tf.io.gfile.rmtree(aside)
    return old


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit()


def _copy(source: str, destination: str) -> None:
    for folder, _, files in tf.io.gfile.walk(source):
        target = os.path.join(destination, os.path.relpath(folder, source)) if folder != source else destination
        tf.io.gfile.makedirs(target)
        for name in files:
            tf.io.gfile.copy(os.path.join(folder, name), os.path.join(target, name), overwrite=True)
