"""What the replicas of a step tell each other: each holds a share of the batch, and the loss is that of all of it.

Outside a replica, as where a model is built or run on one device, there is one share, which is the whole batch. Shapes
are static and nothing but sums crosses devices, which every strategy has, compiled or not.
"""

from __future__ import annotations

import tensorflow as tf


def replica_count() -> int:
    """How many replicas the calling code runs in at once."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def gathered(share: tf.Tensor) -> tf.Tensor:
    """The shares [S, ...] of all replicas behind each other, [replicas x S, ...], with gradients back to each share."""
    replicas = replica_count()
    if replicas == 1:
        return share
    own = tf.one_hot(_context().replica_id_in_sync_group, replicas, dtype=share.dtype)
    own = tf.reshape(own, [replicas] + [1] * share.shape.rank)
    return over_replicas(tf.reshape(own * share[tf.newaxis], [replicas * share.shape[0], *share.shape[1:]]))


def over_replicas(value: tf.Tensor) -> tf.Tensor:
    """The sum of `value` over the replicas; the gradient of a share is that of every replica's loss."""
    if replica_count() == 1:
        return value
    return _context().all_reduce(tf.distribute.ReduceOp.SUM, value)


def _context() -> tf.distribute.ReplicaContext:
    return tf.distribute.get_replica_context()
