"""Which versions of a model to serve: the numbered folders below its base path, narrowed by a policy."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from tfrec.serving.server.options import Policy

LARGEST_VERSION = (1 << 63) - 1
LONGEST_NAME = 255  # of a file; longer digits cannot be a folder
log = logging.getLogger(__name__)


def version_folders(names: Iterable[str]) -> dict[int, str]:
    """The names that are whole numbers, by number; leading zeros are allowed, and of equal numbers one is kept."""
    found: dict[int, str] = {}
    for name in sorted(name.rstrip("/") for name in names):
        if not (name.isascii() and name.isdigit()) or len(name) > LONGEST_NAME or int(name) > LARGEST_VERSION:
            continue
        number = int(name)
        if number in found:
            log.warning("folders %r and %r both name version %d; %r is served", found[number], name, number, name)
        found[number] = name
    return found


def wanted_versions(found: Mapping[int, str], policy: Policy) -> dict[int, str]:
    """The part of `found` that `policy` asks to serve."""
    if policy.kind == "all":
        return dict(found)
    if policy.kind == "specific":
        for version in sorted(set(policy.versions) - set(found)):
            log.warning("version %d is asked for but there is no folder of that number", version)
        return {version: found[version] for version in policy.versions if version in found}
    return {version: found[version] for version in sorted(found)[-policy.number :]}


def found_versions(base_path: str) -> dict[int, str]:
    """Paths of the versions below `base_path`, local or in an object store, by number.

    Raises:
        OSError: the folder cannot be listed.
    """
    import tensorflow as tf

    try:
        names = tf.io.gfile.listdir(base_path)
    except tf.errors.OpError as error:
        raise OSError(error.message) from error
    base = base_path.rstrip("/")
    return {number: f"{base}/{name}" for number, name in version_folders(names).items()}
