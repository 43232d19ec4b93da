"""What a servable says of itself: schema, versions, hashes, metrics and shapes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
import time
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

import tfrec
from tfrec.code_hash import code_hash
from tfrec.config import Config
from tfrec.errors import ServableError
from tfrec.export.request_shape import shape_of

EXTRA = "assets.extra"
MANIFEST = "tfrec_manifest.json"
ITEMS = "items.jsonl"


def manifest(
    config: Config, data_hash: str, items: int, users: int, metrics: Mapping[str, float] | None
) -> dict[str, Any]:
    """The manifest of a model, ready for JSON.

    Args:
        config: its configuration; paths are left out.
        data_hash: a hash of the training data.
        items, users: how many it knows.
        metrics: measured values by name.
    """
    import tensorflow_text

    return {
        "name": config.model_name,
        "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "schema": dataclasses.asdict(config.schema),
        "model": dataclasses.asdict(config.model),
        "training": dataclasses.asdict(config.training),
        "serving": {
            **dataclasses.asdict(shape_of(config.serving)),
            "k": config.serving.k,
            "filters": list(config.serving.filters),
        },
        "items": items,
        "users": users,
        "hashes": {"data": data_hash, "code": code_hash()},
        "versions": {
            "tfrec": tfrec.__version__,
            "tensorflow": tf.__version__,
            "tensorflow_text": tensorflow_text.__version__,
            "python": platform.python_version(),
        },
        "metrics": dict(metrics or {}),
    }


def write_extras(directory: str, content: Mapping[str, Any], ids, titles) -> None:
    """Write the manifest and the list of items beside the SavedModel in `directory`."""
    folder = os.path.join(directory, EXTRA)
    tf.io.gfile.makedirs(folder)
    with tf.io.gfile.GFile(os.path.join(folder, MANIFEST), "w") as file:
        file.write(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    with tf.io.gfile.GFile(os.path.join(folder, ITEMS), "w") as file:
        for item_id, title in zip(ids, titles):
            file.write(json.dumps({"item_id": item_id, "title": title}, ensure_ascii=False) + "\n")


def read_manifest(directory: str) -> dict[str, Any]:
    """The manifest of the servable in `directory`.

    Raises:
        ServableError: if there is none.
    """
    path = os.path.join(directory, EXTRA, MANIFEST)
    try:
        with tf.io.gfile.GFile(path) as file:
            return json.loads(file.read())
    except (tf.errors.OpError, json.JSONDecodeError) as error:
        raise ServableError(
            f"{directory} holds no model of tfrec: {path} cannot be read; give the folder of one version"
        ) from error


def servable_identity(directory: str) -> str:
    """What tells the servable in `directory` from others, the same for its copies: a hash of its manifest.

    Raises:
        ServableError: if it has none.
    """
    return hashlib.sha256(json.dumps(read_manifest(directory), sort_keys=True).encode()).hexdigest()[:32]


def read_items(directory: str) -> tuple[list[str], list[str]]:
    """Ids and titles of the servable's items, in the order of its index."""
    with tf.io.gfile.GFile(os.path.join(directory, EXTRA, ITEMS)) as file:
        rows = [json.loads(line) for line in file.read().splitlines()]
    return [row["item_id"] for row in rows], [row["title"] for row in rows]
