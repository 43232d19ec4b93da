"""What a trained model depends on, in one hash: whether a training can be resumed, and where a servable came from."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping

import numpy as np

from tfrec.code_hash import code_hash
from tfrec.config import Config
from tfrec.data.tables import Dataset
from tfrec.encoders.base import Encoder


def training_fingerprint(config: Config, dataset: Dataset, encoders: Mapping[str, Encoder]) -> str:
    """A hash of all that decides a trained model: settings, data, encoders and the code of this package."""
    digest = hashlib.sha256()
    # Where steps are computed makes no difference to what they compute.
    training = dataclasses.replace(config.training, strategy="one", tables="auto")
    for setting in (config.schema, config.model, training, config.serving.history, code_hash()):
        digest.update(repr(setting).encode())
    for events in (dataset.train, dataset.validation):
        for array in (events.user, events.item, events.time, events.weight):
            digest.update(np.ascontiguousarray(array).tobytes())
        for name, column in sorted(events.context.items()):
            digest.update(f"{name} {list(column)}".encode())
    digest.update(np.ascontiguousarray(dataset.held_out).tobytes())
    digest.update("\n".join([*dataset.catalogue.ids, "", *dataset.users.ids]).encode())
    for name, column in sorted(dataset.users.columns.items()):
        digest.update(f"{name} {list(column)}".encode())
    for name, media in sorted(dataset.catalogue.media.items()):
        digest.update(f"{name} {' '.join(media.digests)}".encode())
    for name, column in sorted(dataset.catalogue.columns.items()):
        digest.update(f"{name} {list(column)}".encode())
    for name, encoder in sorted(encoders.items()):
        digest.update(f"{name} {encoder.frozen and encoder.fingerprint()}".encode())
    return digest.hexdigest()
