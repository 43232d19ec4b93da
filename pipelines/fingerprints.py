"""Hashes of what a run reads from outside: execution parameters, so that a component runs again if one changes.

Local files are hashed by content, files of an object store by size and time of change.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import stat
from collections.abc import Iterable

import tensorflow as tf

from tfrec.code_hash import code_hash
from tfrec.config import Config
from tfrec.data.files import is_remote, read_bytes
from tfrec.data.read import read_table

_LARGEST_HASHED = 256 * 2**20


@dataclasses.dataclass(frozen=True)
class Fingerprints:
    """Hexadecimal hashes of the inputs of a run.

    Attributes:
        catalogue: the items file and the pictures and clips it names.
        events: the events file and the users file.
        encoders: local files that the encoders' settings name.
        audit: the audit that the gates name.
        code: the source of the library and of the pipeline, and TensorFlow's version.
    """

    catalogue: str
    events: str
    encoders: str
    audit: str
    code: str


def take_fingerprints(config: Config) -> Fingerprints:
    """Hash everything a run of the pipeline reads.

    Raises:
        DataError: if the items, users or events file, or the audit, cannot be read.
    """
    audit = read_bytes(config.gates.audit, "gates.audit") if config.gates.audit else b""
    return Fingerprints(
        catalogue=_catalogue_hash(config),
        events=_events_hash(config),
        encoders=_encoders_hash(config),
        audit=hashlib.sha256(audit).hexdigest(),
        code=_code(),
    )


def unread_fingerprints(run: str) -> Fingerprints:
    """For inputs that cannot be read from here: they are taken for new in every `run`, a name of its own."""
    return Fingerprints(catalogue=run, events=run, encoders=run, audit=run, code=_code())


def _catalogue_hash(config: Config) -> str:
    digest = hashlib.sha256(read_bytes(config.data.items, "data.items"))
    media = [feature for feature in config.schema.items.features if feature.modality in ("image", "audio")]
    if not media:
        return digest.hexdigest()
    frame = read_table(config.data.items, "items").frame
    for feature in media:
        cells = frame[feature.columns[0]] if feature.columns[0] in frame.columns else []
        names = sorted({cell.strip() for cell in cells if isinstance(cell, str)})
        for state in _states(os.path.join(config.data.media, name) for name in names if name):
            digest.update(state)
    return digest.hexdigest()


def _events_hash(config: Config) -> str:
    digest = hashlib.sha256(read_bytes(config.data.events, "data.events"))
    if config.data.users:
        digest.update(hashlib.sha256(read_bytes(config.data.users, "data.users")).digest())
    return digest.hexdigest()


def _encoders_hash(config: Config) -> str:
    digest = hashlib.sha256()
    for feature in config.schema.content():
        for name, value in sorted(feature.encoder.items()):
            if isinstance(value, str) and os.sep in value and tf.io.gfile.exists(value):
                digest.update(f"{feature.name} {name}".encode())
                for state in _states(_files_below(value)):
                    digest.update(state)
    return digest.hexdigest()


def _code() -> str:
    digest = hashlib.sha256(f"{code_hash()} {tf.__version__}".encode())
    folder = os.path.dirname(os.path.abspath(__file__))
    for name in sorted(os.listdir(folder)):
        if name.endswith(".py"):
            with open(os.path.join(folder, name), "rb") as file:
                digest.update(name.encode() + b"\0" + file.read())
    return digest.hexdigest()


def _files_below(path: str) -> list[str]:
    if not tf.io.gfile.isdir(path):
        return [path]
    return sorted(os.path.join(folder, name) for folder, _, names in tf.io.gfile.walk(path) for name in names)


def _states(paths: Iterable[str]) -> Iterable[bytes]:
    """For each file the hash of its path and content, or of its size and time where reading it all would cost much."""
    for path in paths:
        yield hashlib.sha256(path.encode("utf-8", "surrogateescape") + b"\0" + _state(path)).digest()


def _state(path: str) -> bytes:
    if is_remote(path):
        if not tf.io.gfile.exists(path):
            return b"missing"
        status = tf.io.gfile.stat(path)
        return f"{status.length} {status.mtime_nsec}".encode()
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return b"no regular file"
        if status.st_size > _LARGEST_HASHED:
            return f"{status.st_size} {status.st_mtime_ns}".encode()
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).digest()
    except (OSError, ValueError) as error:  # what cannot be read is refused, with a reason, by the ingestion
        return f"unreadable {type(error).__name__}".encode()
