"""One vector per item that holds both of its sides: the one it is found by, and the one a history is read by.

With a single table an item touched pulls in just the items near to it, and a pair counts the same in both directions.
Linear models that do better on dense catalogues, such as EASE, have two: what having touched j says about i is a
product of a vector of j and another vector of i. Here a member's part of an item is [found by (d), weight (1), read by
(d)] and its part of a query [query (d), 1, zeros (d)], so that one dot product of both is query . found by + weight,
and everything that stores, exports or searches item embeddings stays as it is. Members stand side by side: their dot
products add up, an ensemble in one embedding. Behind them stand F factors of a least-squares model, which a query meets
with factors of its own (see `tfrec.towers.least_squares`).
"""

from __future__ import annotations

import tensorflow as tf


def width_of_members(dimension: int, members: int) -> int:
    """The width of the members' part of an item's vector, or a query's; factors come behind it."""
    return members * (2 * dimension + 1)


def read_side(vectors: tf.Tensor, members: int) -> tf.Tensor:
    """What a history is read by, float32 [B, M x d], from the members' part of items, or sums of them, [B, width]."""
    parts = tf.reshape(vectors, [-1, members, vectors.shape[1] // members])
    return _side_by_side(parts[..., parts.shape[2] // 2 + 1 :])


def query_sides(queries: tf.Tensor) -> tf.Tensor:
    """Query vectors float32 [B, width of members] from the members' queries [B, M, d]."""
    one = tf.ones_like(queries[..., :1])
    return _side_by_side(tf.concat([queries, one, tf.zeros_like(queries)], axis=-1))


def read_by_queries(queries: tf.Tensor) -> tf.Tensor:
    """What a part of the members' queries [B, M, d] adds to a query vector, float32 [B, width of members]."""
    return _side_by_side(tf.concat([queries, tf.zeros_like(queries[..., :1]), tf.zeros_like(queries)], axis=-1))


def member_of_rows(rows: int, width: int, members: int) -> tf.Tensor:
    """A mask float32 [rows, width of members] that leaves each row one member's part, the first rows the first one's.

    What a query of all members is multiplied with to teach every member from rows of its own.
    """
    blocks = tf.repeat(tf.eye(members), width // members, axis=1)
    return tf.repeat(blocks, rows // members, axis=0)


def _side_by_side(parts: tf.Tensor) -> tf.Tensor:
    return tf.reshape(parts, [-1, parts.shape[1] * parts.shape[2]])
