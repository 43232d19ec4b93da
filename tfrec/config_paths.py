"""The paths that a configuration names."""

from __future__ import annotations

import os
from collections.abc import Iterator

from tfrec.config import Config

WRITTEN = ("data.output", "serving.push")
"""The settings that name folders to write to; all others name what is read."""


def paths(config: Config) -> Iterator[tuple[str, str]]:
    """Each setting that names a path, and the path: absolute, or in an object store."""
    data = config.data
    for key in ("items", "events", "users", "media", "output"):
        if getattr(data, key):
            yield f"data.{key}", getattr(data, key)
    if config.serving.push:
        yield "serving.push", config.serving.push
    if config.gates.audit:
        yield "gates.audit", config.gates.audit
    for feature in config.schema.content():
        for key, value in feature.encoder.items():
            if isinstance(value, str) and os.path.isabs(value):
                yield f"schema.items.features.{feature.name}.encoder.{key}", value
