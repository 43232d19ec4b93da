"""One vector per item that holds both of its sides: the one it is found by, and the one a history is read by.

With a single table an item touched pulls in just the items near to it, and a pair counts the same in both directions.
Linear models that do better on dense catalogues, such as EASE, have two: what having touched j says about i is a
product of a vector of j and another vector of i. Here a member's part of an item is [found by (d), weight (1), read by
(d)] and its part of a query [query (d), 1, zeros (d)], so that one dot product of both is query . found by + weight,
and everything that stores, exports or searches item embeddings stays as it is. Members stand side by side: their dot
products add up, an ensemble in one embedding.
"""

from __future__ import annotations

import tensorflow as tf


def width_of_sides(dimension: int, members: int) -> int:
    """The width of an item's vector, or a query's."""
    return members * (2 * dimension + 1)


def item_sides(found_by: tf.Tensor, weight: tf.Tensor, read_by: tf.Tensor) -> tf.Tensor:
    """Item vectors float32 [B, width] from [B, M, d], [B, M, 1] and [B, M, d]."""
    return _side_by_side(tf.concat([found_by, weight, read_by], axis=-1))


def read_side(vectors: tf.Tensor, members: int) -> tf.Tensor:
    """What a history is read by, float32 [B, M x d], from item vectors, or means of them, [B, width]."""
    parts = tf.reshape(vectors, [-1, members, vectors.shape[1] // members])
    return _side_by_side(parts[..., parts.shape[2] // 2 + 1 :])


def query_sides(queries: tf.Tensor) -> tf.Tensor:
    """Query vectors float32 [B, width] from the members' queries [B, M, d]."""
    one = tf.ones_like(queries[..., :1])
    return _side_by_side(tf.concat([queries, one, tf.zeros_like(queries)], axis=-1))


def member_products(queries: tf.Tensor, vectors: tf.Tensor, members: int) -> tf.Tensor:
    """Each member's dot products of queries [B, width] and item vectors [U, width]: float32 [M x B, U], by member."""
    queries = tf.transpose(tf.reshape(queries, [tf.shape(queries)[0], members, -1]), [1, 0, 2])
    vectors = tf.transpose(tf.reshape(vectors, [tf.shape(vectors)[0], members, -1]), [1, 2, 0])
    products = tf.matmul(queries, vectors)
    return tf.reshape(products, [-1, tf.shape(vectors)[2]])


def _side_by_side(parts: tf.Tensor) -> tf.Tensor:
    return tf.reshape(parts, [-1, parts.shape[1] * parts.shape[2]])
