"""A table of vectors whose rows are divided among the replicas of a step, each with the optimizer's state of its rows.

Of R replicas number r holds the rows r, r + R, r + 2R, ... A step asks for the rows of all its items: each replica
reads those it holds, and the sum over the replicas has all of them. Backwards each replica sees the gradients of all
these rows and changes those it holds. Only vectors of the step's items cross devices, as many as where the table is
whole; shapes are static, and nothing goes by way of the host.

Whoever reads the whole table, which is everybody but the step, reads a copy in the memory of the host, which is as new
as the last call of `store`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfrec.model.replicas import gathered, replica_count


class RowState(NamedTuple):
    """Variables with a row for each of N vectors: `values`, `first` and `second` moment float [N, D], `uses` [N]."""

    values: tf.Variable
    first: tf.Variable
    second: tf.Variable
    uses: tf.Variable


class LookedUp(NamedTuple):
    """What a replica has of the rows that a step asks for.

    Attributes:
        numbers: int [U], the rows of the whole table, those of all replicas' shares of the items behind each other.
        places: int [U], where the replica holds them; those that it does not hold are at its last place.
        values: float [U, D], zeros for those it does not hold.
    """

    numbers: tf.Tensor
    places: tf.Tensor
    values: tf.Tensor


class ShardedTable:
    """The rows of a table on the replicas of `strategy`.

    Args:
        strategy: of one process, which sees the variables of all replicas.
        host: the whole table in the memory of the host, made outside the strategy's scope.
    """

    def __init__(self, strategy: tf.distribute.Strategy, host: RowState):
        self._strategy, self._host = strategy, host
        self._replicas = strategy.num_replicas_in_sync
        self._stored_at = -1
        # One row more than there are, for what is written of rows that another replica holds.
        height = -(-host.values.shape[0] // self._replicas) + 1
        with strategy.scope():
            # The variables of which each replica has its own value are those that are only brought together to be read.
            self.own = RowState(
                *(
                    tf.Variable(
                        tf.zeros([height, *whole.shape[1:]], whole.dtype),
                        trainable=False,
                        synchronization=tf.VariableSynchronization.ON_READ,
                        aggregation=tf.VariableAggregation.NONE,
                    )
                    for whole in host
                )
            )

    def look_up(self, numbers: tf.Tensor) -> LookedUp:
        """The rows `numbers`, int [S], of this replica's items and those of all others; called in a replica."""
        numbers = gathered(numbers)
        elsewhere = self.own.values.shape[0] - 1
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group if replica_count() > 1 else 0
        held = numbers % self._replicas == replica
        places = tf.where(held, numbers // self._replicas, elsewhere)
        values = tf.where(held[:, tf.newaxis], read_rows(self.own.values, places), 0.0)
        return LookedUp(numbers, places, values)

    def load(self) -> None:
        """Give the replicas their rows of the host's copy."""
        for whole, shared in zip(self._host, self.own):
            rows = whole.numpy()
            for number, own in enumerate(self._strategy.experimental_local_results(shared)):
                held = rows[number :: self._replicas]
                own.assign(np.concatenate([held, np.zeros((own.shape[0] - len(held), *held.shape[1:]), held.dtype)]))

    def store(self, step: int) -> None:
        """Bring the host's copy up to date, which it is already if this was called after the same step."""
        if step == self._stored_at:
            return
        for whole, shared in zip(self._host, self.own):
            rows = np.empty(whole.shape, whole.dtype.as_numpy_dtype)
            for number, own in enumerate(self._strategy.experimental_local_results(shared)):
                held = rows[number :: self._replicas]
                held[:] = own.numpy()[: len(held)]
            whole.assign(rows)
        self._stored_at = step


def read_rows(variable: tf.Variable, rows: tf.Tensor) -> tf.Tensor:
    """The rows int [R] of a variable [N, ...]; in a replica those of the replica's own value."""
    # By its handle, the one thing that variables of every kind have in a replica, compiled or not.
    return tf.raw_ops.ResourceGather(resource=variable.handle, indices=rows, dtype=variable.dtype)


def write_rows(variable: tf.Variable, rows: tf.Tensor, values: tf.Tensor) -> None:
    """Set the rows int [R] of a variable [N, ...] to the values [R, ...]; in a replica those of its own value."""
    tf.raw_ops.ResourceScatterUpdate(resource=variable.handle, indices=rows, updates=values)
