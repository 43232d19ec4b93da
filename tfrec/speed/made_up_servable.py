"""Servables of made-up items, written by the package's own export: for loads, whose answers nobody reads."""

from __future__ import annotations

import os

import numpy as np
import tensorflow as tf
from scipy import sparse

import tfrec
from tfrec.config import Serving
from tfrec.data.tables import Catalogue
from tfrec.export.export import write_servable
from tfrec.export.known_users import KnownUsers
from tfrec.export.request_shape import shape_of
from tfrec.export.servable import Servable
from tfrec.index.making import Asked, index_for
from tfrec.speed.vectors import made_up

WIDTH, QUERIES = 64, 2000
NAME = "made-up"


class _MeanOfHistory(tf.Module):
    """A query tower that costs next to nothing: the mean of what was touched."""

    def encode_query(self, history: tf.Tensor, mask: tf.Tensor, raw: object, stored: object) -> tf.Tensor:
        total = tf.reduce_sum(history * mask[:, :, tf.newaxis], axis=1)
        return total / tf.maximum(tf.reduce_sum(mask, axis=1, keepdims=True), 1.0)


def item_id(position: int) -> str:
    """The id of the item at a position."""
    return f"item-{position}"


def write_made_up_servable(base_path: str, items: int, kind: str) -> None:
    """Write version 1 of a model of so many items in 64 dimensions below `base_path`.

    Args:
        kind: exact or partitioned, the latter chosen for a recall of .95.
    """
    serving = Serving()
    vectors, queries = made_up(items, WIDTH, QUERIES)
    nothing = sparse.csr_matrix((QUERIES, items), dtype=bool)
    index, record = index_for(vectors, kind, Asked(queries, nothing, serving.k, serving.recall), seed=0)
    ids = np.array([item_id(position) for position in range(items)], dtype=object)
    nobody = KnownUsers(
        np.zeros(0, object),
        np.zeros((0, serving.history), np.int32),
        (np.zeros(1, np.int64), np.zeros(0, np.int32)),
        {},
    )
    shape = shape_of(serving)
    servable = Servable(_MeanOfHistory(), {"items": {}, "query": {}}, ids, index, None, nobody, shape)
    content = {
        "name": NAME,
        "items": items,
        "versions": {"tfrec": tfrec.__version__, "tensorflow": tf.__version__},
        "serving": {"history": serving.history, "exclude": serving.exclude, "k": serving.k},
        "index": record,
    }
    catalogue = Catalogue(ids, np.full(items, "", object), {}, {})
    write_servable(servable, NAME, content, catalogue, os.path.join(base_path, "1"))
