"""A short hash of what decides an encoder's vectors, under which they are cached."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf


def weights_fingerprint(settings: Mapping[str, Any], weights: Iterable[tf.Variable]) -> str:
    """Return 32 hexadecimal digits that change with any setting (JSON values) or any weight, in their given order."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for weight in weights:
        values = np.ascontiguousarray(weight.numpy())
        digest.update(f"{values.dtype}{values.shape}".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()[:32]
